//! The source database: catalogue, slot, publication, log.

use crate::Code;

/// Password cannot be read.
pub static NO_PASSWORD: Code = Code {
    id: "ONR-400",
    title: "password cannot be read",
    reason: "The password is read again at each connection, from the place that the gateway file names.",
    example: "source: { password: { file: /run/secrets/shop-db } } # the file is not there",
    remedy: "Set the environment variable, or make the file readable to the gateway.",
};

/// Source unreachable.
pub static UNREACHABLE: Code = Code {
    id: "ONR-401",
    title: "source unreachable",
    reason: "No connection to the database could be made, or it broke. The gateway tries again with growing pauses.",
    example: "source: { url: \"postgres://onramp@db.internal:5433/shop\" } # nothing listens there",
    remedy: "Check host, port, network and that the server runs.",
};

/// Connection refused by the source.
pub static NOT_LET_IN: Code = Code {
    id: "ONR-402",
    title: "connection refused by the source",
    reason: "The server answered, but does not let this role in. Trying again cannot help, and might lock the account.",
    example: "source: { url: \"postgres://onramp@db.internal/shop\" } # pg_hba.conf has no line for onramp",
    remedy: "Check role, password, database name and pg_hba.conf.",
};

/// Statement refused by the source.
pub static STATEMENT_FAILED: Code = Code {
    id: "ONR-403",
    title: "statement refused by the source",
    reason: "The server refuses a statement on its catalogue.",
    example: "error[ONR-403]: permission denied for view pg_replication_slots",
    remedy: "The reason holds the server's own message; most often a right is lacking.",
};

/// Server too old.
pub static SERVER_TOO_OLD: Code = Code {
    id: "ONR-404",
    title: "server too old",
    reason: "Publications before 15 have neither row filters nor column lists, and nothing older is tested against.",
    example: "SHOW server_version; -- 14.11",
    remedy: "Upgrade to PostgreSQL 15 or later.",
};

/// Server is a standby.
pub static STANDBY: Code = Code {
    id: "ONR-405",
    title: "server is a standby",
    reason: "A standby's slots and snapshots do not hold what the gateway relies on.",
    example: "SELECT pg_is_in_recovery(); -- true",
    remedy: "Point source.url at the primary.",
};

/// Wal_level is not logical.
pub static WAL_LEVEL: Code = Code {
    id: "ONR-406",
    title: "wal_level is not logical",
    reason: "Rows can be read from the log only at this level.",
    example: "SHOW wal_level; -- replica",
    remedy: "ALTER SYSTEM SET wal_level = 'logical', then restart the server.",
};

/// Log may grow without bound.
pub static UNBOUNDED_WAL: Code = Code {
    id: "ONR-407",
    title: "log may grow without bound",
    reason: "With max_slot_wal_keep_size = -1 a gateway that is down for long fills the server's disk and stops the application.",
    example: "SHOW max_slot_wal_keep_size; -- -1",
    remedy: "Set a bound, or accept it by source.accept: [unbounded_wal].",
};

/// Encoding without meaning.
pub static ENCODING: Code = Code {
    id: "ONR-408",
    title: "encoding without meaning",
    reason: "A SQL_ASCII database does not say what its bytes mean as text.",
    example: "SHOW server_encoding; -- SQL_ASCII",
    remedy: "Move the data to a database with a stated encoding.",
};

/// Role may not replicate.
pub static MAY_NOT_REPLICATE: Code = Code {
    id: "ONR-409",
    title: "role may not replicate",
    reason: "Streaming needs the attribute REPLICATION, or a service that grants it by membership.",
    example: "CREATE ROLE onramp LOGIN; -- without REPLICATION",
    remedy: "ALTER ROLE … REPLICATION.",
};

/// No slot or walsender free.
pub static NO_FREE_SLOT: Code = Code {
    id: "ONR-410",
    title: "no slot or walsender free",
    reason: "Each gateway needs one replication slot and one walsender.",
    example: "SHOW max_replication_slots; -- 10, and SELECT count(*) FROM pg_replication_slots says 10",
    remedy: "Raise max_replication_slots or max_wal_senders, or drop slots that nobody needs.",
};

