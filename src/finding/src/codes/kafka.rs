//! Kafka: brokers, topics, progress, claims.

use crate::Code;

/// No broker answers.
pub static UNREACHABLE: Code = Code {
    id: "ONR-501",
    title: "Kafka does not answer",
    reason: "No broker answered within the time allowed. Nothing is lost: the gateway goes on from its last committed progress when one does.",
    example: "kafka: { brokers: [kafka-1:9092] }   # down, or another port",
    remedy: "Look at the brokers and at what lies between; the gateway tries again by itself.",
};

/// User, password or certificate refused.
pub static AUTHENTICATION: Code = Code {
    id: "ONR-502",
    title: "Kafka refused the credentials",
    reason: "The brokers do not accept the user, the password, the mechanism or the certificate. Trying again with the same ones could lock the account.",
    example: "kafka: { security: { protocol: SASL_SSL, mechanism: SCRAM-SHA-512, username: onramp, password: { env: WRONG } } }",
    remedy: "Correct kafka.security, or have the user created, then start again.",
};

/// An ACL is missing.
pub static AUTHORISATION: Code = Code {
    id: "ONR-503",
    title: "Kafka does not allow it",
    reason: "The user is known, but an access rule that the gateway needs is missing.",
    example: "$ kafka-acls.sh --bootstrap-server kafka-1:9092 --remove --allow-principal User:onramp --topic commerce.orders.v1",
    remedy: "Allow the user to create, describe, read and write the products' topics, onramp.<gateway>.progress and onramp.claims, to describe their settings, and to write and describe the transactional id onramp_<gateway>.",
};

/// A librdkafka property that is unknown, wrong, or not the user's to set.
pub static PROPERTY: Code = Code {
    id: "ONR-504",
    title: "property refused",
    reason: "The client library does not know the property or its value, or the gateway sets it itself because exactly-once depends on it.",
    example: "kafka: { properties: { acks: \"1\" } }",
    remedy: "Remove the property or correct it.",
};

/// A topic that should be there is not.
pub static TOPIC_MISSING: Code = Code {
    id: "ONR-505",
    title: "topic missing",
    reason: "A topic that the gateway publishes to is not there, or went away while it ran.",
    example: "$ kafka-topics.sh --bootstrap-server kafka-1:9092 --delete --topic commerce.orders.v1",
    remedy: "Find out who deleted it. If its data may be lost, order a back-fill; else restore it.",
};

/// An existing topic's settings would lose data.
pub static TOPIC_SETTINGS: Code = Code {
    id: "ONR-506",
    title: "topic settings do not fit",
    reason: "An existing topic has settings under which events would be lost or refused.",
    example: "$ kafka-configs.sh --bootstrap-server kafka-1:9092 --topic commerce.orders.v1 --alter --add-config cleanup.policy=delete",
    remedy: "Change the topic's settings as printed, or let the gateway create the topic.",
};

/// Another partition count than pinned.
pub static TOPIC_PARTITIONS: Code = Code {
    id: "ONR-507",
    title: "partition count differs",
    reason: "The key decides the partition. With another count the same key goes elsewhere and its order is lost.",
    example: "$ kafka-topics.sh --bootstrap-server kafka-1:9092 --alter --topic commerce.orders.v1 --partitions 12",
    remedy: "Publish a new version of the product, whose topic has the count that is wanted.",
};

/// The topic is another than the one that was published to.
pub static TOPIC_RECREATED: Code = Code {
    id: "ONR-508",
    title: "topic was recreated",
    reason: "A topic of this name is there, but it is not the one that progress tells of: what had been published is gone.",
    example: "$ kafka-topics.sh --bootstrap-server kafka-1:9092 --delete --topic commerce.orders.v1 # and --create again",
    remedy: "Restore the topic, or start the product anew: retire it, then order a back-fill.",
};

