//! The keys of a product's fields, and of an array's elements.

use super::product::PROTECT;
use super::{Case, Cases, Form, Key, Value, Word};

const TEXT: Value = Value::Text(Form::Text);

/// A field: `type` decides.
pub(crate) static FIELD: Cases = Cases {
    by: "type",
    common: &[
        Key::required("type", Value::Text(Form::FieldType), "The type.").example("long"),
        Key::optional("doc", TEXT, "What it is; it becomes the schema's `doc`.")
            .example("The order's number."),
        Key::optional(
            "classification",
            Value::Text(Form::Classification),
            "How sensitive it is. `personal` asks for `protect`.",
        )
        .example("personal"),
        Key::optional("protect", Value::One(PROTECT), "How it is protected.")
            .example("{ hmac: pii_2026 }"),
    ],
    cases: &[
        Case {
            title: "one value",
            words: ONE_VALUE,
            keys: &[OPTIONAL, FROM, AT, EXPR, VALUE, LOOKUP],
        },
        Case {
            title: "a date or time",
            words: MOMENTS,
            keys: &[
                OPTIONAL,
                FROM,
                AT,
                EXPR,
                VALUE,
                PARSE,
                ZONE,
                AMBIGUOUS_KEY,
                LOOKUP,
            ],
        },
        Case {
            title: "an enum",
            words: &["enum"],
            keys: &[
                OPTIONAL,
                FROM,
                AT,
                EXPR,
                VALUES,
                DEFAULT,
                OTHERWISE_KEY,
            ],
        },
        Case {
            title: "a record",
            words: &["record"],
            keys: &[
                Key::optional(
                    "optional",
                    Value::Text(Form::Boolean),
                    "Whether it may be null: of a record that stands in JSON.",
                )
                .default("false"),
                Key::optional(
                    "from",
                    Value::Text(Form::Column),
                    "The column in whose JSON it stands; its fields then stand in it. Without it each field has a source of its own.",
                )
                .example("doc"),
                AT,
                Key::required("fields", Value::Opened, "Its fields."),
            ],
        },
        Case {
            title: "an array",
            words: &["array"],
            keys: &[
                OPTIONAL,
                Key::optional(
                    "from",
                    Value::Text(Form::Column),
                    "The column: an array of one dimension, or JSON.",
                )
                .example("tags"),
                AT,
                Key::optional(
                    "items",
                    Value::Items,
                    "What each element is; always needed. An element may be null where this says `optional: true`.",
                )
                .example("{ type: string }"),
                Key::later("each", "The child table whose rows are its items."),
                Key::later("fields", "The fields of each item."),
            ],
        },
    ],
};

/// An array's elements: `type` decides.
pub(crate) static ITEMS: Cases = Cases {
    by: "type",
    common: &[Key::required(
        "type",
        Value::Text(Form::ItemType),
        "The type of each element.",
    )
    .example("string")],
    cases: &[
        Case {
            title: "elements of one value",
            words: ONE_VALUE,
            keys: &[OPTIONAL, LOOKUP],
        },
        Case {
            title: "elements that are dates or times",
            words: MOMENTS,
            keys: &[OPTIONAL, PARSE, ZONE, AMBIGUOUS_KEY, LOOKUP],
        },
        Case {
            title: "elements of an enum",
            words: &["enum"],
            keys: &[OPTIONAL, VALUES, DEFAULT, OTHERWISE_KEY],
        },
        Case {
            title: "elements that are records, in JSON",
            words: &["record"],
            keys: &[
                OPTIONAL,
                Key::required(
                    "fields",
                    Value::Opened,
                    "Its fields. Each stands in the element, under its own name or at `at`, or says a `value`.",
                ),
            ],
        },
        Case {
            title: "elements that are arrays, in JSON",
            words: &["array"],
            keys: &[
                OPTIONAL,
                Key::required("items", Value::Items, "What each of their elements is.")
                    .example("{ type: string }"),
            ],
        },
    ],
};

const ONE_VALUE: &[&str] = &[
    "boolean", "int", "long", "float", "double", "string", "bytes", "decimal", "uuid", "json",
];
const MOMENTS: &[&str] = &["date", "timestamp", "local-timestamp", "time"];

