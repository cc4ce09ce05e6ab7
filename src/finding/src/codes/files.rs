//! Faults in the files themselves: YAML, keys, shapes, names, secrets.

use crate::Code;

/// A file or folder that cannot be read.
pub static UNREADABLE: Code = Code {
    id: "ONR-101",
    title: "file cannot be read",
    reason: "A file that is named cannot be opened, or is not UTF-8 text. What it says would be missing from the gateway.",
    example: "products: [products/orders.yaml]\n# chmod 000 products/orders.yaml",
    remedy: "Check the path, the file's permissions and, in a container, that it is mounted.",
};

/// Text that is not YAML, or YAML that the language has no use for.
pub static YAML: Code = Code {
    id: "ONR-102",
    title: "not valid YAML",
    reason: "The text cannot be read as one YAML document. Nothing behind the fault can be trusted, so the whole file is refused.",
    example: "owner: { team: order-management\ndescription: a brace is still open",
    remedy: "Look at the line shown and the one before it. Quote texts that hold `: `, `, `, `{`, `}` or ` #`.",
};

/// A key that the language does not have.
pub static UNKNOWN_KEY: Code = Code {
    id: "ONR-103",
    title: "unknown key",
    reason: "A key that nobody reads is a mistake that nobody sees: a misspelt `optional` would change a contract in silence.",
    example: "discription: Every order of the shop.",
    remedy: "Correct the spelling, or remove the key. The reference lists every key.",
};

/// A key or word of the language that is not built yet.
pub static NOT_BUILT: Code = Code {
    id: "ONR-104",
    title: "not built yet",
    reason: "The key or word is part of the language, but this version cannot do what it says. Reading it and doing nothing would break the promise that stands in the file.",
    example: "on_error: quarantine",
    remedy: "Leave it out for now; the reference says what is delivered.",
};

/// A key that stands twice in one map.
pub static DUPLICATE_KEY: Code = Code {
    id: "ONR-105",
    title: "duplicate key",
    reason: "One of the two values would hide the other, and which one is not to be seen.",
    example: "status: active\nstatus: draft",
    remedy: "Remove one of the two, or rename it.",
};

/// A key that must be there and is not.
pub static MISSING_KEY: Code = Code {
    id: "ONR-106",
    title: "missing key",
    reason: "Without it the file does not say enough: nothing is guessed.",
    example: "product: commerce.orders.v1\nstatus: active\n# no owner",
    remedy: "Add the key; the reference shows an example of each.",
};

/// A list where a map must stand, and the like.
pub static WRONG_SHAPE: Code = Code {
    id: "ONR-107",
    title: "wrong shape",
    reason: "Each key has one shape: a text, a list or a map. There are no second spellings.",
    example: "key: order_id\n# a list: key: [order_id]",
    remedy: "Write the value in the shape that the finding names.",
};

/// A word that is not one of those that may stand here.
pub static UNKNOWN_WORD: Code = Code {
    id: "ONR-108",
    title: "unknown word",
    reason: "Only some words may stand under this key, and this is none of them.",
    example: "on_truncate: delete",
    remedy: "Use one of the words that the finding lists.",
};

/// A number, duration, size, address or other value that does not parse.
pub static BAD_VALUE: Code = Code {
    id: "ONR-109",
    title: "value cannot be read",
    reason: "The value does not have the form that the key asks for. Durations and sizes carry their unit, so that nobody has to remember which one is meant.",
    example: "drain: 20\n# drain: 20s",
    remedy: "Write it as the finding shows.",
};

/// A file that is too long, too deep or too much repeated.
pub static BOUNDS: Code = Code {
    id: "ONR-110",
    title: "file too large",
    reason: "Files are read within fixed bounds on length, depth, number of values and number of files, so that no file can exhaust the memory of the program that reads it.",
    example: "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b] # and so on",
    remedy: "Split the file. A file of one product is far below every bound.",
};

