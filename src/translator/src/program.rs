//! A table's mapped products, compiled for the rows' layout: columns found once for all of them.

use std::sync::Arc;

use onramp_connector::{BeforeImage, ColumnDecoder, TableDescription, TableLayout};
use onramp_event::RouteId;
use onramp_expression::{Expression, Scratch};
use onramp_finding::{Finding, Place, any_error, codes::mapping};
use onramp_language::{KeyFormat, OnTruncate, Product};

use crate::convert::Out;
use crate::plan::plan;
use crate::step::{RowView, Step, Trouble};
use crate::write;

/// What the gateway decided about a product's encoding before it started.
#[derive(Debug, Clone)]
pub struct Encoding {
    /// The value schema's id in the registry.
    pub value_schema_id: u32,
    /// The key schema's id, pinned; needed where `key_format: avro`.
    pub key_schema_id: Option<u32>,
    /// The partition count that keys are spread over, pinned.
    pub partitions: i32,
    /// What headers take besides the transaction's place and id and the subject, in bytes.
    pub header_bytes: usize,
}

/// A product as it is to be translated.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// Its topic.
    pub route: RouteId,
    /// Its file.
    pub product: Arc<Product>,
    /// Its encoding.
    pub encoding: Encoding,
}

/// Which columns an old image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    None,
    Key,
    Whole,
}

/// A table's compiled products.
#[derive(Debug)]
pub struct TableProgram {
    pub(crate) layout: Arc<TableLayout>,
    pub(crate) before: Before,
    /// By slot: places in the row, ascending.
    pub(crate) wanted: Vec<u16>,
    pub(crate) decoders: Vec<ColumnDecoder>,
    /// By slot: whether an old image has the column.
    pub(crate) in_before: Vec<bool>,
    pub(crate) products: Vec<ProductProgram>,
}

/// One compiled product.
#[derive(Debug)]
pub(crate) struct ProductProgram {
    pub(crate) route: RouteId,
    pub(crate) name: String,
    pub(crate) filter: Option<Expression>,
    key: Vec<Step>,
    key_schema_id: Option<u32>,
    value: Vec<Step>,
    value_schema_id: u32,
    pub(crate) partitions: i32,
    pub(crate) header_bytes: usize,
    pub(crate) stop_on_truncate: bool,
}