/// Table not found.
pub static NO_TABLE: Code = Code {
    id: "ONR-411",
    title: "table not found",
    reason: "A product maps a table that does not exist; names are taken as they are written, case included.",
    example: "source: { table: public.Ordr_Hdr } # it is called ordr_hdr",
    remedy: "Correct source.table.",
};

/// Not a table with a log.
pub static NOT_A_TABLE: Code = Code {
    id: "ONR-412",
    title: "not a table with a log",
    reason: "Changes of views, foreign, unlogged and temporary tables are not in the log.",
    example: "source: { table: public.open_orders } # a view",
    remedy: "Map the tables that it is made of.",
};

/// Partitioned table without a primary key.
pub static PARTITIONS_WITHOUT_KEY: Code = Code {
    id: "ONR-413",
    title: "partitioned table without a primary key",
    reason: "Replica identities other than the primary key are not inherited by new partitions; the application's own updates of such a partition would fail.",
    example: "CREATE TABLE ordr (ord_no bigint NOT NULL, yr int NOT NULL) PARTITION BY RANGE (yr); -- no primary key",
    remedy: "Add a primary key to the root, or accept it by source.accept: [partitions_without_key] and give each new partition a replica identity before it is attached.",
};

/// No usable replica identity.
pub static NO_REPLICA_IDENTITY: Code = Code {
    id: "ONR-414",
    title: "no usable replica identity",
    reason: "Once a table without one is published, PostgreSQL refuses the application's own UPDATE and DELETE. Such a table is never added to the publication.",
    example: "CREATE TABLE ordr_log (ord_no bigint, note text); -- no primary key, no REPLICA IDENTITY",
    remedy: "Add a primary key, or set REPLICA IDENTITY USING INDEX or FULL.",
};

/// Values may be left out of the log.
pub static TOAST: Code = Code {
    id: "ONR-415",
    title: "values may be left out of the log",
    reason: "An update leaves a value that is stored out of line out of the log when it does not change it. Without a whole before image the gateway cannot know it and stops there.",
    example: "CREATE TABLE ordr_hdr (ord_no bigint PRIMARY KEY, rmk text); -- rmk is mapped, some are longer than 2 KB",
    remedy: "Set REPLICA IDENTITY FULL, or accept the stop by unchanged_toast: stop.",
};

/// Publication not found.
pub static NO_PUBLICATION: Code = Code {
    id: "ONR-416",
    title: "publication not found",
    reason: "The gateway file names a publication that a DBA makes.",
    example: "source: { publication: shop_pub } # nobody has made it",
    remedy: "Run the printed statement.",
};

/// Publication unfit.
pub static WRONG_PUBLICATION: Code = Code {
    id: "ONR-417",
    title: "publication unfit",
    reason: "The publication lacks tables or operations, narrows them, or does not publish through the partition root.",
    example: "CREATE PUBLICATION shop_pub FOR TABLE ordr_hdr WITH (publish = 'insert'); -- updates and deletes are lacking",
    remedy: "Run the printed statements.",
};

/// Slot not found.
pub static NO_SLOT: Code = Code {
    id: "ONR-418",
    title: "slot not found",
    reason: "The gateway file names a slot that a DBA makes.",
    example: "source: { slot: shop_slot } # nobody has made it",
    remedy: "Run the printed statement.",
};

/// Slot is another's.
pub static WRONG_SLOT: Code = Code {
    id: "ONR-419",
    title: "slot is another's",
    reason: "The slot has another plugin or database, ends with its session, or sends prepared transactions.",
    example: "SELECT pg_create_logical_replication_slot('shop_slot', 'test_decoding'); -- not pgoutput",
    remedy: "Name another slot, or rename the gateway.",
};

/// Log lost.
pub static LOG_LOST: Code = Code {
    id: "ONR-420",
    title: "log lost",
    reason: "The slot kept more than max_slot_wal_keep_size, or nobody read it for longer than idle_replication_slot_timeout, and the server gave its log up.",
    example: "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'onramp_legacy_shop'; -- lost",
    remedy: "Raise the bound; then `onramp recover` makes a new slot, keeps the gap on record and has every entity published again.",
};

/// Slot gone.
pub static SLOT_GONE: Code = Code {
    id: "ONR-421",
    title: "slot gone",
    reason: "Progress stands at a position that no slot holds any more. A new slot would lose every change between without a word.",
    example: "SELECT pg_drop_replication_slot('onramp_legacy_shop');",
    remedy: "Find out who dropped it; then `onramp recover` makes a new slot, keeps the gap on record and has every entity published again.",
};

