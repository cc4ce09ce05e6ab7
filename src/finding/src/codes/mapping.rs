//! A mapping that does not fit its table.

use crate::Code;

/// Column does not exist.
pub static COLUMN_UNKNOWN: Code = Code {
    id: "ONR-301",
    title: "column does not exist",
    reason: "A product maps a column that its table does not have.",
    example: "from: ord_nr",
    remedy: "Name a column that the table has.",
};

/// Column's type is not carried.
pub static COLUMN_UNSUPPORTED: Code = Code {
    id: "ONR-302",
    title: "column's type is not carried",
    reason: "Values of this type cannot be carried without guessing, so no product may map the column.",
    example: "from: location",
    remedy: "Leave the column out, or have the database show it as a type that is carried, e.g. by a generated column.",
};

/// Type cannot be converted.
pub static TYPE_MISMATCH: Code = Code {
    id: "ONR-303",
    title: "type cannot be converted",
    reason: "A column's values are converted to the field's type only where nothing can be lost.",
    example: "total: { type: int, from: tot_amt }",
    remedy: "Choose a type that holds every value of the column, or convert with expr.",
};

/// Nullable column in a required field.
pub static NULLABLE: Code = Code {
    id: "ONR-304",
    title: "nullable column in a required field",
    reason: "The column may be null and the field may not. A row with a null there fails.",
    example: "email: { type: string, from: email }",
    remedy: "Say optional: true, or give a value with expr, e.g. row.email.orElse(\"\").",
};

/// Key may not tell rows apart.
pub static KEY_NOT_UNIQUE: Code = Code {
    id: "ONR-306",
    title: "key may not tell rows apart",
    reason: "Two rows with one key would overwrite each other in the topic. The key must hold every column of a unique index that covers every row, unchanged or converted one to one.",
    example: "key: [customer_id]",
    remedy: "Add the missing fields to the key, or say why it is unique: key_unique: { reason: ... }.",
};

/// Key cannot be computed from the old row.
pub static KEY_NOT_IN_BEFORE: Code = Code {
    id: "ONR-307",
    title: "key cannot be computed from the old row",
    reason: "A delete brings only the columns of the replica identity. A key field that needs others could not be computed, and the delete would be lost.",
    example: "key: [reference]",
    remedy: "Build the key from the replica identity's columns, or set REPLICA IDENTITY FULL.",
};

/// Key rests on a deferrable index.
pub static KEY_DEFERRABLE: Code = Code {
    id: "ONR-308",
    title: "key rests on a deferrable index",
    reason: "Within a transaction a deferrable index lets two rows hold one key, so that a key move's tombstone could erase the other row.",
    example: "ALTER TABLE ordr_hdr ADD PRIMARY KEY (ord_no) DEFERRABLE;",
    remedy: "Use a key on an index that is not deferrable, or make the constraint NOT DEFERRABLE.",
};

/// Codes do not fit the column.
pub static CODES: Code = Code {
    id: "ONR-310",
    title: "codes do not fit the column",
    reason: "The codes under values are compared with the column's own labels.",
    example: "values: { \"N\": NEW }",
    remedy: "List every label of the column, or say otherwise.",
};

/// Protection key is missing.
pub static KEY_MISSING: Code = Code {
    id: "ONR-311",
    title: "protection key is missing",
    reason: "A field is protected by a key that was not handed over.",
    example: "protect: { hmac: pii_2026 }",
    remedy: "Declare the key under keys in the gateway file.",
};

/// Old rows are not in the log.
pub static NO_BEFORE_IMAGE: Code = Code {
    id: "ONR-312",
    title: "old rows are not in the log",
    reason: "Without a replica identity updates and deletes cannot be followed.",
    example: "ALTER TABLE ordr_hdr REPLICA IDENTITY NOTHING;",
    remedy: "Give the table a primary key, or set a replica identity.",
};

