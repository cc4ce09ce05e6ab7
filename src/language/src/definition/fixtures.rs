//! The keys of a fixtures file.

use super::{Form, Key, Value, Word};

const TEXT: Value = Value::Text(Form::Text);

/// The fixtures file: rows and changes in, events out.
pub(crate) static FIXTURES: &[Key] = &[
    Key::required(
        "fixtures",
        Value::Text(Form::ProductName),
        "The product whose mapping is tested.",
    )
    .example("commerce.orders.v2"),
    Key::optional(
        "columns",
        Value::Named(Form::Column, &Value::Text(Form::FieldType)),
        "Types of columns, in the words of fields' types, where the mapping does not tell them: a column that only expressions read is taken for text where that fits.",
    )
    .example("{ cust_no: long }"),
    Key::required(
        "tests",
        Value::List(&Value::Map(TEST)),
        "What is tested, each from its own row.",
    ),
];

const CHANGE: &[Word] = &[
    Word::new("insert", "A row comes: `after`."),
    Word::new(
        "update",
        "A row changes: `before`, and in `after` what changes.",
    ),
    Word::new("delete", "A row goes: `before`."),
];

const TEST: &[Key] = &[
    Key::required("name", TEXT, "What is shown, in a sentence.")
        .example("a soft-deleted order becomes a tombstone"),
    Key::optional(
        "table",
        Value::Text(Form::Table),
        "The table that the row stands in, of a product of several; else the first that is named.",
    )
    .example("shop_1.ordr_hdr"),
    Key::optional(
        "row",
        Value::Row,
        "A row that was there already, instead of a change.",
    ),
    Key::optional("change", Value::Words(CHANGE), "What happens to the row."),
    Key::optional(
        "before",
        Value::Row,
        "The row before: columns to the text of their values, nothing (or `null`) for SQL's NULL.",
    )
    .example("{ ord_no: \"7\", del_flg: \"N\" }"),
    Key::optional(
        "after",
        Value::Row,
        "The row after; in an update what is not said stays as before.",
    ),
    Key::required(
        "expect",
        Value::List(&Value::Map(EXPECTED)),
        "The events, in order; `[]` for none. `onramp test --update` writes it.",
    ),
];

const EXPECTED: &[Key] = &[
    Key::optional("key", TEXT, "The event's key, where it is worth saying.").example("\"7\""),
    Key::optional(
        "type",
        Value::Text(Form::EventName),
        "The event's type, of facts.",
    )
    .example("OrderPlaced"),
    Key::optional(
        "event",
        Value::Tree,
        "The event's fields, all of them, each as text; nothing (or `null`) for null.",
    ),
    Key::optional("tombstone", TEXT, "The key of a tombstone.").example("\"7\""),
    Key::optional("fails", TEXT, "The code with which the row fails.").example("ONR-324"),
];