/// Slot ahead of progress.
pub static SLOT_AHEAD: Code = Code {
    id: "ONR-422",
    title: "slot ahead of progress",
    reason: "The slot was made anew or advanced by somebody else; the changes between are gone from it.",
    example: "SELECT pg_replication_slot_advance('onramp_legacy_shop', pg_current_wal_lsn());",
    remedy: "Find out who did; then `onramp recover` makes a new slot, keeps the gap on record and has every entity published again.",
};

/// Another database system.
pub static OTHER_SYSTEM: Code = Code {
    id: "ONR-423",
    title: "another database system",
    reason: "Progress was made on another database; its positions say nothing about this one's log.",
    example: "source: { url: \"postgres://onramp@test-db/shop\" } # progress was made on the production database",
    remedy: "Point source.url at the right database, or use another gateway name.",
};

/// Another timeline.
pub static OTHER_TIMELINE: Code = Code {
    id: "ONR-424",
    title: "another timeline",
    reason: "The server was promoted, and progress may hold changes that it does not have.",
    example: "SELECT pg_promote(); -- on a standby that lacked the last changes",
    remedy: "Point source.url at the server that holds the published history; where it is gone, `onramp recover` goes on from this one.",
};

/// To be made by a DBA.
pub static MAY_NOT_CREATE: Code = Code {
    id: "ONR-425",
    title: "to be made by a DBA",
    reason: "The gateway may not create or alter it.",
    example: "CREATE PUBLICATION onramp_legacy_shop FOR TABLE ONLY ordr_hdr; -- the role does not own the table",
    remedy: "Run the printed statements.",
};

/// Position unreadable.
pub static BAD_POSITION: Code = Code {
    id: "ONR-426",
    title: "position unreadable",
    reason: "A position is not of the form that this source has.",
    example: "error[ONR-426]: position unreadable: the progress record was written by hand",
    remedy: "Do not edit the progress topic; restore its last record.",
};

/// Other tables inherit from it.
pub static INHERITED: Code = Code {
    id: "ONR-427",
    title: "other tables inherit from it",
    reason: "A query of the table sees the rows of the tables that inherit from it, but the log counts those rows to them, so the product would lack them.",
    example: "CREATE TABLE ordr_2020 () INHERITS (ordr_hdr);",
    remedy: "Map the tables that inherit from it, or end the inheritance.",
};

/// Partition hidden behind its root.
pub static HIDDEN_PARTITION: Code = Code {
    id: "ONR-428",
    title: "partition hidden behind its root",
    reason: "Where a partitioned table is published, its partitions' changes come under its name and under none of theirs.",
    example: "CREATE PUBLICATION p FOR TABLE ordr WITH (publish_via_partition_root = true); -- a product maps ordr_2026, a partition",
    remedy: "Map the root, or take it out of the publication.",
};

/// Published for nothing.
pub static UNMAPPED_TABLES: Code = Code {
    id: "ONR-429",
    title: "published for nothing",
    reason: "The publication holds tables that no product maps any more. A start only ever adds tables, since another instance may still stream them.",
    example: "ALTER PUBLICATION onramp_legacy_shop DROP TABLE ONLY ordr_old; -- what is printed, once no product maps it",
    remedy: "Run the printed statement when no other instance needs them.",
};

/// Progress ahead of the log.
pub static PROGRESS_AHEAD: Code = Code {
    id: "ONR-430",
    title: "progress ahead of the log",
    reason: "The server was set back to an earlier state. Its next changes would be taken for ones that are published already, and be lost.",
    example: "error[ONR-430]: progress stands at 0/5000000, and the server's log ends at 0/4A00000",
    remedy: "Restore the server to a state that holds the published changes; where there is none, `onramp recover` goes on from this one.",
};

/// TLS cannot be set up.
pub static TLS_UNUSABLE: Code = Code {
    id: "ONR-450",
    title: "TLS cannot be set up",
    reason: "The certificates to trust are missing or unreadable, or the server does not speak TLS, so the connection would not be as safe as the file says.",
    example: "source: { tls: { mode: verify-full } } # the server's authority is the company's own, and ca is missing",
    remedy: "Name the authority that signed the server's certificate in `source.tls.ca`, or let the server speak TLS (`ssl = on`).",
};

