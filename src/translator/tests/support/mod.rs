//! Products from text, and a connector's rows without a connector.
#![allow(dead_code)] // Each test uses its part.

use std::sync::Arc;

use onramp_connector::{
    Batch, BeforeImage, Begin, Cell, Change, Column, ColumnDecoder, Decimal, Ident, Index, Item,
    Operation, Span, TableDescription, TableId, TableLayout, Undecodable, Value, ValueType,
};
use onramp_event::RouteId;
use onramp_language::Product;
use onramp_translator::{Encoding, Mapped, TableMapping, Translator};

/// Reads a product: `head` holds lines between description and fields, `fields` the fields.
pub(crate) fn product(head: &str, fields: &str) -> Product {
    let folder = tempfile::tempdir().unwrap();
    let gateway = "gateway: shop\nsource:\n  type: postgres\n  url: postgres://o@127.0.0.1:1/shop\n  password: { env: P }\n\
         kafka:\n  brokers: [\"127.0.0.1:1\"]\nregistry: { url: \"http://127.0.0.1:1\" }\n\
         keys: { pii: { env: K } }\nproducts: [\"p.yaml\"]\n";
    let indented: String = fields
        .trim()
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    let text = format!(
        "product: commerce.orders.v1\nstatus: active\nowner: {{ team: t, contact: t@shop.test }}\n\
         description: Orders.\nsla: {{ tier: 1, freshness: 5s, retention: forever }}\nkind: entity\n\
         {}\nfields:\n{indented}",
        head.trim()
    );
    std::fs::write(folder.path().join("onramp.yaml"), gateway).unwrap();
    std::fs::write(folder.path().join("p.yaml"), text).unwrap();
    let path = folder.path().join("onramp.yaml");
    match onramp_language::load(&path, &Default::default()) {
        Ok(loaded) => loaded.gateway.products[0].clone(),
        Err(findings) => panic!("{findings:#?}"),
    }
}

pub(crate) fn column(name: &str, value_type: ValueType) -> Column {
    Column {
        name: name.into(),
        type_name: format!("{value_type:?}").to_lowercase(),
        value_type,
        nullable: false,
        comment: None,
        may_be_left_out: false,
    }
}

pub(crate) fn nullable(name: &str, value_type: ValueType) -> Column {
    Column {
        nullable: true,
        ..column(name, value_type)
    }
}

/// A table whose first column is its primary key.
pub(crate) fn table(columns: Vec<Column>) -> TableDescription {
    let key = vec![columns[0].name.clone()];
    TableDescription {
        name: Ident {
            schema: "public".into(),
            table: "ordr_hdr".into(),
        },
        columns,
        unique: vec![Index {
            name: "ordr_pk".into(),
            columns: key.clone(),
            primary: true,
            deferrable: false,
            total: true,
        }],
        before: BeforeImage::Key(key),
        comment: None,
        rows_estimate: None,
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Undecodable> {
    bytes.try_into().map_err(|_| Undecodable::Malformed)
}

fn decoder(value_type: &ValueType) -> ColumnDecoder {
    match value_type {
        ValueType::Bool => |b| Ok(Value::Bool(b == [1])),
        ValueType::Int(_) => |b| Ok(Value::Int(i64::from_le_bytes(fixed(b)?))),
        ValueType::Float => |b| Ok(Value::Float(f32::from_le_bytes(fixed(b)?))),
        ValueType::Double => |b| Ok(Value::Double(f64::from_le_bytes(fixed(b)?))),
        ValueType::Decimal(_) => |b| {
            let (scale, mantissa) = b.split_first().ok_or(Undecodable::Malformed)?;
            Ok(Value::Decimal(Decimal {
                mantissa: i128::from_le_bytes(fixed(mantissa)?),
                scale: *scale,
            }))
        },
        ValueType::Text | ValueType::Enum(_) | ValueType::Json => |b| {
            std::str::from_utf8(b)
                .map(Value::Text)
                .map_err(|_| Undecodable::Encoding)
        },
        ValueType::Bytes => |b| Ok(Value::Bytes(b)),
        ValueType::Date => |b| Ok(Value::Date(i32::from_le_bytes(fixed(b)?))),
        ValueType::Time => |b| Ok(Value::Time(i64::from_le_bytes(fixed(b)?))),
        ValueType::LocalTimestamp => |b| Ok(Value::LocalTimestamp(i64::from_le_bytes(fixed(b)?))),
        ValueType::Timestamp => |b| Ok(Value::Timestamp(i64::from_le_bytes(fixed(b)?))),
        ValueType::Uuid => |b| Ok(Value::Uuid(fixed(b)?)),
        ValueType::Unsupported => |_| Err(Undecodable::Malformed),
    }
}

/// A cell of a test's row; None is a value that the log left out.
pub(crate) type Given<'v> = Option<Value<'v>>;

fn raw(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(v) => vec![u8::from(*v)],
        Value::Int(v) | Value::Time(v) | Value::LocalTimestamp(v) | Value::Timestamp(v) => {
            v.to_le_bytes().to_vec()
        }
        Value::Float(v) => v.to_le_bytes().to_vec(),
        Value::Double(v) => v.to_le_bytes().to_vec(),
        Value::Decimal(v) => [&[v.scale][..], &v.mantissa.to_le_bytes()].concat(),
        Value::Text(v) => v.as_bytes().to_vec(),
        Value::Bytes(v) => v.to_vec(),
        Value::Date(v) => v.to_le_bytes().to_vec(),
        Value::Uuid(v) => v.to_vec(),
    }
}

fn read<'a>(mut t: &'a [u8], wanted: &[u16], out: &mut Vec<Cell<'a>>) -> Result<(), Undecodable> {
    let mut cells = Vec::new();
    while let Some((tag, rest)) = t.split_first() {
        let (len, rest) = rest.split_at(4);
        let (value, rest) = rest.split_at(u32::from_le_bytes(fixed(len)?) as usize);
        cells.push(match tag {
            0 => Cell::Null,
            1 => Cell::Unchanged,
            _ => Cell::Raw(value),
        });
        t = rest;
    }
    for at in wanted {
        out.push(*cells.get(*at as usize).ok_or(Undecodable::Malformed)?);
    }
    Ok(())
}

