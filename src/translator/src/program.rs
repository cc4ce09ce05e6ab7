//! A table's mapped products, compiled for the rows' layout: columns found once for all of them.

use std::sync::Arc;

use onramp_connector::{BeforeImage, ColumnDecoder, TableDescription, TableLayout};
use onramp_event::RouteId;
use onramp_expression::{CHANGE_SLOTS, Expression, Operations};
use onramp_finding::{Finding, Place, any_error, codes::mapping};
use onramp_language::{KeyFormat, OnError, OnTruncate, PayloadForm, Product};

use crate::avro::Avro;
use crate::form::Form;
use crate::outbox::{OutboxEvent, OutboxProgram};
use crate::output::Target;
use crate::plan::{Plan, plan};
use crate::quarantine::Quarantine;
use crate::rows::{self, RowNamer, RowNames};

/// What the gateway decided about a product's encoding before it started.
#[derive(Debug, Clone)]
pub struct Encoding {
    /// The value schemas' ids in the registry, one a record.
    pub value_schema_ids: Vec<u32>,
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
    /// Its quarantine; None where a row that cannot be carried stops the gateway.
    pub quarantine: Option<QuarantineRoute>,
    /// By what its rows are named while those that were there before are told; None where none are.
    pub rows: Option<RowNames>,
}

/// The topic of rows that a product cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineRoute {
    /// The topic.
    pub route: RouteId,
    /// Its partition count.
    pub partitions: i32,
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
    pub(crate) target: Target,
    pub(crate) name: String,
    pub(crate) stop_on_truncate: bool,
    /// The table's number among those that rows of the product move between; None where they do not.
    pub(crate) moves: Option<u32>,
    /// Where rows go that cannot be carried; None where they stop the gateway.
    pub(crate) quarantine: Option<Quarantine>,
    /// Names its rows, where somebody asks.
    pub(crate) rows: Option<RowNamer>,
    pub(crate) body: Body,
}

/// What a product makes of a row or a change.
#[derive(Debug)]
pub(crate) enum Body {
    /// The row's state, where it is one of the product's.
    Entity {
        filter: Option<Expression>,
        form: Form,
    },
    /// Facts, in their order.
    Events(Vec<EventProgram>),
    /// What the application writes.
    Outbox(Box<OutboxProgram>),
}

/// One type of facts.
#[derive(Debug)]
pub(crate) struct EventProgram {
    pub(crate) operations: Operations,
    pub(crate) when: Option<Expression>,
    pub(crate) form: Form,
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
        let named = products.iter().any(|mapped| mapped.rows.is_some());
        let identity = named
            .then(|| rows::identity(table, &layout.before))
            .flatten();
        let nameless = named && identity.is_none();
        let identity = identity.unwrap_or_default();
        used.extend(&identity);
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
            let name_of = |slot: usize| layout.columns[places[slot].0].0.as_str();
            if nameless && mapped.rows.is_some() {
                findings.push(
                    crate::mapping::not_named(product, table).of_product(product.name.to_string()),
                );
                continue;
            }
            if let Some(finding) = lacking(product, &plan, &layout.before, &name_of, table) {
                findings.push(finding);
                continue;
            }
            compiled.push(ProductProgram {
                target: Target {
                    route: mapped.route,
                    partitions: mapped.encoding.partitions.max(1),
                    header_bytes: mapped.encoding.header_bytes,
                },
                name: product.name.to_string(),
                stop_on_truncate: product.on_truncate == OnTruncate::Stop,
                moves: number_of(product, table),
                quarantine: quarantine(mapped, &plan),
                rows: mapped.rows.as_ref().and_then(|names| {
                    let slots = identity.iter().filter_map(|at| slot_of(*at));
                    RowNamer::new(
                        names,
                        &table.name,
                        slots.collect(),
                        product.outbox().is_none(),
                    )
                }),
                body: body(mapped, plan),
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

    /// The name of a slot's column; of a change's, whichever row it is of.
    pub(crate) fn column(&self, slot: usize) -> &str {
        let columns = self.wanted.len();
        let slot = match slot {
            slot if slot < columns => slot,
            slot if slot < 2 * columns => slot - columns,
            slot => slot.saturating_sub(2 * columns + CHANGE_SLOTS),
        };
        let place = self.wanted.get(slot).map(|place| usize::from(*place));
        place.map_or("", |place| &self.layout.columns[place].0)
    }
}

/// A table's number among those that a product's rows move between.
fn number_of(product: &Product, table: &TableDescription) -> Option<u32> {
    let tables = product.tables.moves.then(|| product.tables.read())?;
    let this = |(schema, name): &(String, String)| {
        *schema == table.name.schema && *name == table.name.table
    };
    u32::try_from(tables.iter().position(this)?).ok()
}

/// What old rows no longer hold of what the product needs of them.
fn lacking<'n>(
    product: &Product,
    plan: &Plan,
    before: &BeforeImage,
    name_of: &dyn Fn(usize) -> &'n str,
    table: &TableDescription,
) -> Option<Finding> {
    let refused = |code: &'static onramp_finding::Code, column: &str| {
        let what = format!("table {}, column {column}", table.name);
        let message = format!("old rows of {} no longer hold {column}", table.name);
        Finding::error(code, Place::Source(what), message)
            .because(code.reason)
            .remedy(code.remedy)
            .of_product(product.name.to_string())
    };
    if product.is_entity() {
        let BeforeImage::Key(columns) = before else {
            return None;
        };
        let keys = plan.records.iter().flat_map(|r| &r.key);
        let mut names = keys.flat_map(|k| &k.reads).map(|slot| name_of(*slot));
        let held = |name: &&str| columns.iter().any(|c| c == name);
        if let Some(lacking) = names.find(|name| !held(name)) {
            return Some(refused(&mapping::KEY_NOT_IN_BEFORE, lacking));
        }
        // Whether an old row was the product's is to be known where its key may stand elsewhere.
        let filter = plan.filter.as_ref().filter(|_| product.tables.moves)?;
        let mut names = filter.slots().iter().map(|slot| name_of(*slot));
        let lacking = names.find(|name| !held(name))?;
        return Some(refused(&mapping::MOVES_NEED_OLD_ROW, lacking));
    }
    let mut lacking = plan
        .records
        .iter()
        .filter_map(|record| record.lacks(before, name_of));
    Some(refused(&mapping::OLD_ROW_NEEDED, lacking.next()?))
}