impl TableProgram {
    /// Compiles a table's products for the layout that its rows have now. The description is the
    /// one that the mappings were checked with: a mapped column that differs from it is refused.
    pub fn compile(
        layout: &Arc<TableLayout>,
        table: &TableDescription,
        products: &[Mapped],
        keys: &[(String, Vec<u8>)],
    ) -> Result<TableProgram, Vec<Finding>> {
        let mut used: Vec<usize> = products
            .iter()
            .flat_map(|mapped| plan(&mapped.product, table, &Some, Some(keys)).slots)
            .collect();
        used.sort_unstable();
        used.dedup();
        // A column's place in the row and in the description; slots follow the row.
        let mut places = Vec::with_capacity(used.len());
        let mut findings = Vec::new();
        for at in used {
            match place_in_layout(layout, table, at) {
                Ok(place) => places.push((place, at)),
                Err(finding) => findings.push(*finding),
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        places.sort_unstable();
        let slot_of = |at: usize| places.iter().position(|(_, described)| *described == at);
        let mut compiled = Vec::with_capacity(products.len());
        for mapped in products {
            // A column that nothing maps has no slot, so an unknown name stays unknown.
            let plan = plan(&mapped.product, table, &slot_of, Some(keys));
            if any_error(&plan.findings) {
                findings.extend(plan.findings);
                continue;
            }
            let product = &mapped.product;
            if let BeforeImage::Key(columns) = &layout.before {
                let lacks = |slot: &&usize| !columns.contains(&layout.columns[places[**slot].0].0);
                if let Some(slot) = plan.key.iter().flat_map(|k| &k.reads).find(lacks) {
                    let column = &layout.columns[places[*slot].0].0;
                    let what = format!("table {}, column {column}", table.name);
                    let message = format!("old rows of {} no longer hold {column}", table.name);
                    findings.push(
                        Finding::error(&mapping::KEY_NOT_IN_BEFORE, Place::Source(what), message)
                            .because(mapping::KEY_NOT_IN_BEFORE.reason)
                            .remedy(mapping::KEY_NOT_IN_BEFORE.remedy)
                            .of_product(product.name.to_string()),
                    );
                    continue;
                }
            }
            compiled.push(ProductProgram {
                route: mapped.route,
                name: product.name.to_string(),
                filter: plan.filter,
                key: plan.key.into_iter().map(|key| key.step).collect(),
                key_schema_id: match product.key_format {
                    KeyFormat::String => None,
                    KeyFormat::Avro => mapped.encoding.key_schema_id,
                },
                value: plan.value,
                value_schema_id: mapped.encoding.value_schema_id,
                partitions: mapped.encoding.partitions.max(1),
                header_bytes: mapped.encoding.header_bytes,
                stop_on_truncate: product.on_truncate == OnTruncate::Stop,
            });
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        let column = |place: usize| &layout.columns[place];
        let in_before = |place: usize| match &layout.before {
            BeforeImage::Whole => true,
            BeforeImage::Key(columns) => columns.contains(&column(place).0),
            BeforeImage::None => false,
        };
        Ok(TableProgram {
            before: match &layout.before {
                BeforeImage::Whole => Before::Whole,
                BeforeImage::Key(_) => Before::Key,
                BeforeImage::None => Before::None,
            },
            wanted: places.iter().map(|(place, _)| *place as u16).collect(),
            decoders: places.iter().map(|(place, _)| column(*place).2).collect(),
            in_before: places.iter().map(|(place, _)| in_before(*place)).collect(),
            products: compiled,
            layout: layout.clone(),
        })
    }

    /// The name of a slot's column.
    pub(crate) fn column(&self, slot: usize) -> &str {
        &self.layout.columns[self.wanted[slot] as usize].0
    }
}

/// Where a described column stands in the rows, if it is still what it was.
fn place_in_layout(
    layout: &TableLayout,
    table: &TableDescription,
    at: usize,
) -> Result<usize, Box<Finding>> {
    let described = &table.columns[at];
    let what = format!("table {}, column {}", table.name, described.name);
    let changed = |message: String| {
        Box::new(
            Finding::error(&mapping::TABLE_CHANGED, Place::Source(what), message)
                .because(mapping::TABLE_CHANGED.reason)
                .remedy(mapping::TABLE_CHANGED.remedy),
        )
    };
    let place = layout
        .columns
        .iter()
        .position(|(name, ..)| *name == described.name);
    let Some(place) = place else {
        return Err(changed(format!(
            "column {} of {} was renamed or dropped",
            described.name, table.name
        )));
    };
    if !described.value_type.is_still(&layout.columns[place].1) {
        return Err(changed(format!(
            "column {} of {} changed its type, which was {}",
            described.name, table.name, described.type_name
        )));
    }
    Ok(place)
}

/// A step's trouble and its path.
pub(crate) type FieldTrouble<'a> = (&'a str, Trouble);

/// Framing by the registry's convention: a zero, the schema's id, then Avro.
fn frame(schema_id: u32, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&schema_id.to_be_bytes());
}

impl ProductProgram {
    /// Writes the key's bytes.
    pub(crate) fn key<'a>(
        &'a self,
        row: &RowView<'a, '_>,
        scratch: &'a Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldTrouble<'a>> {
        match self.key_schema_id {
            None => self.subject(row, scratch, out),
            Some(id) => {
                frame(id, out);
                for step in &self.key {
                    write::avro(&run(step, row, scratch)?, out);
                }
                Ok(())
            }
        }
    }

    /// Whether the key's bytes are its text.
    pub(crate) fn key_is_text(&self) -> bool {
        self.key_schema_id.is_none()
    }

    /// Writes the key as text: one field's own, several as a JSON array.
    pub(crate) fn subject<'a>(
        &'a self,
        row: &RowView<'a, '_>,
        scratch: &'a Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldTrouble<'a>> {
        // Writing to memory does not fail.
        if let [step] = &self.key[..] {
            let _ = write::text(&run(step, row, scratch)?, out);
            return Ok(());
        }
        out.push(b'[');
        for (n, step) in self.key.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            let _ = write::json(&run(step, row, scratch)?, out);
        }
        out.push(b']');
        Ok(())
    }

    /// Writes the value's bytes; no array of it is written beyond `most` bytes.
    #[inline]
    pub(crate) fn value<'a>(
        &'a self,
        row: &RowView<'a, '_>,
        scratch: &'a Scratch,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldTrouble<'a>> {
        frame(self.value_schema_id, out);
        for step in &self.value {
            let value = run(step, row, scratch)?;
            if step.optional {
                if value == Out::Null {
                    out.push(0);
                    continue;
                }
                out.push(2);
            }
            match &value {
                Out::List(list) => list.write(scratch, most, out).map_err(|trouble| {
                    let slot = step.slot();
                    (&*step.path, Trouble { slot, ..trouble })
                })?,
                value => write::avro(value, out),
            }
        }
        Ok(())
    }
}

#[inline]
fn run<'a>(
    step: &'a Step,
    row: &RowView<'a, '_>,
    scratch: &'a Scratch,
) -> Result<Out<'a>, FieldTrouble<'a>> {
    step.value(row, scratch)
        .map_err(|trouble| (&*step.path, trouble))
}
