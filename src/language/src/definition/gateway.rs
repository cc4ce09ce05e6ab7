//! The keys of a gateway file.

use super::{Form, Key, Value, Word};

const TEXT: Value = Value::Text(Form::Text);

/// The gateway file.
pub(crate) static GATEWAY: &[Key] = &[
    Key::required(
        "gateway",
        Value::Text(Form::GatewayName),
        "The gateway's name. It names the replication slot and the publication (`onramp_<name>`), the transactional id and the progress topic, so it stays the same for good.",
    )
    .example("legacy_shop"),
    Key::required("source", Value::Map(SOURCE), "The legacy database."),
    Key::required("kafka", Value::Map(KAFKA), "The Kafka cluster that the products are published to."),
    Key::required("registry", Value::Map(REGISTRY), "The schema registry, by the API that Confluent's, Karapace and Apicurio share."),
    Key::optional(
        "keys",
        Value::Named(Form::SecretName, &Value::Secret),
        "Keys for the protection of personal data, by the names under which products refer to them.",
    )
    .example("{ pii_2026: { file: /run/secrets/pii-2026 } }"),
    Key::optional("limits", Value::Map(LIMITS), "Bounds on memory. What is beyond one is an error, never an allocation."),
    Key::optional("snapshot", Value::Map(SNAPSHOT), "How rows that are there already are read."),
    Key::optional("commit", Value::Map(COMMIT), "When a Kafka transaction is committed though the source has more. It is committed at once when the source has nothing more."),
    Key::optional("headers", Value::Words(HEADERS), "The headers of every event.").default("transaction"),
    Key::optional(
        "drain",
        Value::Text(Form::Duration),
        "How long a gateway that is told to end may take to commit what it holds.",
    )
    .default("20s"),
    Key::optional("drafts", Value::Text(Form::Boolean), "Whether products with `status: draft` are published too; for test systems.").default("false"),
    Key::optional("health", Value::Map(HEALTH), "Probes and metrics. Without it no port is opened."),
    Key::optional("admin", Value::Map(ADMIN), "Where `onramp status` and `onramp backfill` reach the gateway while it runs. Without it no command is taken."),
    Key::required(
        "products",
        Value::List(&Value::Text(Form::Pattern)),
        "The product files: paths or patterns (`*`, `?`, `**`) below the gateway file's folder.",
    )
    .example("[products/**/*.yaml]"),
    Key::later("policies", "Files of rules that every product must keep."),
];

const SOURCE: &[Key] = &[
    Key::required("type", Value::Words(SOURCES), "The kind of database.").example("postgres"),
    Key::required(
        "url",
        Value::Text(Form::SourceUrl),
        "User, host, port and database. A Unix socket's folder stands as `?host=/folder`. A password never stands here.",
    )
    .example("postgres://onramp@db.internal:5432/shop"),
    Key::optional("password", Value::Secret, "The user's password. A file is read again at each connection.")
        .example("{ file: /run/secrets/shop-db }"),
    Key::optional("tls", Value::Map(TLS), "How the connection is secured. It says nothing about a Unix socket."),
    Key::optional("slot", Value::Text(Form::SlotName), "The replication slot, where a DBA made it.").default("onramp_<gateway>"),
    Key::optional("publication", Value::Text(Form::Text), "The publication, where a DBA made it.").default("onramp_<gateway>"),
    Key::optional(
        "accept",
        Value::List(&Value::Words(ACCEPT)),
        "Risks that are accepted by name and would be refused otherwise.",
    )
    .default("[]")
    .example("[unbounded_wal]"),
];

const SOURCES: &[Word] = &[
    Word::new(
        "postgres",
        "PostgreSQL 15 and newer, by logical replication.",
    ),
    Word::later("mysql", "MySQL, by its binary log."),
    Word::later("mariadb", "MariaDB, by its binary log."),
];

const ACCEPT: &[Word] = &[
    Word::new(
        "unbounded_wal",
        "`max_slot_wal_keep_size = -1`: a gateway that stands still may fill the database's disk.",
    ),
    Word::new(
        "partitions_without_key",
        "A partitioned table without a primary key on its root: a partition attached without a replica identity of its own makes the application's updates fail.",
    ),
    Word::new(
        "messages_outside_transactions",
        "Messages of an outbox's prefix that no transaction holds are passed over, each with a warning that names its position.",
    ),
];

const TLS: &[Key] = &[
    Key::optional(
        "mode",
        Value::Words(TLS_MODES),
        "What is asked of the connection.",
    )
    .default("verify-full"),
    Key::optional(
        "ca",
        Value::Text(Form::Path),
        "The file of the certificate authority; without it the system's own are trusted.",
    )
    .example("/etc/onramp/shop-ca.pem"),
];

const TLS_MODES: &[Word] = &[
    Word::new("disable", "No TLS."),
    Word::new(
        "prefer",
        "TLS where the server offers it; nothing is verified.",
    ),
    Word::new("require", "TLS always; nothing is verified."),
    Word::new(
        "verify-ca",
        "TLS always; the server's certificate is signed by a trusted authority.",
    ),
    Word::new(
        "verify-full",
        "TLS always; the certificate is the host's own, too.",
    ),
];