/// Mapped column changed.
pub static TABLE_CHANGED: Code = Code {
    id: "ONR-313",
    title: "mapped column changed",
    reason: "The table no longer has a mapped column as the mapping was checked with. Going on would publish wrong or missing values.",
    example: "ALTER TABLE ordr_hdr RENAME COLUMN ord_stat TO status; -- while from: ord_stat maps it",
    remedy: "Adapt the product's file to the table and start again: the gateway goes on where it stopped.",
};

/// Field cannot stand in a key.
pub static KEY_FIELD: Code = Code {
    id: "ONR-314",
    title: "field cannot stand in a key",
    reason: "A key field is a required, published field of the product that holds one exact value.",
    example: "key: [address]",
    remedy: "Name required fields of a scalar type other than float and double.",
};

/// Column has no declared precision.
pub static DECIMAL_OPEN: Code = Code {
    id: "ONR-316",
    title: "column has no declared precision",
    reason: "The column's values may have more digits than the field holds. A row that does fails.",
    example: "total: { type: \"decimal(12,2)\", from: amount }",
    remedy: "Declare the column as numeric(p,s), or choose a precision that surely suffices.",
};

/// Value cannot be carried.
pub static ROW_VALUE: Code = Code {
    id: "ONR-320",
    title: "value cannot be carried",
    reason: "A row holds a value that the product's field cannot hold without loss.",
    example: "total: { type: \"decimal(5,2)\", from: amount } # a row holds 1000.00",
    remedy: "Correct the row, or widen the field's type. The gateway never shows the value itself.",
};

/// Null in a required field.
pub static ROW_NULL: Code = Code {
    id: "ONR-321",
    title: "null in a required field",
    reason: "A row holds null where the product's field is required.",
    example: "total: { type: \"decimal(12,2)\", from: tot_amt } # a row holds null; optional: true is missing",
    remedy: "Make the field optional, or give nulls a value with expr.",
};

/// Event too large.
pub static ROW_TOO_LARGE: Code = Code {
    id: "ONR-322",
    title: "event too large",
    reason: "An event with its headers is larger than limits.row.",
    example: "limits: { row: 64KiB } # a row's remarks alone are 80 KiB",
    remedy: "Raise limits.row, or map fewer or shorter columns.",
};

/// Value is not in the log.
pub static ROW_LEFT_OUT: Code = Code {
    id: "ONR-323",
    title: "value is not in the log",
    reason: "The change left an out-of-line value as it was, and the log does not repeat it. A placeholder or a later value would be wrong.",
    example: "UPDATE ordr_hdr SET ord_stat = 'P' WHERE ord_no = 7; -- rmk, mapped too, is 40 KB long and stays as it was",
    remedy: "Set REPLICA IDENTITY FULL on the table, or do not map the column.",
};

/// Code is not listed.
pub static ROW_CODE: Code = Code {
    id: "ONR-324",
    title: "code is not listed",
    reason: "A row holds a code that values, or the lookup's file, does not list, and otherwise says fail.",
    example: "status: { type: enum, from: ord_stat, values: { \"N\": NEW }, otherwise: fail } # a row holds Q",
    remedy: "List the code, or say otherwise: { value: ... }.",
};

/// Table was truncated.
pub static TRUNCATED: Code = Code {
    id: "ONR-325",
    title: "table was truncated",
    reason: "TRUNCATE removed rows without naming them, so no tombstones can be given.",
    example: "TRUNCATE ordr_hdr;",
    remedy: "Say on_truncate: ignore to go on and keep the last state of each key.",
};

/// Text is not a date or time of the format.
pub static ROW_TIME: Code = Code {
    id: "ONR-326",
    title: "text is not a date or time of the format",
    reason: "A row holds text that parse does not describe, or a local time that is ambiguous or does not exist.",
    example: "opened: { type: date, from: opn_dt, parse: \"%Y%m%d\" } # a row holds 20230229",
    remedy: "Correct the row or the format; say ambiguous: earlier or later.",
};

