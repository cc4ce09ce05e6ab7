//! What is found when a database is discovered, and in the drafts that come of it.

use crate::Code;

/// A draft's placeholder that nobody has replaced.
pub static LEFT_TO_SAY: Code = Code {
    id: "ONR-630",
    title: "left for people to say",
    reason: "A database knows neither who answers for a product nor what its rows stand for. `discover` drafts these texts as TODO, and consumers must not read that. A warning while the product is a draft, else an error.",
    example: "owner: { team: TODO, contact: TODO }",
    remedy: "Write the team, how it is reached, and one sentence about what a row stands for.",
};

/// Something that `discover` saw and could not draft.
pub static NOT_UNDERSTOOD: Code = Code {
    id: "ONR-631",
    title: "column not understood",
    reason: "Its type is not carried, or its values are nearly, but not all, of one form. The draft takes no more of it than is sure: as text, as a number, or not at all.",
    example: "ord_dt char(8) -- 997 of 1000 are dates as 20260131, three are 00000000",
    remedy: "Read the comment at the field, and map the column as you know it; or leave the field out.",
};

/// What looks like personal data.
pub static LOOKS_PERSONAL: Code = Code {
    id: "ONR-632",
    title: "looks like personal data",
    reason: "A column's name or its sampled values say so. The draft classifies the field as personal: its value becomes a pseudonym under the gateway's key, or is dropped where there is no key or a pseudonym would hide nothing.",
    example: "eml_adr varchar(80) -- 98 of 100 sampled values look like an email address",
    remedy: "Check it. Where it is not personal, remove `classification` and `protect`.",
};

/// A table whose key nothing proves.
pub static NO_KEY: Code = Code {
    id: "ONR-633",
    title: "no key that tells rows apart",
    reason: "The table has no unique index that covers every row and is checked at once. An entity needs a key: two things under one would overwrite each other. The draft names a guess. Since a start would refuse it, its file ends in `.unready` and is none of the gateway's.",
    example: "CREATE TABLE audit_log (at timestamp, what text)",
    remedy: "Give the table a primary key; or choose the key's fields, and say `key_unique: { reason: … }` where they are unique all the same.",
};

/// A table without a draft.
pub static NOT_DRAFTED: Code = Code {
    id: "ONR-634",
    title: "table not drafted",
    reason: "Its changes are not in the log (a view, a foreign or unlogged table), no column of it can be a key, its key is personal and no key of the gateway's can hide it, or its name cannot be written in a file.",
    example: "CREATE VIEW open_orders AS SELECT …",
    remedy: "Map the tables that a view is made of; declare a key under the gateway's `keys` and discover again; else leave the table out.",
};

/// A table that could not be sampled.
pub static NOT_SAMPLED: Code = Code {
    id: "ONR-635",
    title: "table not sampled",
    reason: "A sample waits for no lock and runs no longer than it may, so that nobody waits behind it. The draft knows the catalogue alone: no codes, no dates in text, personal data by name only.",
    example: "LOCK TABLE ordr_hdr IN ACCESS EXCLUSIVE MODE -- meanwhile",
    remedy: "Discover the table again later (`--tables`, `--force`), with a longer `--timeout`, or as a role that may read it.",
};

/// A draft that would overwrite something.
pub static KEPT: Code = Code {
    id: "ONR-636",
    title: "kept as it is",
    reason: "A file of that name stands there, or a product maps the table already. What somebody may have edited is not overwritten.",
    example: "$ onramp discover --config onramp.yaml # for the second time",
    remedy: "Add `--force` to have it drafted anew, what was edited in the file is lost then; or name other tables by `--tables`.",
};

/// Something of a kind that is not built yet.
pub static LATER: Code = Code {
    id: "ONR-637",
    title: "of a kind that is not built yet",
    reason: "The table looks like an outbox, or like the parent of another table's rows. The language has a form for it that the gateway does not run yet; the draft holds it as a comment.",
    example: "CREATE TABLE outbox (id uuid, aggregate_id text, type text, payload jsonb)",
    remedy: "Nothing for now: the tables are drafted as entities.",
};

/// A table that was asked for and is not there.
pub static NO_SUCH_TABLE: Code = Code {
    id: "ONR-638",
    title: "no such table to discover",
    reason: "`--tables` names tables as the catalogue spells them, case included, with `*` for any letters; without a schema a name is looked for in all of them.",
    example: "$ onramp discover --tables public.odrr_hdr",
    remedy: "Check the spelling, and that the role sees the table.",
};

/// A folder that cannot be written to.
pub static CANNOT_WRITE: Code = Code {
    id: "ONR-639",
    title: "drafts cannot be written",
    reason: "The folder or the file cannot be made, or there is a gateway file already that would be drafted.",
    example: "$ onramp discover --source postgres://… --out /etc/onramp # without the right to",
    remedy: "Choose another folder with `--out`; where there is a gateway file, discover with `--config` and that file.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &LEFT_TO_SAY,
    &NOT_UNDERSTOOD,
    &LOOKS_PERSONAL,
    &NO_KEY,
    &NOT_DRAFTED,
    &NOT_SAMPLED,
    &KEPT,
    &LATER,
    &NO_SUCH_TABLE,
    &CANNOT_WRITE,
];