/// A path that leads out of the gateway's folder.
pub static OUTSIDE: Code = Code {
    id: "ONR-111",
    title: "outside the gateway's folder",
    reason: "Files are read from the gateway file's folder and below it only, symbolic links resolved: a file that may be written by one team must not reach into another's.",
    example: "products: [../other-team/*.yaml]",
    remedy: "Move the file below the gateway's folder, or start a gateway file where it is.",
};

/// A pattern under `products` that finds nothing.
pub static NO_FILES: Code = Code {
    id: "ONR-112",
    title: "no file found",
    reason: "A pattern or name under `products` finds no file. A gateway without products does nothing; one that lost a folder would do less than it should.",
    example: "products: [produts/**/*.yaml]",
    remedy: "Check the pattern; it is relative to the gateway file's folder.",
};

/// A first key that does not say what the file is.
pub static FIRST_KEY: Code = Code {
    id: "ONR-113",
    title: "the first key does not say what the file is",
    reason: "The file's first key (`gateway`, `product`, `fixtures` or `policy`) decides what may stand in it, so that every other fault can be told exactly.",
    example: "description: Every order.\nproduct: commerce.orders.v1",
    remedy: "Begin the file with its `product:` (or `gateway:`) line.",
};

/// A name that may not be spelt so.
pub static BAD_NAME: Code = Code {
    id: "ONR-114",
    title: "name not allowed",
    reason: "Names become names elsewhere: a gateway's the slot's, a product's the topic's and the schema's namespace, a field's the Avro field's. They are spelt so that they are the same everywhere.",
    example: "product: Commerce.Orders\n# commerce.orders.v1",
    remedy: "Spell it by the pattern that the finding shows.",
};

/// Two things of one name.
pub static DUPLICATE_NAME: Code = Code {
    id: "ONR-115",
    title: "name used twice",
    reason: "Two products of one name would write to one topic; two fields that differ in upper and lower case alone cannot be told apart in many of the languages that read them.",
    example: "orderId: { type: long, from: a }\norderid: { type: long, from: b }",
    remedy: "Rename one of the two.",
};

/// A key field that cannot be part of a key.
pub static KEY_FIELD: Code = Code {
    id: "ONR-116",
    title: "field cannot be part of the key",
    reason: "A key field is one of the product's own top-level fields, is always there, and has one spelling for one value: not optional, not left out, not a float, a list or a record.",
    example: "key: [total]\nfields:\n  total: { type: double, from: tot_amt }",
    remedy: "Choose fields that identify the thing, usually those mapped from the table's primary key.",
};

/// Personal data without a word about its protection.
pub static UNPROTECTED: Code = Code {
    id: "ONR-117",
    title: "personal data without protection",
    reason: "A field classified `personal` would be readable by everybody who may read the topic. Whoever wants that says so, with the reason.",
    example: "email: { type: string, from: email, classification: personal }",
    remedy: "Add `protect: { drop: true }`, `{ mask: { keep: 4 } }`, `{ hmac: KEY }`, `{ encrypt: KEY }` or `{ none: \"reason\" }`.",
};

/// A protection that cannot be applied.
pub static PROTECTION: Code = Code {
    id: "ONR-118",
    title: "protection does not fit",
    reason: "The protection names a key that the gateway does not declare, or the field's type cannot carry its result: an HMAC takes a text's place, a mask that of a value whose end does not tell it, and neither a mask nor encryption that of a record.",
    example: "total: { type: \"decimal(12,2)\", from: tot_amt, protect: { hmac: pii_2026 } }",
    remedy: "Declare the key under the gateway file's `keys`, or choose another protection.",
};

/// An enum whose symbols do not agree.
pub static ENUM_SYMBOL: Code = Code {
    id: "ONR-119",
    title: "enum symbols do not agree",
    reason: "`otherwise` must give something that readers of the schema know, and `values` says which codes give which symbol.",
    example: "values: { \"N\": NEW }\notherwise: { value: OTHER }",
    remedy: "Use one of the symbols of `values`, or the `default`.",
};

/// Not exactly one of `from` and `expr`.
pub static FIELD_SOURCE: Code = Code {
    id: "ONR-120",
    title: "a field has one source",
    reason: "A value comes from a column (`from`), from an expression (`expr`) or from the file (`value`): from exactly one of them. What stands in an array's element or in a record that may be null comes from there, not from the row.",
    example: "order_id: { type: long, from: ord_no, expr: row.ord_no }",
    remedy: "Keep one of the two.",
};

