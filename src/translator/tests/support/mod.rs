//! Products from text, and a connector's rows without a connector.
#![allow(dead_code)] // Each test uses its part.

pub(crate) mod random;

use std::sync::Arc;

use onramp_connector::{
    Batch, BeforeImage, Begin, Change, Column, Ident, Index, Item, Operation, Span,
    TableDescription, TableId, TableLayout, Value, ValueType, plain,
};
use onramp_event::RouteId;
use onramp_language::Product;
use onramp_translator::{Encoding, Mapped, RowLimits, RowNames, TableMapping, Translator};

/// The secret of the key `pii`.
pub(crate) const KEY: &[u8] = b"secret";

/// Reads a product: `head` holds lines between description and fields, `fields` the fields.
pub(crate) fn product(head: &str, fields: &str) -> Product {
    product_with(head, fields, &[])
}

/// The same beside more files of its gateway.
pub(crate) fn product_with(head: &str, fields: &str, files: &[(&str, &str)]) -> Product {
    let indented: String = fields
        .trim()
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    of_kind(
        "entity",
        &format!("{}\nfields:\n{indented}", head.trim()),
        files,
    )
}

/// A product of a kind, whose keys after its description are these.
pub(crate) fn of_kind(kind: &str, keys: &str, files: &[(&str, &str)]) -> Product {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let gateway = "gateway: shop\nsource:\n  type: postgres\n  url: postgres://o@127.0.0.1:1/shop\n  password: { env: P }\n\
         kafka:\n  brokers: [\"127.0.0.1:1\"]\nregistry: { url: \"http://127.0.0.1:1\" }\n\
         keys: { pii: { env: K } }\nproducts: [\"p.yaml\"]\n";
    let text = format!(
        "product: commerce.orders.v1\nstatus: active\nowner: {{ team: t, contact: t@shop.test }}\n\
         description: Orders.\nsla: {{ tier: 1, freshness: 5s, retention: forever }}\nkind: {kind}\n{keys}"
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

/// A cell of a test's row; None is a value that the log left out.
pub(crate) type Given<'v> = Option<Value<'v>>;

/// A row of these cells, and of a list of such elements behind them.
pub(crate) fn with_list(
    cells: &[Given<'_>],
    of: &ValueType,
    elements: &[Option<Value<'_>>],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for cell in cells {
        plain::push(&mut bytes, *cell);
    }
    plain::push_list(&mut bytes, of, elements);
    bytes
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
            plain::push(&mut bytes, *cell);
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

    /// An insert of a row in bytes.
    pub(crate) fn insert_bytes(&mut self, after: &[u8]) -> &mut Self {
        let after = Some(self.bytes(after));
        self.0.items.push(Item::Change(Change {
            table: TableId(0),
            operation: Operation::Insert,
            before: None,
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
    translator_naming(table, products, row_bytes, None)
}

/// The same, whose products name their rows.
pub(crate) fn translator_naming(
    table: &TableDescription,
    products: &[Product],
    row_bytes: usize,
    rows: Option<&RowNames>,
) -> Translator {
    let products = products
        .iter()
        .enumerate()
        .map(|(n, product)| Mapped {
            rows: rows.cloned(),
            route: RouteId(n as u16),
            product: Arc::new(product.clone()),
            quarantine: None,
            encoding: Encoding {
                value_schema_ids: vec![7, 8, 9],
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
        vec![("pii".into(), KEY.to_vec())],
        RowLimits {
            row_bytes,
            moved_keys_bytes: 1 << 20,
        },
    )
}