const PARSE: Key = Key::optional(
                    "parse",
                    TEXT,
                    "How the column's text is read: a format of `%Y %m %b %d %j %H %I %p %M %S %f %z %F %T %R` and literal text, which must be met to the letter.",
                )
                .example("\"%Y%m%d%H%M%S\"");
const ZONE: Key = Key::optional(
    "zone",
    Value::Text(Form::Word),
    "The IANA time zone of the text, for a `timestamp` whose format has no offset.",
)
.example("Europe/London");
const AMBIGUOUS_KEY: Key = Key::optional(
                    "ambiguous",
                    Value::Words(AMBIGUOUS),
                    "What a local time gives that occurs twice, or never, when clocks change. One that occurs twice has two moments; one that never does is read with the offset after the change, which gives the earlier moment, or before it.",
                )
                .default("fail");
const VALUES: Key = Key::required(
    "values",
    Value::Named(Form::Code, &Value::Text(Form::Symbol)),
    "Source codes and the symbols that they give; quote the codes.",
)
.example("{ \"N\": NEW, \"P\": PAID }");
const DEFAULT: Key = Key::optional(
    "default",
    Value::Text(Form::Symbol),
    "The symbol that older readers see for a newer one.",
)
.example("UNKNOWN");
const OTHERWISE_KEY: Key = Key::optional(
    "otherwise",
    Value::WordOrOne(OTHERWISE, OTHERWISE_VALUE),
    "What a code gives that is not listed.",
)
.default("fail");
const AT: Key = Key::optional(
    "at",
    Value::Text(Form::JsonPath),
    "Where in the column's JSON the value stands: names with dots between, elements by their place from 0, names with other signs in double quotes. Nothing there, or JSON's null, is null; a value of another type fails the row.",
)
.example("customer.id");
const VALUE: Key = Key::optional(
    "value",
    Value::Text(Form::Constant),
    "A value of the field's type that is the same in every event. In place of `from`.",
)
.example("GBP");
const LOOKUP: Key = Key::optional(
    "lookup",
    Value::Map(LOOKUP_KEYS),
    "A file by which codes become values: the code is what `from` or `expr` gives. A change of the file is a change of the mapping.",
)
.example("{ file: lookups/countries.csv }");

const LOOKUP_KEYS: &[Key] = &[
    Key::required(
        "file",
        Value::Text(Form::Path),
        "The file, relative to the gateway file's folder, and within it: CSV with a first line that names the columns `code` and `value`, or a YAML map of codes to values. At most 1 MiB.",
    )
    .example("lookups/countries.csv"),
    Key::optional(
        "otherwise",
        Value::WordOrOne(OTHERWISE, LOOKUP_OTHERWISE),
        "What a code gives that is not listed; null is such a code where the field is not optional.",
    )
    .default("fail"),
];

const LOOKUP_OTHERWISE: &[Key] =
    &[Key::required("value", Value::Text(Form::Constant), "This value.").example("Elsewhere")];

const OPTIONAL: Key = Key::optional(
    "optional",
    Value::Text(Form::Boolean),
    "Whether it may be null.",
)
.default("false");
const FROM: Key = Key::optional(
    "from",
    Value::Text(Form::Column),
    "The column. Exactly one of `from`, `expr` and, where the type takes one, `value`.",
)
.example("ord_no");
const EXPR: Key = Key::optional(
    "expr",
    Value::Text(Form::Expression),
    "An expression: over `row` in an entity, `row` and `tx` in an outbox, `before`, `after`, `op` and `tx` in facts. In place of `from`.",
)
.example("\"'CUST-' + string(row.cust_no)\"");

const AMBIGUOUS: &[Word] = &[
    Word::new("fail", "The row fails."),
    Word::new("earlier", "The earlier of the two moments."),
    Word::new("later", "The later of the two moments."),
];

const OTHERWISE: &[Word] = &[
    Word::new("fail", "The row fails."),
    Word::new("null", "Null; the field is optional."),
];

const OTHERWISE_VALUE: &[Key] =
    &[Key::required("value", Value::Text(Form::Symbol), "This symbol.").example("UNKNOWN")];