/// A decimal out of bounds.
pub static DECIMAL: Code = Code {
    id: "ONR-121",
    title: "decimal out of bounds",
    reason: "A decimal has 1 to 38 digits in all, and no more of them behind the point than in all.",
    example: "total: { type: \"decimal(2,5)\", from: tot_amt }",
    remedy: "Write `decimal(PRECISION,SCALE)`, e.g. `decimal(12,2)`.",
};

/// `parse`, `zone` and `ambiguous` that do not go together.
pub static PARSE: Code = Code {
    id: "ONR-122",
    title: "text date cannot be read so",
    reason: "A text becomes a moment in time only if its format gives every part of it and its zone is known: by the format's own offset or by `zone`.",
    example: "placed_at: { type: timestamp, from: ord_dt, parse: \"%Y%m%d\" }",
    remedy: "Complete the format; add `zone: Europe/London` (an IANA name) to a timestamp whose text has no offset.",
};

/// A key that exists, but not beside this kind or type.
pub static MISPLACED_KEY: Code = Code {
    id: "ONR-123",
    title: "key does not belong here",
    reason: "What may stand beside `kind` or `type` depends on it. The key exists, but says nothing here.",
    example: "order_id: { type: long, from: ord_no, zone: Europe/London }",
    remedy: "Remove the key, or change the type.",
};

/// A secret in a file.
pub static SECRET_IN_FILE: Code = Code {
    id: "ONR-124",
    title: "secret in a file",
    reason: "Files are committed, copied and shown; a secret in one is a secret no more. Findings never show it again.",
    example: "password: hunter2",
    remedy: "Write `{ env: NAME }` or `{ file: /run/secrets/x }`, and change the secret that stood there.",
};

/// A setting that names no key of the gateway file.
pub static UNKNOWN_SETTING: Code = Code {
    id: "ONR-125",
    title: "setting names no key",
    reason: "An environment variable `ONRAMP_…` or a `--set` sets a key of the gateway file by its path. This one leads nowhere.",
    example: "$ ONRAMP_SOURCE__ULR=postgres://onramp@db/shop onramp check",
    remedy: "`ONRAMP_SOURCE__URL` and `--set source.url=…` set `url` under `source`; correct the path or remove the setting.",
};

/// A property that the gateway sets itself.
pub static OWNED_PROPERTY: Code = Code {
    id: "ONR-126",
    title: "property belongs to the gateway",
    reason: "The promise of exactly once rests on this property of the Kafka client, or it has a key of its own in the gateway file.",
    example: "kafka:\n  properties: { enable.idempotence: false }",
    remedy: "Remove it from `kafka.properties`.",
};

/// Limits that contradict each other.
pub static LIMITS: Code = Code {
    id: "ONR-127",
    title: "limits contradict each other",
    reason: "A row must fit into a chunk, and a chunk into the queue; else the largest one that is allowed could never pass.",
    example: "limits: { row: 16MiB, chunk: 8MiB }",
    remedy: "Raise the larger limit or lower the smaller one.",
};

/// A product that is read but not published.
pub static UNPUBLISHED_DRAFT: Code = Code {
    id: "ONR-128",
    title: "draft is not published",
    reason: "A product with `status: draft` is checked, but published only by a gateway that says `drafts: true`.",
    example: "status: draft",
    remedy: "Set `status: active` when it is ready, or `drafts: true` in the gateway file of a test system.",
};

/// Commands taken from anybody.
pub static OPEN_ADMIN: Code = Code {
    id: "ONR-129",
    title: "commands taken from anybody",
    reason: "The admin endpoint starts back-fills. On an address that others reach it must know who calls.",
    example: "admin: { listen: \"0.0.0.0:8081\" }",
    remedy: "Listen on 127.0.0.1, or add `admin.token`.",
};

