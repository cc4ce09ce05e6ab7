//! Released contracts: what `contracts.lock`, or an earlier revision, holds against the files.

use crate::Code;

/// A schema that may not follow a released one.
pub static RELEASED_BREAKS: Code = Code {
    id: "ONR-620",
    title: "contract breaks a released one",
    reason: "Consumers were told that they can read the product by the released contract at its level of compatibility. docs/evolution.md lists the rules.",
    example: "total: { type: \"decimal(12,3)\", from: tot_amt } # released as decimal(12,2)",
    remedy: "Make the change a compatible one, as the finding says, or start a new version of the product in a file of its own.",
};

/// A key's fields or format may not change.
pub static RELEASED_KEY: Code = Code {
    id: "ONR-621",
    title: "released key changed",
    reason: "Another key gives other bytes: events of one thing would go to another partition, out of order, and would never be compacted with its earlier ones.",
    example: "key: [order_id, line_no] # released as [order_id]",
    remedy: "Restore key, key_format and the key fields' types, or start a new version of the product.",
};

/// A promise of compatibility may not become weaker.
pub static RELEASED_LEVEL: Code = Code {
    id: "ONR-622",
    title: "promised compatibility weakened",
    reason: "Consumers chose how they read by the level that the contract was released with. A level that promises less takes back what they rely on.",
    example: "compatibility: backward # released as full_transitive",
    remedy: "Restore compatibility, or start a new version of the product.",
};

/// A released product that no file describes.
pub static RELEASED_GONE: Code = Code {
    id: "ONR-623",
    title: "released product without a file",
    reason: "A product that consumers read would end without a word to them.",
    example: "$ git rm products/orders.yaml",
    remedy: "Restore the file; `status: retired` ends a product for all to see. Once nobody reads it, take it out of contracts.lock by hand.",
};

/// A contract that was not released, in a folder where contracts are.
pub static NOT_RELEASED: Code = Code {
    id: "ONR-624",
    title: "contract not released",
    reason: "The contract is published, and contracts.lock does not hold it as it is: the next change is held against an older contract, or against none.",
    example: "$ onramp check\ninfo[ONR-624]: commerce.orders.v1 was changed since its release",
    remedy: "Run `onramp release PRODUCT`, and commit contracts.lock with the files.",
};

/// The file of released contracts cannot be used.
pub static LOCK_UNREADABLE: Code = Code {
    id: "ONR-625",
    title: "contracts.lock cannot be read",
    reason: "What was released is not known, so that no change can be held against it. The file is written by `onramp release` alone.",
    example: "<<<<<<< HEAD # contracts.lock, after a merge",
    remedy: "Restore it from version control; after a merge take both sides' products, each with the longer list of schemas.",
};

/// What was released is other than it was.
pub static LOCK_REWRITTEN: Code = Code {
    id: "ONR-626",
    title: "released contract rewritten",
    reason: "A contract that was released is what consumers built on. Releases are added, never changed or taken out.",
    example: "$ onramp check --against main # contracts.lock was edited by hand",
    remedy: "Restore contracts.lock from the revision, and release the change as a new one.",
};

/// The revision to compare with cannot be read.
pub static REVISION: Code = Code {
    id: "ONR-627",
    title: "revision cannot be read",
    reason: "The files are held against what git has at a revision. Without it nothing is known of what was there before.",
    example: "$ onramp check --against origin/mian",
    remedy: "Check the name with `git rev-parse`; in CI fetch the branch (its history too, where the checkout is shallow).",
};

/// Events of the released mapping and of the new one in one topic.
pub static RELEASED_MAPPING: Code = Code {
    id: "ONR-628",
    title: "mapping changed since the release",
    reason: "The same row gives another event than it gave. A start refuses that until the product says what becomes of the events that are in the topic.",
    example: "customer_id: { type: string, expr: \"'C-' + string(row.cust_no)\" } # released as 'CUST-' + …",
    remedy: "Add `on_mapping_change: backfill` (every row is published again) or `keep`.",
};

/// A product that cannot be released.
pub static NOT_TO_RELEASE: Code = Code {
    id: "ONR-629",
    title: "product cannot be released",
    reason: "A release is a promise to consumers: it is made for products that are published, and whose files are without fault.",
    example: "$ onramp release commerce.orders.v1 # status: draft",
    remedy: "Check the name; set `status: active` first.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &RELEASED_BREAKS,
    &RELEASED_KEY,
    &RELEASED_LEVEL,
    &RELEASED_GONE,
    &NOT_RELEASED,
    &LOCK_UNREADABLE,
    &LOCK_REWRITTEN,
    &REVISION,
    &RELEASED_MAPPING,
    &NOT_TO_RELEASE,
];