/// Where a product's failing rows go, and which of its columns may be seen there.
fn quarantine(mapped: &Mapped, plan: &Plan) -> Option<Quarantine> {
    let to = mapped.quarantine?;
    let shown = |slot: &usize| (*slot, !plan.hidden.contains(slot));
    Some(Quarantine {
        target: Target {
            route: to.route,
            partitions: to.partitions.max(1),
            header_bytes: mapped.encoding.header_bytes,
        },
        all: mapped.product.on_error == OnError::Quarantine,
        columns: plan.slots.iter().map(shown).collect(),
    })
}

/// A product's compiled records.
fn body(mapped: &Mapped, plan: Plan) -> Body {
    let product = &mapped.product;
    let mut records = plan.records.into_iter().enumerate().map(|(at, record)| {
        let key = record.key.into_iter().map(|key| key.step).collect();
        let key_schema_id = match product.key_format {
            KeyFormat::String => None,
            KeyFormat::Avro => mapped.encoding.key_schema_id,
        };
        let ids = &mapped.encoding.value_schema_ids;
        let form = Form::new(
            u16::try_from(at).unwrap_or(u16::MAX),
            (key, key_schema_id),
            (record.value, ids.get(at).copied().unwrap_or(0)),
        );
        EventProgram {
            operations: record.operations,
            when: record.when,
            form,
        }
    });
    if let (Some(outbox), Some(columns)) = (product.outbox(), plan.outbox) {
        let events = records.zip(product.records()).filter_map(|(record, of)| {
            let event = of.event?;
            let payload = event.payload.as_ref()?;
            let avro = match (payload.form, &payload.schema) {
                // One that is no schema was refused with the mapping.
                (PayloadForm::Avro, Some(schema)) => Some(Avro::new(&schema.text)?),
                _ => None,
            };
            let form = record.form;
            let written = Box::from(event.written().as_bytes());
            Some((written, OutboxEvent { form, avro }))
        });
        return Body::Outbox(Box::new(OutboxProgram {
            filter: plan.filter,
            columns,
            events: events.collect(),
            unknown_type: outbox.unknown_type,
            on_update: outbox.on_update,
        }));
    }
    match (product.is_entity(), records.next()) {
        (true, Some(only)) => Body::Entity {
            filter: plan.filter,
            form: only.form,
        },
        (_, first) => Body::Events(first.into_iter().chain(records).collect()),
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