/// Creating a topic failed.
pub static TOPIC_NOT_CREATED: Code = Code {
    id: "ONR-509",
    title: "topic could not be created",
    reason: "The brokers refused to create the topic.",
    example: "kafka: { topics: { partitions: 6, replication: 3 } }   # on one broker",
    remedy: "Correct kafka.topics, or have the topic made with the settings printed.",
};

/// Another gateway owns the topic.
pub static TOPIC_CLAIMED: Code = Code {
    id: "ONR-510",
    title: "topic belongs to another gateway",
    reason: "Two gateways on one topic would each publish their own truth for the same keys. The first claim holds until it is released.",
    example: "product: commerce.orders.v1 # another gateway publishes a product of this name",
    remedy: "Give the product another name. Or have the gateway that owns the topic give it back: retire the product there, start it once, then `onramp release-topic`.",
};

/// Progress of a newer program.
pub static PROGRESS_NEWER: Code = Code {
    id: "ONR-511",
    title: "progress is of a newer format",
    reason: "A newer version of the program wrote it, and may mean what this one does not know.",
    example: "{\"format\": 999}",
    remedy: "Start that version, or a later one.",
};

/// Progress that cannot be read.
pub static PROGRESS_DAMAGED: Code = Code {
    id: "ONR-512",
    title: "progress cannot be read",
    reason: "A record of the progress topic is not what the program writes. Starting without it would lose or double events.",
    example: "$ kafka-console-producer.sh --bootstrap-server kafka-1:9092 --topic onramp.legacy_shop.progress",
    remedy: "Find out who wrote to the topic; nobody but the gateway may.",
};

/// The last stable offset does not reach the end.
pub static PROGRESS_UNSTABLE: Code = Code {
    id: "ONR-513",
    title: "the end of progress is not settled",
    reason: "A transaction on the progress topic is still open, so that a newer position may stand behind it. It may be another program's, or one that hangs.",
    example: "$ kafka-transactions.sh --bootstrap-server kafka-1:9092 find-hanging --broker-id 1",
    remedy: "Find it with kafka-transactions.sh find-hanging, and end it with abort if nobody does.",
};

/// Another producer took over.
pub static FENCED: Code = Code {
    id: "ONR-514",
    title: "fenced",
    reason: "Another producer of this transactional id has begun, or the brokers gave this one up after a time-out. What was not committed is aborted.",
    example: "error[ONR-514]: fenced: another producer of onramp_legacy_shop has begun",
    remedy: "Nothing, where another copy of the gateway runs; else see what kept this one from committing.",
};

/// A transaction was aborted; it is done again.
pub static ABORTED: Code = Code {
    id: "ONR-515",
    title: "transaction aborted",
    reason: "The brokers could not take or commit a transaction. No consumer that reads committed sees any of it; the gateway does it again from its progress.",
    example: "error[ONR-515]: transaction aborted: the coordinator moved while it was open",
    remedy: "Look at the brokers if it comes often.",
};

/// A source transaction does not fit the time that brokers allow.
pub static TOO_LONG: Code = Code {
    id: "ONR-516",
    title: "transaction takes too long",
    reason: "A source transaction is never split, and the brokers end a Kafka transaction after transaction.max.timeout.ms. Trying again would take as long.",
    example: "UPDATE ordr_hdr SET ccy_cd = 'GBP'; -- 200 million rows in one transaction",
    remedy: "Raise the brokers' transaction.max.timeout.ms (and transaction.timeout.ms, where kafka.properties sets it), then start again.",
};

/// An event beyond the limit.
pub static TOO_LARGE: Code = Code {
    id: "ONR-517",
    title: "event too large",
    reason: "The encoded event with its headers is larger than limits.row or than the topic takes.",
    example: "limits: { row: 1MiB }",
    remedy: "Raise limits.row and the topic's max.message.bytes, or leave the large column out of the product.",
};

