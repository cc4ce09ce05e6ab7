//! What a dry run finds.

use crate::Code;

/// Rows that a mapping cannot carry.
pub static ROWS_FAIL: Code = Code {
    id: "ONR-746",
    title: "rows would fail",
    reason: "The table has rows, or its log changes, that the mapping cannot carry. A run stops at the first of them.",
    example: "status: { type: enum, from: ord_stat, values: { N: NEW } } # and the table has P, too",
    remedy: "Mend the mapping, or the rows; the reason's own code has a page.",
};

/// An event that its own schema does not read.
pub static READ_OTHERWISE: Code = Code {
    id: "ONR-747",
    title: "event not read back",
    reason: "An event was read by the schema that would be registered, with a library that consumers use, and what came out is not what was written. This is a fault of the program itself.",
    example: "error[ONR-747]: 1 of 1000 events of commerce.orders.v1 is not read back as it was written",
    remedy: "Report the message and the product's file.",
};

/// Changes that cannot be followed.
pub static NOT_FOLLOWED: Code = Code {
    id: "ONR-748",
    title: "changes not followed",
    reason: "To follow changes takes a slot, if only a temporary one: a role with REPLICATION, a free slot, wal_level = logical, and no transaction that stays open. Rows were looked at all the same.",
    example: "$ onramp dry-run --follow 30s # as a role without REPLICATION",
    remedy: "Do what the reason says, or go without `--follow`.",
};

/// A product that is named and cannot be looked at.
pub static NOT_TO_LOOK_AT: Code = Code {
    id: "ONR-749",
    title: "no such product",
    reason: "A product that the command names is not among the files, or has no rows to look at.",
    example: "$ onramp dry-run commerce.order.v1 # the product is commerce.orders.v1",
    remedy: "Name a product whose file the gateway's `products` finds and that is not retired.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[&ROWS_FAIL, &READ_OTHERWISE, &NOT_FOLLOWED, &NOT_TO_LOOK_AT];