/// Authentication not possible.
pub static AUTHENTICATION: Code = Code {
    id: "ONR-451",
    title: "authentication not possible",
    reason: "The server asks for a proof of identity that the gateway does not give, or gives none itself.",
    example: "source: { url: \"postgres://onramp@db/shop\" } # pg_hba.conf asks for ldap",
    remedy: "Let pg_hba.conf ask for scram-sha-256, and set `source.password`.",
};

/// Connection to the log lost.
pub static CONNECTION_LOST: Code = Code {
    id: "ONR-452",
    title: "connection to the log lost",
    reason: "The replication connection was cut. The gateway connects again and goes on from its progress.",
    example: "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots;",
    remedy: "Look in the server's log for the reason if it happens often.",
};

/// Log refused by the server.
pub static LOG_REFUSED: Code = Code {
    id: "ONR-453",
    title: "log refused by the server",
    reason: "The server ended or refused the stream of its log.",
    example: "error[ONR-453]: the server's message: requested WAL segment has already been removed",
    remedy: "Follow the server's own message.",
};

/// Log not understood.
pub static LOG_UNREADABLE: Code = Code {
    id: "ONR-454",
    title: "log not understood",
    reason: "The server sent something that the protocol does not have, and skipping it could lose a change.",
    example: "error[ONR-454]: log not understood: a message of type '?'",
    remedy: "Report the message with the server's version.",
};

/// Record of the log too large.
pub static RECORD_TOO_LARGE: Code = Code {
    id: "ONR-455",
    title: "record of the log too large",
    reason: "A single change is larger than the memory that it may take.",
    example: "limits: { chunk: 8MiB } # a row's bytea column holds 20 MB",
    remedy: "Raise `limits.chunk`, or leave the wide columns out of the publication's column list.",
};

/// Before image not as declared.
pub static IDENTITY_CHANGED: Code = Code {
    id: "ONR-456",
    title: "before image not as declared",
    reason: "A before image holds less than the table's replica identity promised, so a decision taken from it could be wrong.",
    example: "ALTER TABLE ordr_2027 REPLICA IDENTITY USING INDEX ordr_2027_no; -- while the root has FULL",
    remedy: "Give every partition the replica identity of the root, then restart.",
};

/// Published table no longer in the publication.
pub static UNPUBLISHED: Code = Code {
    id: "ONR-431",
    title: "published table no longer in the publication",
    reason: "A product was published from this table, and the publication no longer holds it: the changes since then are lost to the slot. Putting the table back would hide the gap.",
    example: "ALTER PUBLICATION onramp_legacy_shop DROP TABLE ordr_hdr; -- while a product maps it",
    remedy: "Find out who took it out and when; then `onramp recover` puts it back, keeps the gap on record and has every entity published again.",
};

/// Mapped table renamed or replaced.
pub static TABLE_MOVED: Code = Code {
    id: "ONR-432",
    title: "mapped table renamed or replaced",
    reason: "The log brings changes of a mapped table under another name, or of another table under its name. Going on would pass its changes over, or take another table's for them.",
    example: "ALTER TABLE ordr_hdr RENAME TO ordr_hdr_old;",
    remedy: "Rename it back; or start a new version of its products over the table as it is now.",
};

/// No key to read the table by.
pub static NO_READING_KEY: Code = Code {
    id: "ONR-440",
    title: "no key to read the table by",
    reason: "Rows that are there already are read in chunks, each from where the last ended: that takes a key that tells every row from every other and that the server can follow in order. By the place where a row is stored it cannot be done: an update moves the row, behind the reader or ahead of it, and it would be told twice or never.",
    example: "CREATE TABLE ordr_log (ord_no integer, note text); -- neither primary key nor unique index",
    remedy: "Give the table a primary key, or a unique index over columns that are NOT NULL.",
};

/// Table's key changed while it was read.
pub static READING_KEY_CHANGED: Code = Code {
    id: "ONR-441",
    title: "table's key changed while it was read",
    reason: "The key that the table's rows were read by is gone or another, so what was read so far can no longer be told from what was not.",
    example: "ALTER TABLE ordr_hdr DROP CONSTRAINT ordr_hdr_pkey; -- while its rows are read",
    remedy: "Nothing need be done: the gateway begins to read the table anew.",
};