pub(crate) fn layout(table: &TableDescription) -> TableLayout {
    TableLayout {
        name: table.name.clone(),
        columns: table
            .columns
            .iter()
            .map(|c| (c.name.clone(), c.value_type.clone(), decoder(&c.value_type)))
            .collect(),
        before: table.before.clone(),
        read,
    }
}

/// A batch in the making.
pub(crate) struct Log(pub(crate) Batch);

impl Log {
    pub(crate) fn new(layout: TableLayout) -> Self {
        Log(Batch {
            tables: vec![Arc::new(layout)],
            items: vec![Item::Layout(TableId(0))],
            ..Batch::default()
        })
    }

    fn bytes(&mut self, bytes: &[u8]) -> Span {
        let start = self.0.bytes.len() as u32;
        self.0.bytes.extend_from_slice(bytes);
        Span {
            start,
            end: self.0.bytes.len() as u32,
        }
    }

    pub(crate) fn begin(&mut self, place: &str) -> &mut Self {
        let begin = Begin {
            place: self.bytes(place.as_bytes()),
            id: self.bytes(b"77"),
            number: 77,
            committed_at_us: 1_000,
        };
        self.0.items.push(Item::Begin(begin));
        self
    }

    pub(crate) fn commit(&mut self) -> &mut Self {
        self.0.items.push(Item::Commit);
        self
    }

    pub(crate) fn truncate(&mut self) -> &mut Self {
        self.0.items.push(Item::Truncate(TableId(0)));
        self
    }

    fn row(&mut self, row: &[Given<'_>]) -> Span {
        let mut bytes = Vec::new();
        for cell in row {
            let (tag, value) = match cell {
                None => (1, Vec::new()),
                Some(Value::Null) => (0, Vec::new()),
                Some(value) => (2, raw(value)),
            };
            bytes.push(tag);
            bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&value);
        }
        self.bytes(&bytes)
    }

    pub(crate) fn change(
        &mut self,
        operation: Operation,
        before: Option<&[Given<'_>]>,
        after: Option<&[Given<'_>]>,
    ) -> &mut Self {
        let before = before.map(|row| self.row(row));
        let after = after.map(|row| self.row(row));
        self.0.items.push(Item::Change(Change {
            table: TableId(0),
            operation,
            before,
            after,
        }));
        self
    }

    pub(crate) fn insert(&mut self, after: &[Given<'_>]) -> &mut Self {
        self.change(Operation::Insert, None, Some(after))
    }
}

/// A translator of these products over one table; routes count from 0.
pub(crate) fn translator(
    table: &TableDescription,
    products: &[Product],
    row_bytes: usize,
) -> Translator {
    let products = products
        .iter()
        .enumerate()
        .map(|(n, product)| Mapped {
            route: RouteId(n as u16),
            product: Arc::new(product.clone()),
            encoding: Encoding {
                value_schema_id: 7,
                key_schema_id: Some(8),
                partitions: 3,
                header_bytes: 0,
            },
        })
        .collect();
    let mapping = TableMapping {
        table: table.clone(),
        products,
    };
    Translator::new(
        vec![mapping],
        vec![("pii".into(), b"secret".to_vec())],
        row_bytes,
    )
}
