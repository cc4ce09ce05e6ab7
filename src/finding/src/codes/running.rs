//! While it runs.

use crate::Code;

/// Address not free.
pub static CANNOT_LISTEN: Code = Code {
    id: "ONR-700",
    title: "address not free",
    reason: "The address for probes and metrics cannot be bound, so nobody could see how the gateway fares.",
    example: "health: { listen: \"0.0.0.0:8080\" } # another process listens there",
    remedy: "Name a free address in health.listen.",
};

/// Published product without a file.
pub static PRODUCT_WITHOUT_FILE: Code = Code {
    id: "ONR-701",
    title: "published product without a file",
    reason: "The product was published before, and no file stands for it now. Going on would acknowledge its changes away.",
    example: "$ rm products/commerce/orders.yaml # and start",
    remedy: "Restore its file, or keep it with status: retired.",
};

/// Table truncated.
pub static TRUNCATED: Code = Code {
    id: "ONR-703",
    title: "table truncated",
    reason: "The table was emptied by TRUNCATE, which gives no row-by-row changes; the topic would keep events of rows that are gone.",
    example: "TRUNCATE ordr_hdr;",
    remedy: "Say on_truncate: ignore where that is meant; tombstones for the rows must come from elsewhere.",
};

/// Progress of another gateway.
pub static OTHER_GATEWAY: Code = Code {
    id: "ONR-704",
    title: "progress of another gateway",
    reason: "The progress topic holds another gateway's records.",
    example: "gateway: legacy_shop # copied from another database's folder",
    remedy: "Give this gateway a name of its own.",
};

/// Could not drain in time.
pub static DRAIN_TIMED_OUT: Code = Code {
    id: "ONR-705",
    title: "could not drain in time",
    reason: "What was read was not published before the deadline. Nothing is lost: it is read again at the next start.",
    example: "drain: 1s # the brokers take 3 s for a commit",
    remedy: "Raise drain, or look at what keeps Kafka.",
};

/// Mapping changed.
pub static MAPPING_CHANGED: Code = Code {
    id: "ONR-706",
    title: "mapping changed",
    reason: "Events that were published before follow the older mapping: without a decision the topic would hold both meanings, and nobody could tell which.",
    example: "total: { type: \"decimal(12,2)\", from: net_amt } # it was made from tot_amt before",
    remedy: "Say on_mapping_change: backfill in the product's file, and every row is published again by the new mapping; or on_mapping_change: keep, and events stay as they are until their rows change.",
};

/// No product to publish.
pub static NOTHING_TO_PUBLISH: Code = Code {
    id: "ONR-707",
    title: "no product to publish",
    reason: "No product is active, so there is nothing to do.",
    example: "status: draft # of every product, and the gateway does not say drafts: true",
    remedy: "Set a product's status to active, or drafts: true to publish drafts.",
};

/// Secret cannot be read.
pub static SECRET_UNREADABLE: Code = Code {
    id: "ONR-708",
    title: "secret cannot be read",
    reason: "A password or key is read from the place that the gateway file names, and it is not there.",
    example: "keys: { pii_2026: { env: SHOP_PII_KEY } } # the variable is not set",
    remedy: "Set the environment variable, or make the file readable to the gateway.",
};

/// Keys changed.
pub static KEY_CHANGED: Code = Code {
    id: "ONR-709",
    title: "keys changed",
    reason: "Events of one thing would get another key than before: another partition, no order between them, and tombstones that miss.",
    example: "key: [order_id, shop] # it was [order_id] before",
    remedy: "Restore the key as it was, or start a new version.",
};

/// Run refused.
pub static RUN_REFUSED: Code = Code {
    id: "ONR-710",
    title: "run refused",
    reason: "Rows that were there already cannot be published again as asked.",
    example: "$ onramp backfill commerce.orders.v1 # while a run of the product is under way.",
    remedy: "See onramp status for the products and their runs; ask again when the run under way is done.",
};