/// A changed mapping does not reach what was published.
pub static KEPT_MAPPING: Code = Code {
    id: "ONR-130",
    title: "events of an older mapping stay",
    reason: "With `on_mapping_change: keep` a changed mapping holds for changes from then on. A key whose row does not change keeps the event that the older mapping gave.",
    example: "on_mapping_change: keep",
    remedy: "Write `on_mapping_change: backfill` to have every row published again; `onramp backfill PRODUCT` does the same later.",
};

/// A condition that no change fulfils.
pub static NEVER: Code = Code {
    id: "ONR-135",
    title: "condition that never holds",
    reason: "The condition compares `op` with words that no change has, or with two at once: the event would never come.",
    example: "when: op == \"upsert\"",
    remedy: "Compare `op` with \"insert\", \"update\" or \"delete\".",
};

/// A lookup that cannot be used.
pub static LOOKUP: Code = Code {
    id: "ONR-137",
    title: "lookup cannot be used",
    reason: "A lookup's file lists each code once, with a value for it: CSV with the columns `code` and `value`, or a YAML map. A code that is not listed does what `otherwise` says.",
    example: "lookup: { file: lookups/countries.txt }",
    remedy: "Name a `.csv` or `.yaml` file within the gateway's folder, and mend what is wrong in it.",
};

/// A constant of another type than its field.
pub static CONSTANT: Code = Code {
    id: "ONR-138",
    title: "text is no value of the field's type",
    reason: "A value that stands in a file is read once, by the type of its field, and exactly.",
    example: "rate: { type: \"decimal(5,2)\", value: \"0.175\" }",
    remedy: "Write a value of the type, or change the type.",
};

/// A path into a value that is no JSON.
pub static JSON_PATH: Code = Code {
    id: "ONR-139",
    title: "value cannot be opened as JSON",
    reason: "`at` says where in a column's JSON the field's value stands; it belongs beside `from`, and the type must be one that JSON can hold.",
    example: "photo: { type: bytes, from: doc, at: photo }",
    remedy: "Use `at` beside `from`, with a type that JSON has a value for.",
};

/// Fixtures of a product that is not there.
pub static FIXTURES_OF_NOTHING: Code = Code {
    id: "ONR-140",
    title: "fixtures of no product",
    reason: "Tests that name no product of the gateway test nothing, and nobody sees that they do not.",
    example: "fixtures: commerce.order.v2 # the product is commerce.orders.v2",
    remedy: "Correct the name, or remove the file.",
};

/// An Avro schema that cannot be used.
pub static AVRO_FILE: Code = Code {
    id: "ONR-141",
    title: "Avro schema cannot be used",
    reason: "An event's `schema` is a file with the Avro schema of one record, and what is not Avro no registry takes. What a JSON payload is checked against is what JSON says in one way: values, enums, records, arrays, maps, and null beside one of them; no bytes but decimals, and no other unions.",
    example: "schema: schemas/order-placed.avsc # with `bytes` among its fields",
    remedy: "Name an `.avsc` file within the gateway's folder; write the event's `fields` in the product's file where the schema has more than they can.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &UNREADABLE,
    &YAML,
    &UNKNOWN_KEY,
    &NOT_BUILT,
    &DUPLICATE_KEY,
    &MISSING_KEY,
    &WRONG_SHAPE,
    &UNKNOWN_WORD,
    &BAD_VALUE,
    &BOUNDS,
    &OUTSIDE,
    &NO_FILES,
    &FIRST_KEY,
    &BAD_NAME,
    &DUPLICATE_NAME,
    &KEY_FIELD,
    &UNPROTECTED,
    &PROTECTION,
    &ENUM_SYMBOL,
    &FIELD_SOURCE,
    &DECIMAL,
    &PARSE,
    &MISPLACED_KEY,
    &SECRET_IN_FILE,
    &UNKNOWN_SETTING,
    &OWNED_PROPERTY,
    &LIMITS,
    &UNPUBLISHED_DRAFT,
    &OPEN_ADMIN,
    &KEPT_MAPPING,
    &NEVER,
    &LOOKUP,
    &CONSTANT,
    &JSON_PATH,
    &FIXTURES_OF_NOTHING,
    &AVRO_FILE,
];
