//! The keys of a product file and of its fields.

use super::outbox::OUTBOX;
use super::{Case, Cases, Form, Key, Value, Word};

const TEXT: Value = Value::Text(Form::Text);

/// The product file: `kind` decides.
pub(crate) static PRODUCT: Cases = Cases {
    by: "kind",
    common: &[
        Key::required(
            "product",
            Value::Text(Form::ProductName),
            "Domain, name and version. It is the topic's name and, in PascalCase, the schema's.",
        )
        .example("commerce.orders.v2"),
        Key::optional("status", Value::Words(STATUS), "Where the product is in its life.").default("draft"),
        Key::optional("owner", Value::Map(OWNER), "Who answers for it. Required unless the product is a draft or retired."),
        Key::optional("description", TEXT, "What it is, for those who look for data. Required unless the product is a draft or retired.")
            .example("Every order of the shop, as it stands now."),
        Key::optional("sla", Value::Map(SLA), "What its readers may count on."),
        Key::optional("compatibility", Value::Words(COMPATIBILITY), "What a change of its schema may do; written to the registry before the first version.")
            .default("full_transitive"),
        Key::optional("kind", Value::Words(KINDS), "What its events are. Required unless the product is retired.").example("entity"),
        Key::later("derive_from", "The newer version of which this one is a mapping."),
        Key::later("successor", "The product that takes its place."),
        Key::later("sunset", "The day at whose end (UTC) a deprecated product ends."),
    ],
    cases: &[
        Case {
            title: "kind: entity",
            words: &["entity"],
            keys: ENTITY,
        },
        Case {
            title: "kind: events",
            words: &["events"],
            keys: EVENTS,
        },
        Case {
            title: "kind: outbox",
            words: &["outbox"],
            keys: OUTBOX,
        },
    ],
};

const STATUS: &[Word] = &[
    Word::new(
        "draft",
        "Checked, but published only by a gateway with `drafts: true`.",
    ),
    Word::new("active", "Published."),
    Word::later(
        "deprecated",
        "Published until its sunset; names its successor.",
    ),
    Word::new(
        "retired",
        "No longer published; its topic stays. Nothing but `product` and `status` is needed.",
    ),
];

const OWNER: &[Key] = &[
    Key::required("team", TEXT, "The team.").example("order-management"),
    Key::required("contact", TEXT, "How it is reached.").example("orders@shop.test"),
];

const SLA: &[Key] = &[
    Key::optional(
        "tier",
        Value::Text(Form::Integer(1, 5)),
        "How important it is; 1 is the most.",
    )
    .example("1"),
    Key::optional(
        "freshness",
        Value::Text(Form::Duration),
        "How old an event may be when it is published.",
    )
    .example("5s"),
    Key::optional(
        "retention",
        Value::Text(Form::Retention),
        "How long events stay: `forever`, or a duration.",
    )
    .example("forever"),
];

const COMPATIBILITY: &[Word] = &[
    Word::new("none", "Anything may change."),
    Word::new(
        "backward",
        "A new reader reads what the version before wrote.",
    ),
    Word::new(
        "backward_transitive",
        "A new reader reads everything there is.",
    ),
    Word::new(
        "forward",
        "A reader of the version before reads what is written now.",
    ),
    Word::new(
        "forward_transitive",
        "Every reader there was reads what is written now.",
    ),
    Word::new("full", "Both, with the version before."),
    Word::new(
        "full_transitive",
        "Both, with every version. Consumers read a product's history from its start.",
    ),
];

const KINDS: &[Word] = &[
    Word::new(
        "entity",
        "The latest state of a thing under its key; a delete is a tombstone.",
    ),
    Word::new(
        "events",
        "Facts that follow from how rows change, in the order in which they did.",
    ),
    Word::new("outbox", "Events that the application already writes."),
];

const KEY: Key = Key::optional(
    "key",
    Value::List(&Value::Text(Form::FieldName)),
    "The fields that identify the thing, in order. Required unless the product is retired.",
)
.example("[order_id]");
const KEY_FORMAT: Key = Key::optional(
    "key_format",
    Value::Words(KEY_FORMATS),
    "How the key's bytes are made.",
)
.default("string");
const ROW_ERROR: Key = Key::optional(
    "on_error",
    Value::Words(ON_ERROR),
    "What a row does that cannot be translated.",
)
.default("stop");
pub(super) const TRUNCATE: Key = Key::optional(
    "on_truncate",
    Value::Words(ON_TRUNCATE),
    "What a TRUNCATE of the table does.",
)
.default("stop");
pub(super) const MAPPING_CHANGE: Key = Key::optional(
    "on_mapping_change",
    Value::Words(ON_MAPPING_CHANGE),
    "What becomes of events that an older mapping gave. A published product whose mapping changed needs it.",
);
/// Of facts and outboxes, which are told once.
pub(super) const KEPT_MAPPING: Key = Key::optional(
    "on_mapping_change",
    Value::Words(ON_KEPT_MAPPING),
    "Says that a changed mapping is meant. A published product whose mapping changed needs it.",
);
/// Of facts and outboxes.
pub(super) const ROWS_BEFORE: Key = Key::optional(
    "history",
    Value::Words(HISTORY),
    "What becomes of rows that were there before the product was first run. It is decided once: a product that was published without them stays so.",
)
.default("none");
const TOAST: Key = Key::optional(
    "unchanged_toast",
    Value::Words(UNCHANGED_TOAST),
    "Accepts a table whose updates may leave a large value out, which would be refused otherwise.",
);