const KAFKA: &[Key] = &[
    Key::required("brokers", Value::List(&Value::Text(Form::Broker)), "Brokers to begin with, `host:port`.").example("[kafka-1:9092, kafka-2:9092]"),
    Key::optional("security", Value::Map(SECURITY), "How the connection is secured; without it, plain text."),
    Key::optional("topics", Value::Map(TOPICS), "How topics are created; existing ones are checked, never changed."),
    Key::optional(
        "properties",
        Value::Named(Form::Text, &TEXT),
        "Anything else that librdkafka knows. What exactly-once rests on cannot be set, and no secret stands here.",
    )
    .example("{ client.rack: eu-1a }"),
];

const SECURITY: &[Key] = &[
    Key::required("protocol", Value::Words(PROTOCOLS), "Kafka's word for it.").example("SASL_SSL"),
    Key::optional("mechanism", Value::Words(MECHANISMS), "The SASL mechanism.")
        .example("SCRAM-SHA-512"),
    Key::optional("username", TEXT, "The user.").example("onramp"),
    Key::optional("password", Value::Secret, "The user's password.")
        .example("{ env: KAFKA_PASSWORD }"),
    Key::optional(
        "ca",
        Value::Text(Form::Path),
        "The file of the certificate authority.",
    )
    .example("/etc/onramp/kafka-ca.pem"),
];

const PROTOCOLS: &[Word] = &[
    Word::new("PLAINTEXT", "Neither TLS nor a user."),
    Word::new("SSL", "TLS."),
    Word::new("SASL_PLAINTEXT", "A user, without TLS."),
    Word::new("SASL_SSL", "TLS and a user."),
];

const MECHANISMS: &[Word] = &[
    Word::new("PLAIN", "The password itself."),
    Word::new("SCRAM-SHA-256", "A challenge, SHA-256."),
    Word::new("SCRAM-SHA-512", "A challenge, SHA-512."),
];

const TOPICS: &[Key] = &[
    Key::optional(
        "partitions",
        Value::Text(Form::Integer(1, 10_000)),
        "Partitions of a new topic.",
    )
    .default("6"),
    Key::optional(
        "replication",
        Value::Text(Form::Integer(1, 100)),
        "Copies of a new topic.",
    )
    .default("3"),
    Key::optional(
        "settings",
        Value::Named(Form::Text, &TEXT),
        "Further settings of a new topic, by Kafka's names.",
    )
    .example("{ compression.type: zstd }"),
];

const REGISTRY: &[Key] = &[
    Key::required(
        "url",
        Value::Text(Form::HttpUrl),
        "Its address. A password never stands here.",
    )
    .example("\"https://registry:8081\""),
    Key::optional("username", TEXT, "The user.").example("onramp"),
    Key::optional("password", Value::Secret, "The user's password.")
        .example("{ env: REGISTRY_PASSWORD }"),
    Key::optional(
        "ca",
        Value::Text(Form::Path),
        "The file of the certificate authority.",
    )
    .example("/etc/onramp/registry-ca.pem"),
];

const LIMITS: &[Key] = &[
    Key::optional(
        "row",
        Value::Text(Form::Size),
        "An encoded event with its headers.",
    )
    .default("1MiB"),
    Key::optional(
        "chunk",
        Value::Text(Form::Size),
        "One record of the source's log, or one chunk of a table.",
    )
    .default("8MiB"),
    Key::optional(
        "queue",
        Value::Text(Form::Size),
        "Events on their way to Kafka.",
    )
    .default("24MiB"),
    Key::optional(
        "changed_keys",
        Value::Text(Form::Size),
        "While rows that were there already are read: the keys that live changes remember. Beyond it chunks are read again; where rows are told once (`history: insert`) the gateway stops.",
    )
    .default("16MiB"),
    Key::optional(
        "moved_keys",
        Value::Text(Form::Size),
        "For products with `moves`: the keys that one source transaction has written, of all of them together. Beyond it the gateway stops where another table's delete needs them.",
    )
    .default("16MiB"),
];

const SNAPSHOT: &[Key] = &[
    Key::optional(
        "readers",
        Value::Text(Form::Integer(1, 16)),
        "Connections that read at the same time.",
    )
    .default("2"),
    Key::optional(
        "chunk_rows",
        Value::Text(Form::Integer(1, 1_000_000)),
        "Rows that are read in one transaction, unless `limits.chunk` ends it before.",
    )
    .default("10000"),
];

const COMMIT: &[Key] = &[
    Key::optional("every", Value::Text(Form::Duration), "After this time.").default("100ms"),
    Key::optional(
        "bytes",
        Value::Text(Form::Size),
        "After this many bytes of events.",
    )
    .default("8MiB"),
];

const HEADERS: &[Word] = &[
    Word::new(
        "cloudevents",
        "The CloudEvents 1.0 binding for Kafka, and the two of `transaction`.",
    ),
    Word::new(
        "transaction",
        "The source transaction's id and the event's ordinal in it.",
    ),
    Word::new(
        "none",
        "No headers; consumers cannot put a source transaction together again.",
    ),
];

const HEALTH: &[Key] = &[Key::required(
    "listen",
    Value::Text(Form::Listen),
    "Address and port of `/live`, `/ready`, `/caught-up` and `/metrics`.",
)
.example("\"0.0.0.0:8080\"")];

const ADMIN: &[Key] = &[
    Key::required(
        "listen",
        Value::Text(Form::Listen),
        "Address and port. Anything but loopback needs a token.",
    )
    .example("\"127.0.0.1:8081\""),
    Key::optional(
        "token",
        Value::Secret,
        "What a caller has to show, as `Authorization: Bearer`. Read when the gateway starts.",
    )
    .example("{ file: /run/secrets/onramp-admin }"),
];