/// Another plan.
pub static OTHER_PLAN: Code = Code {
    id: "ONR-711",
    title: "another plan",
    reason: "A run that is given a plan's hash does what that plan says or nothing. The files, a table's columns, a topic or the database behind the name are not what they were when it was made.",
    example: "onramp run --plan 3f9a1c20b7d4e865   # after a product's mapping was edited",
    remedy: "Run `onramp plan`, look at what is different, and give the hash that it prints.",
};

/// No such product.
pub static UNKNOWN_PRODUCT: Code = Code {
    id: "ONR-712",
    title: "no such product",
    reason: "A command was told the name of a product, and no file that the gateway reads has it. Nothing is done for the others either: who mistypes a name must not take silence for success.",
    example: "onramp test commerce.ordrs.v1",
    remedy: "Name a product as its file does, `commerce.orders.v1`; `products` in the gateway file says which files are read.",
};

/// A file cannot be written.
pub static NOT_WRITTEN: Code = Code {
    id: "ONR-713",
    title: "file cannot be written",
    reason: "What the command makes has to go somewhere.",
    example: "onramp docs --out /read-only/contracts",
    remedy: "Name a folder that can be written to; check its rights and the room on its disk.",
};

/// Not to be replayed.
pub static NOT_REPLAYED: Code = Code {
    id: "ONR-714",
    title: "not replayed",
    reason: "An entity's row in quarantine is replayed by reading it again from its table, so that what is published is never older than what was: that takes a key that the record shows. A fact, and an outbox's event, is replayed from the record itself: that takes every column that the mapping reads now, as it was, which a protected one is not, and a mapping that can carry it.",
    example: "onramp quarantine replay commerce.order-lifecycle.v1   # whose fields read a protected column",
    remedy: "For an entity whose key is protected, order a whole back-fill: onramp backfill PRODUCT. Of facts, mend the mapping; what the record does not hold can be told by the application alone.",
};

/// Command refused.
pub static COMMAND_REFUSED: Code = Code {
    id: "ONR-720",
    title: "command refused",
    reason: "What was asked for cannot be done as it was said. Nothing was begun.",
    example: "$ onramp backfill commerce.orders.v1 --where 'row.ord_no > 7' --reconcile",
    remedy: "Correct the command as the message says.",
};

/// Command not taken now.
pub static NOT_STREAMING: Code = Code {
    id: "ONR-721",
    title: "command not taken now",
    reason: "A back-fill is begun by the stream's own thread, among live changes. While the gateway starts, stands by, tries again or waits for Kafka there is nobody to begin it. Nothing was begun.",
    example: "$ onramp backfill commerce.orders.v1 # while the gateway is a standby",
    remedy: "Look at `onramp status`, and give the command again once changes stream.",
};

/// Caller not known.
pub static NOT_LET_IN: Code = Code {
    id: "ONR-722",
    title: "caller not known",
    reason: "A request to the admin endpoint shows the token of `admin.token`; where there is none it names this machine as its host.",
    example: "$ curl http://127.0.0.1:8081/v1/status # and admin.token is set",
    remedy: "Send `Authorization: Bearer` with the token that the gateway was started with.",
};

/// No gateway answers.
pub static NO_ANSWER: Code = Code {
    id: "ONR-723",
    title: "no gateway answers",
    reason: "Commands go to the gateway that runs, by its admin endpoint.",
    example: "$ onramp backfill commerce.orders.v1 # while no gateway runs",
    remedy: "Start the gateway, or name in `admin.listen` the address that it listens on.",
};

/// Nothing to recover.
pub static NOTHING_LOST: Code = Code {
    id: "ONR-724",
    title: "nothing to recover",
    reason: "The slot holds every change after progress. A new one would lose what happened between.",
    example: "$ onramp recover # while the slot holds everything",
    remedy: "Start the gateway: `onramp run`.",
};

/// Gateway still runs.
pub static STILL_RUNS: Code = Code {
    id: "ONR-725",
    title: "gateway still runs",
    reason: "Recovery makes a new slot and writes progress; beside a gateway that streams it would take its slot away.",
    example: "$ onramp recover # while onramp run streams",
    remedy: "Stop the gateway and its standbys, then run `onramp recover` again.",
};

