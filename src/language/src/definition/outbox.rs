//! The keys of an outbox product.

use super::product::{KEPT_MAPPING, ON_ERROR, ROWS_BEFORE, TABLES, TRUNCATE};
use super::{Form, Key, Value, Word};

const TEXT: Value = Value::Text(Form::Text);
const COLUMN: Value = Value::Text(Form::Column);

const TABLE_OR_MESSAGES: Key = Key::optional(
    "table",
    Value::Text(Form::Table),
    "Schema and table. Exactly one of `table`, `tables` and `message_prefix`.",
)
.example("public.outbox");

/// Events that the application already writes.
pub(super) const OUTBOX: &[Key] = &[
    Key::optional(
        "source",
        Value::Map(SOURCE),
        "Where the application writes its events. Required unless the product is retired.",
    ),
    Key::optional(
        "columns",
        Value::Map(COLUMNS),
        "Which columns hold what of an event. Required unless the product is retired.",
    ),
    Key::optional(
        "events",
        Value::Named(Form::EventName, &Value::Map(EVENT)),
        "The types of events, by name. Required unless the product is retired.",
    ),
    Key::optional(
        "unknown_type",
        Value::Words(UNKNOWN_TYPE),
        "What an event does whose type is not listed under `events`.",
    )
    .default("fail"),
    Key::optional(
        "on_update",
        Value::Words(ON_UPDATE),
        "What an update of a row does: events are inserted, and never change.",
    )
    .default("fail"),
    Key::optional(
        "on_error",
        Value::Words(ON_ERROR),
        "What a row does that cannot be translated.",
    )
    .default("stop"),
    TRUNCATE,
    KEPT_MAPPING,
    ROWS_BEFORE,
];

const SOURCE: &[Key] = &[
    TABLE_OR_MESSAGES,
    TABLES,
    Key::optional(
        "where",
        Value::Text(Form::Expression),
        "An expression over `row` and `tx`: which rows are events of this product.",
    )
    .example("row.aggregatetype == \"order\""),
    Key::optional(
        "message_prefix",
        TEXT,
        "What the prefixes of the log's own messages begin with that are the events, in place of `table`. `columns` are then paths in a message's JSON.",
    )
    .example("orders."),
];

const COLUMNS: &[Key] = &[
    Key::required("id", COLUMN, "The event's id: `ce_id` and `onramp_event_id`.").example("id"),
    Key::required("type", COLUMN, "The event's type.").example("type"),
    Key::required(
        "key",
        COLUMN,
        "What the event is about: its text is the event's key, by which it is partitioned.",
    )
    .example("aggregateid"),
    Key::required(
        "payload",
        COLUMN,
        "The event itself. One that is null or empty gives an event without a value.",
    )
    .example("payload"),
    Key::optional(
        "timestamp",
        COLUMN,
        "When it happened: Kafka's timestamp and `ce_time`. A timestamp, or milliseconds since 1970. When the transaction committed where it is not said, or null.",
    )
    .example("created_at"),
    Key::optional(
        "partition",
        COLUMN,
        "The partition, a whole number, in place of the one that the key gives; where it is null, the key's.",
    )
    .example("part"),
    Key::optional(
        "headers",
        Value::Named(Form::Word, &COLUMN),
        "Further columns that become headers, by the header's name; null gives none.",
    )
    .example("{ traceparent: tracing }"),
];

const EVENT: &[Key] = &[
    Key::optional("doc", TEXT, "What has happened; it becomes the schema's `doc`.")
        .example("A customer has placed an order."),
    Key::optional(
        "type",
        TEXT,
        "What the application writes into the type's column. The event's name where it is not said.",
    )
    .example("order.placed"),
    Key::required("payload", Value::Words(PAYLOAD), "What the payload is."),
    Key::optional(
        "schema",
        Value::Text(Form::Path),
        "An Avro schema, relative to the gateway file's folder, and within it: the event's, as it is. In place of `fields`.",
    )
    .example("schemas/order-placed.avsc"),
    Key::optional(
        "fields",
        Value::Opened,
        "Its fields. One with none of `from`, `expr` and `value` is opened in the payload by its name, or by `at`; the others read the row.",
    ),
];

const PAYLOAD: &[Word] = &[
    Word::new(
        "json",
        "JSON, checked against the event's fields and written in Avro.",
    ),
    Word::new(
        "avro",
        "Avro's binary form by `schema`, without a frame: checked and passed through.",
    ),
];

const UNKNOWN_TYPE: &[Word] = &[
    Word::new("fail", "The row fails, and `on_error` decides."),
    Word::new("quarantine", "It goes to the topic `<product>.quarantine`."),
    Word::new("ignore", "It is passed over."),
];

const ON_UPDATE: &[Word] = &[
    Word::new("fail", "The row fails, and `on_error` decides."),
    Word::new("warn", "It gives no event; that it came is logged."),
    Word::new("skip", "It gives no event."),
];