const ENTITY: &[Key] = &[
    Key::optional(
        "source",
        Value::Map(ENTITY_SOURCE),
        "Where its rows come from. Required unless the product is retired.",
    ),
    KEY,
    KEY_FORMAT,
    Key::optional(
        "key_unique",
        Value::Map(KEY_UNIQUE),
        "Says that the key tells rows apart though no index of the table proves it. It must at every moment, after each statement as at each commit: of two rows with one key the topic keeps the one told last, and when one of them goes, its tombstone takes the key away.",
    ),
    ROW_ERROR,
    TRUNCATE,
    MAPPING_CHANGE,
    TOAST,
    Key::optional(
        "fields",
        Value::Fields,
        "The fields, in the order of the schema. Required unless the product is retired.",
    ),
    Key::optional(
        "moves",
        Value::Words(&[Word::new("true", "It may, within one transaction.")]),
        "Whether a row may move from one of several tables to another. Needed where the key does not tell the tables apart; at each commit a key stands in one table at most.",
    ),
    Key::later(
        "children",
        "Tables whose rows become lists within this one.",
    ),
];

/// Facts.
const EVENTS: &[Key] = &[
    Key::optional(
        "source",
        Value::Map(&[TABLE, TABLES]),
        "Whose changes they follow from. Required unless the product is retired.",
    ),
    KEY,
    KEY_FORMAT,
    ROW_ERROR,
    TRUNCATE,
    KEPT_MAPPING,
    TOAST,
    Key::optional(
        "events",
        Value::Named(Form::EventName, &Value::Map(EVENT)),
        "The types of facts, by name. A change gives none, one or several, in this order. Required unless the product is retired.",
    ),
    ROWS_BEFORE,
];

const EVENT: &[Key] = &[
    Key::optional("doc", TEXT, "What has happened; it becomes the schema's `doc`.")
        .example("A customer has placed an order."),
    Key::optional(
        "when",
        Value::Text(Form::Expression),
        "An expression over `before`, `after`, `op` (`\"insert\"`, `\"update\"`, `\"delete\"`) and `tx`: which changes give it. Every one where it is not said.",
    )
    .example("op == \"update\" && before.ord_stat != \"S\" && after.ord_stat == \"S\""),
    Key::required(
        "fields",
        Value::Fields,
        "Its fields, the key's among them. `from` is the row as it is after the change; of a delete, as it was.",
    ),
];

const TABLE: Key = Key::optional(
    "table",
    Value::Text(Form::Table),
    "Schema and table. Exactly one of `table` and `tables`.",
)
.example("public.ordr_hdr");
pub(super) const TABLES: Key = Key::optional(
    "tables",
    Value::List(&Value::Text(Form::Tables)),
    "Several tables with the columns that are mapped: shards, years, schemas. Schema and table of each, `*` in either for any letters.",
)
.example("[\"shop_*.ordr_hdr\"]");

const ENTITY_SOURCE: &[Key] = &[
    TABLE,
    TABLES,
    Key::optional(
        "where",
        Value::Text(Form::Expression),
        "An expression over `row`: which rows are things of this product. A row that no longer is becomes a tombstone.",
    )
    .example("row.del_flg != \"Y\""),
];

const KEY_FORMATS: &[Word] = &[
    Word::new("string", "One field: its text; several: a JSON array."),
    Word::new("avro", "An Avro record in the registry's framing."),
];

const KEY_UNIQUE: &[Key] = &[Key::required("reason", TEXT, "Why it does.")
    .example("the application numbers orders across all shops")];

pub(super) const ON_ERROR: &[Word] = &[
    Word::new("stop", "The gateway stops before it."),
    Word::new(
        "quarantine",
        "It goes to the topic `<product>.quarantine` with its context, in the same Kafka transaction, and the gateway goes on.",
    ),
];

const ON_TRUNCATE: &[Word] = &[
    Word::new("stop", "The gateway stops before it."),
    Word::new("ignore", "It is passed over: what was published stays."),
];

const ON_MAPPING_CHANGE: &[Word] = &[
    Word::new(
        "backfill",
        "Every row is published again, by the new mapping.",
    ),
    Word::new(
        "keep",
        "They stay: a key that does not change keeps the event that the older mapping gave.",
    ),
];

const ON_KEPT_MAPPING: &[Word] = &[
    Word::new(
        "keep",
        "What was told stays; the new mapping holds from the change on.",
    ),
    Word::new(
        "backfill",
        "Refused here: what is told once is not told again.",
    ),
];

const HISTORY: &[Word] = &[
    Word::new("none", "They give no events."),
    Word::new(
        "insert",
        "Each is published once, as if it were inserted; `tx` is null.",
    ),
];

const UNCHANGED_TOAST: &[Word] = &[Word::new(
    "stop",
    "The gateway stops before an update that leaves out a value it needs.",
)];

/// How a field is protected.
pub(super) const PROTECT: &[Key] = &[
    Key::optional(
        "drop",
        Value::Words(&[Word::new("true", "Yes.")]),
        "The field is left out of schema and events.",
    ),
    Key::optional(
        "hmac",
        Value::Text(Form::SecretName),
        "HMAC-SHA-256 under the gateway's key of this name: equal values stay equal.",
    )
    .example("pii_2026"),
    Key::optional(
        "mask",
        Value::Map(MASK),
        "Four stars and the last characters of the value's text; a text.",
    )
    .example("{ keep: 4 }"),
    Key::optional(
        "encrypt",
        Value::Text(Form::SecretName),
        "AES-SIV under the gateway's key of this name, for consumers who have it; a text. Equal values of the field stay equal.",
    )
    .example("crm_2026"),
    Key::optional("none", TEXT, "It is published as it is, for this reason.")
        .example("\"published in the trade register\""),
];

const MASK: &[Key] = &[Key::required(
    "keep",
    Value::Text(Form::Integer(0, 64)),
    "How many characters stay; a value that has no more is masked whole.",
)
.example("4")];