/// Row cannot be read.
pub static ROW_UNREADABLE: Code = Code {
    id: "ONR-327",
    title: "row cannot be read",
    reason: "A row of the log is not of the form that its table has.",
    example: "error[ONR-327]: row cannot be read: field total",
    remedy: "Report it with the position; the gateway never guesses.",
};

/// The old row is needed.
pub static OLD_ROW_NEEDED: Code = Code {
    id: "ONR-328",
    title: "old row needed",
    reason: "Facts that compare a row with what it was, or tell of a deleted one, need the old row's columns in the log.",
    example: "when: op == \"update\" && before.ord_stat != \"S\"   # of a table with REPLICA IDENTITY DEFAULT",
    remedy: "Have the log hold whole old rows, on PostgreSQL: ALTER TABLE ... REPLICA IDENTITY FULL; it writes more log. Or let the event do without `before`.",
};

/// Tables that the key does not tell apart.
pub static TABLES_ALIKE: Code = Code {
    id: "ONR-330",
    title: "key does not tell the tables apart",
    reason: "A product reads several tables, and nothing in its key says which one a row is of: rows of two tables would overwrite each other, and a delete in one would take the other's away.",
    example: "source: { tables: [\"shop_*.ordr_hdr\"] } # key: [order_id], and each shop counts its orders from 1",
    remedy: "Add a field to the key that is made of table.schema or table.name, e.g. shop: { type: string, expr: table.schema }; or, where a key stands in one table at a time, say moves: true.",
};

/// A filter needs old rows where rows move.
pub static MOVES_NEED_OLD_ROW: Code = Code {
    id: "ONR-331",
    title: "filter needs the old row",
    reason: "A row that the filter never let through must not give a tombstone: its key may stand in another table. Only the old row tells what it was.",
    example: "source: { tables: [public.ordr, public.ordr_arch], where: row.del_flg != \"Y\" } # moves: true, REPLICA IDENTITY DEFAULT",
    remedy: "Have the log hold whole old rows, on PostgreSQL: ALTER TABLE ... REPLICA IDENTITY FULL; or leave the filter out.",
};

/// A key in two tables.
pub static KEY_IN_TWO_TABLES: Code = Code {
    id: "ONR-332",
    title: "key stands in two tables",
    reason: "With moves: true a key stands in one table at most whenever a transaction commits. One wrote a key into two: which of them holds cannot be told.",
    example: "BEGIN; INSERT INTO ordr_arch SELECT * FROM ordr WHERE ord_no = 7; UPDATE ordr SET rmk = 'kept' WHERE ord_no = 7; COMMIT;",
    remedy: "Delete the row where it came from in the transaction that copies it; where a key may stand in both, make table.name a part of the key, in a new version.",
};

/// What a row was moved to cannot be told.
pub static MOVE_UNCLEAR: Code = Code {
    id: "ONR-333",
    title: "moved row cannot be told",
    reason: "A transaction wrote a key into two tables and removed the row that it wrote last: the log does not repeat what the other one holds.",
    example: "BEGIN; INSERT INTO ordr_arch …; INSERT INTO ordr … the same key; DELETE FROM ordr …; COMMIT;",
    remedy: "Write the row that stays last. Where the application does so for good, make table.name a part of the key, in a new version.",
};

/// More keys than are remembered.
pub static MOVES_FORGOTTEN: Code = Code {
    id: "ONR-334",
    title: "transaction wrote more keys than are remembered",
    reason: "With moves: true a deleted row may stand in another table by then. This transaction wrote more keys of another table than limits.moved_keys holds, so that it cannot be told.",
    example: "INSERT INTO ordr_arch SELECT * FROM ordr; DELETE FROM ordr; -- ten million rows in one transaction",
    remedy: "Raise limits.moved_keys in the gateway file: some 170 bytes a key. Moving rows in smaller transactions keeps within it.",
};