/// Little room for the log.
pub static LITTLE_ROOM: Code = Code {
    id: "ONR-442",
    title: "little room for the log",
    reason: "The slot keeps more log already than may still be written before the server gives the slot up (max_slot_wal_keep_size). A run over rows that are there keeps no log back: the slot moves on as it does without one. But what is behind is read more slowly while rows are published too.",
    example: "SELECT safe_wal_size FROM pg_replication_slots; -- less than it keeps",
    remedy: "Raise max_slot_wal_keep_size, or end the transactions that hold the slot back (the oldest in pg_stat_activity and pg_prepared_xacts), until the run is done.",
};

/// Collation of another version than the index was built with.
pub static COLLATION_OUTDATED: Code = Code {
    id: "ONR-460",
    title: "collation of another version than the index was built with",
    reason: "Rows that are there already are read along an index, which orders texts as the system's library or ICU did when it was built. A version that orders them otherwise, as another release of the operating system brings, does not find its way in it: rows would be left out without a word.",
    example: "SELECT datcollversion, pg_database_collation_actual_version(oid) FROM pg_database; -- 2.31 and 2.36",
    remedy: "Rebuild the indexes, and say so: REINDEX DATABASE; then ALTER DATABASE … REFRESH COLLATION VERSION, or ALTER COLLATION … REFRESH VERSION where the collation is named.",
};

/// Tables read from another server than the log.
pub static READ_ELSEWHERE: Code = Code {
    id: "ONR-461",
    title: "tables read from another server than the log",
    reason: "A connection that reads tables was made anew and leads to another server, or to one that was promoted or is a standby now. The numbers of its transactions are of another history than those of the log, so nothing could tell which of two states is the newer one.",
    example: "error[ONR-461]: the log is read from timeline 1, and tables from timeline 2",
    remedy: "Nothing need be done: the gateway starts anew, and its start decides whether it may go on there.",
};

/// A message of the log that is not part of a transaction.
pub static MESSAGE_OUTSIDE: Code = Code {
    id: "ONR-462",
    title: "message outside a transaction",
    reason: "A message that is written without a transaction stays in the log even where the writer's transaction is rolled back, and has no place among the changes: an event of it could tell of what never happened.",
    example: "SELECT pg_logical_emit_message(false, 'orders.', '{…}')",
    remedy: "Let the application write it with `pg_logical_emit_message(true, …)`. One that is in the log already stays there: write `source.accept: [messages_outside_transactions]` into the gateway file, and it is passed over, with a warning that names its position; take the word out again once the gateway is beyond it.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &NO_PASSWORD,
    &UNREACHABLE,
    &NOT_LET_IN,
    &STATEMENT_FAILED,
    &SERVER_TOO_OLD,
    &STANDBY,
    &WAL_LEVEL,
    &UNBOUNDED_WAL,
    &ENCODING,
    &MAY_NOT_REPLICATE,
    &NO_FREE_SLOT,
    &NO_TABLE,
    &NOT_A_TABLE,
    &PARTITIONS_WITHOUT_KEY,
    &NO_REPLICA_IDENTITY,
    &TOAST,
    &NO_PUBLICATION,
    &WRONG_PUBLICATION,
    &NO_SLOT,
    &WRONG_SLOT,
    &LOG_LOST,
    &SLOT_GONE,
    &SLOT_AHEAD,
    &OTHER_SYSTEM,
    &OTHER_TIMELINE,
    &MAY_NOT_CREATE,
    &BAD_POSITION,
    &INHERITED,
    &HIDDEN_PARTITION,
    &UNMAPPED_TABLES,
    &PROGRESS_AHEAD,
    &UNPUBLISHED,
    &TABLE_MOVED,
    &NO_READING_KEY,
    &READING_KEY_CHANGED,
    &LITTLE_ROOM,
    &TLS_UNUSABLE,
    &AUTHENTICATION,
    &CONNECTION_LOST,
    &LOG_REFUSED,
    &LOG_UNREADABLE,
    &RECORD_TOO_LARGE,
    &IDENTITY_CHANGED,
    &COLLATION_OUTDATED,
    &READ_ELSEWHERE,
    &MESSAGE_OUTSIDE,
];