/// `transaction.timeout.ms` refused.
pub static TIMEOUT_REFUSED: Code = Code {
    id: "ONR-518",
    title: "transaction time-out refused",
    reason: "The brokers allow less than transaction.timeout.ms asks.",
    example: "kafka: { properties: { transaction.timeout.ms: \"3600000\" } }",
    remedy: "Set kafka.properties transaction.timeout.ms to at most the brokers' transaction.max.timeout.ms.",
};

/// The broker refuses an event for what it is.
pub static EVENT_REFUSED: Code = Code {
    id: "ONR-519",
    title: "event refused by the broker",
    reason: "The brokers take the topic, but not this event; they would refuse it again.",
    example: "$ kafka-configs.sh --bootstrap-server kafka-1:9092 --topic commerce.orders.v1 --alter --add-config message.timestamp.before.max.ms=1000",
    remedy: "Look at the topic's settings (message.timestamp.*, schema validation) and the brokers' log.",
};

/// A producer that another client library fault stopped.
pub static CLIENT: Code = Code {
    id: "ONR-520",
    title: "Kafka client failed",
    reason: "The client library or the brokers gave an error that has no page of its own.",
    example: "error[ONR-520]: Kafka client failed: the library's own message",
    remedy: "The gateway starts over from its progress; look at the brokers if it comes often.",
};

/// Events are not taken for a long time.
pub static STALLED: Code = Code {
    id: "ONR-521",
    title: "Kafka takes no events",
    reason: "The brokers are connected or were, but no event was taken for so long that the transaction would run out of time.",
    example: "error[ONR-521]: Kafka takes no events: in-sync replicas are fewer than min.insync.replicas",
    remedy: "Look at the brokers: leaders, in-sync replicas against min.insync.replicas, disks, quotas.",
};

/// The topic's identity cannot be told.
pub static TOPIC_ID_UNKNOWN: Code = Code {
    id: "ONR-522",
    title: "topic has no identity",
    reason: "The brokers are too old to give topics an id (before 2.8): a topic that was deleted and made again cannot be told from the old one.",
    example: "$ kafka-broker-api-versions.sh --bootstrap-server kafka-1:9092 # of brokers before 2.8",
    remedy: "Upgrade the brokers; until then nobody may recreate a product's topic.",
};

/// The topic's product is still published.
pub static TOPIC_IN_USE: Code = Code {
    id: "ONR-523",
    title: "topic still published",
    reason: "A gateway that publishes to a topic which it has given back would write beside its next owner, or claim it again at its next start.",
    example: "onramp release-topic commerce.orders.v1   # while its file says status: active",
    remedy: "Write status: retired into the product's file and start the gateway once, so that its progress says so; then release the topic. Where the gateway goes for good, drop its slot and delete its progress topic instead.",
};

/// The topic is not this gateway's to release.
pub static TOPIC_NOT_HELD: Code = Code {
    id: "ONR-524",
    title: "topic not held",
    reason: "A gateway can give back only what it holds. Another's claim is that gateway's to release.",
    example: "onramp release-topic commerce.orders.v1   # with another gateway's file",
    remedy: "Look at the topic's name, and at the gateway file: run the command with the file of the gateway that holds the topic.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &UNREACHABLE,
    &AUTHENTICATION,
    &AUTHORISATION,
    &PROPERTY,
    &TOPIC_MISSING,
    &TOPIC_SETTINGS,
    &TOPIC_PARTITIONS,
    &TOPIC_RECREATED,
    &TOPIC_NOT_CREATED,
    &TOPIC_CLAIMED,
    &PROGRESS_NEWER,
    &PROGRESS_DAMAGED,
    &PROGRESS_UNSTABLE,
    &FENCED,
    &ABORTED,
    &TOO_LONG,
    &TOO_LARGE,
    &TIMEOUT_REFUSED,
    &EVENT_REFUSED,
    &CLIENT,
    &STALLED,
    &TOPIC_ID_UNKNOWN,
    &TOPIC_IN_USE,
    &TOPIC_NOT_HELD,
];