/// Not confirmed.
pub static NOT_CONFIRMED: Code = Code {
    id: "ONR-726",
    title: "not confirmed",
    reason: "Recovery drops the slot and gives up what was in the log. It is done only when somebody says yes to what it prints.",
    example: "$ onramp recover < /dev/null",
    remedy: "Answer yes, or say `--yes` where nobody can be asked.",
};

/// Not known whether the command was taken.
pub static COMMAND_NOT_KNOWN: Code = Code {
    id: "ONR-727",
    title: "not known whether the command was taken",
    reason: "A command is answered once progress in Kafka holds it. This one was on its way there, and no commit has said so yet: it may come to be, or be lost with the gateway.",
    example: "$ onramp backfill commerce.orders.v1 # while Kafka does not answer",
    remedy: "Give the same command again: where its run is under way that run is named and no other is begun. `onramp status` shows it too.",
};

/// `history: insert` of a product that was published without it.
pub static HISTORY_LATE: Code = Code {
    id: "ONR-728",
    title: "too late to tell rows that were there",
    reason: "The product was published without the rows that were there before. Nobody noted since which rows the log brought, so that to tell the rest now would tell some twice.",
    example: "history: insert   # in a later edition of the file than the first that ran",
    remedy: "Write `history: none`, or make it a new version, whose topic begins with the rows.",
};

/// More rows than are remembered came while others are read.
pub static HISTORY_FULL: Code = Code {
    id: "ONR-729",
    title: "too many rows came while others are read",
    reason: "A row that the log brings while rows that were there before are read is told once, by the log. Until all are read it is remembered, here and in progress, so that its reading does not tell it again; `limits.changed_keys` bounds how many are.",
    example: "limits: { changed_keys: 1MiB }   # 16 bytes a row, and what it takes to find it",
    remedy: "Raise `limits.changed_keys` and start again: it goes on where it ended.",
};

/// Recovery not finished.
pub static RECOVERY_UNFINISHED: Code = Code {
    id: "ONR-736",
    title: "recovery not finished",
    reason: "Recovery was ended in its midst. What held the log may have been given up already, and the server's log may since have grown past progress, so that nothing else would tell that a part of it is missing.",
    example: "$ onramp recover # killed after it dropped the slot",
    remedy: "Run `onramp recover` again: it goes on where it ended.",
};

/// A union's table is gone.
pub static UNION_TABLE_GONE: Code = Code {
    id: "ONR-718",
    title: "table of a union is gone",
    reason: "A table that a pattern of source.tables meant was dropped or renamed. Its rows went without a word in the log, so that their keys got no tombstones.",
    example: "DROP TABLE ordr_2019; -- source: { tables: [\"public.ordr_*\"] }",
    remedy: "Say on_truncate: ignore to go on and keep the last state of each key; `onramp backfill PRODUCT --reconcile` then gives tombstones to those that no table has.",
};

/// A fault of the program itself.
pub static INTERNAL: Code = Code {
    id: "ONR-799",
    title: "internal fault",
    reason: "The program found itself in a state that it takes for impossible. It stops, since going on could lose or double data.",
    example: "error[ONR-799]: internal fault: an arena was handed over twice",
    remedy: "Restart it: it goes on from its last committed progress. Report the message and the log lines before it.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &CANNOT_LISTEN,
    &PRODUCT_WITHOUT_FILE,
    &TRUNCATED,
    &OTHER_GATEWAY,
    &DRAIN_TIMED_OUT,
    &MAPPING_CHANGED,
    &NOTHING_TO_PUBLISH,
    &SECRET_UNREADABLE,
    &KEY_CHANGED,
    &RUN_REFUSED,
    &OTHER_PLAN,
    &UNKNOWN_PRODUCT,
    &NOT_WRITTEN,
    &NOT_REPLAYED,
    &COMMAND_REFUSED,
    &NOT_STREAMING,
    &NOT_LET_IN,
    &NO_ANSWER,
    &NOTHING_LOST,
    &STILL_RUNS,
    &NOT_CONFIRMED,
    &COMMAND_NOT_KNOWN,
    &HISTORY_LATE,
    &HISTORY_FULL,
    &RECOVERY_UNFINISHED,
    &UNION_TABLE_GONE,
    &INTERNAL,
];