/// JSON does not give the field's value.
pub static ROW_JSON: Code = Code {
    id: "ONR-335",
    title: "JSON does not give the field's value",
    reason: "A row's JSON holds a value of another type than the field opens it as, a number that it cannot hold, or is no JSON at all.",
    example: "qty: { type: long, from: doc, at: qty } # a row's doc is {\"qty\": \"3\"}",
    remedy: "Choose the type that the JSON has, or open it in an expression that deals with such rows, e.g. int(jsonString(row.doc, \"qty\").orElse(\"0\")).",
};

/// An outbox's event of a type that its product does not have.
pub static UNKNOWN_EVENT: Code = Code {
    id: "ONR-336",
    title: "event of an unknown type",
    reason: "The type's column of an outbox's row holds none of the types that the product's `events` have: its schema is not known.",
    example: "events: { OrderPlaced: … }   # and the application writes OrderPayed",
    remedy: "Add the event to the product, or say what such rows do: `unknown_type: quarantine`, or `ignore`; where the table holds other products' events, leave them out with `source.where`.",
};

/// An outbox's row was changed.
pub static EVENT_UPDATED: Code = Code {
    id: "ONR-337",
    title: "event changed after it was written",
    reason: "A row of the outbox was updated: its event was published when it was inserted, and never changes.",
    example: "UPDATE outbox SET payload = … WHERE id = …",
    remedy: "Let the application write another event; where its updates mean nothing (a mark that the row was read), say `on_update: skip`, or `warn`.",
};

/// A payload that is not what its schema says.
pub static ROW_PAYLOAD: Code = Code {
    id: "ONR-338",
    title: "payload is not Avro by its schema",
    reason: "An outbox's payload that is to be passed through is not the binary form of one record of the event's schema, to its last byte.",
    example: "OrderPlaced: { payload: avro, schema: schemas/order-placed.avsc } # of another version",
    remedy: "Write the record's binary form alone, without a registry's frame in front, by the schema that the product names.",
};

/// Rows that were there before, of a table without a key.
pub static ROWS_NAMELESS: Code = Code {
    id: "ONR-339",
    title: "rows that were there cannot be told apart",
    reason: "`history: insert` tells each row that was there before once, and none that the log has brought: that takes columns that name a row, a primary key or another unique index that covers every row, is checked at once, and whose columns can be read; and old rows in the log that hold them, lest a row that gets another key be told twice.",
    example: "kind: events\nhistory: insert   # of a table without a primary key",
    remedy: "Give the table a primary key; where it has one and REPLICA IDENTITY names another index, set REPLICA IDENTITY DEFAULT or FULL; or write `history: none`.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &COLUMN_UNKNOWN,
    &COLUMN_UNSUPPORTED,
    &TYPE_MISMATCH,
    &NULLABLE,
    &KEY_NOT_UNIQUE,
    &KEY_NOT_IN_BEFORE,
    &KEY_DEFERRABLE,
    &CODES,
    &KEY_MISSING,
    &NO_BEFORE_IMAGE,
    &TABLE_CHANGED,
    &KEY_FIELD,
    &DECIMAL_OPEN,
    &ROW_VALUE,
    &ROW_NULL,
    &ROW_TOO_LARGE,
    &ROW_LEFT_OUT,
    &ROW_CODE,
    &TRUNCATED,
    &ROW_TIME,
    &ROW_UNREADABLE,
    &OLD_ROW_NEEDED,
    &TABLES_ALIKE,
    &MOVES_NEED_OLD_ROW,
    &KEY_IN_TWO_TABLES,
    &MOVE_UNCLEAR,
    &MOVES_FORGOTTEN,
    &ROW_JSON,
    &UNKNOWN_EVENT,
    &EVENT_UPDATED,
    &ROW_PAYLOAD,
    &ROWS_NAMELESS,
];
