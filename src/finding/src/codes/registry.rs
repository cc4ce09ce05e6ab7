//! The schema registry, and contracts that may not change so.

use crate::Code;

/// No answer, or one that says that it cannot work now.
pub static REGISTRY_UNREACHABLE: Code = Code {
    id: "ONR-601",
    title: "schema registry unreachable",
    reason: "The registry did not answer in time, refused the connection, or answered that it cannot work now. No event is published under a schema that is not registered.",
    example: "registry: { url: \"http://registry:8082\" } # nothing listens there",
    remedy: "Nothing, where it is only starting: it is tried again. Otherwise check registry.url and the registry's own log.",
};

/// Credentials that it does not take.
pub static REGISTRY_REFUSED: Code = Code {
    id: "ONR-602",
    title: "schema registry refuses access",
    reason: "The registry does not know the user, or does not allow it the request. Trying again cannot help, and could lock the account.",
    example: "registry: { url: \"https://registry:8081\", username: onramp } # the password is missing",
    remedy: "Check registry.username and registry.password, and that the user may read and write the subjects of the products and their configuration.",
};

/// Something that is not the documented API.
pub static REGISTRY_ANSWER: Code = Code {
    id: "ONR-603",
    title: "answer of the schema registry not understood",
    reason: "What answers at registry.url does not speak the documented API of schema registries: another server, a proxy's page, a redirect, or an answer beyond the limit of size.",
    example: "registry: { url: \"https://registry/wrong/path\" }",
    remedy: "Let registry.url be the address under which /subjects answers, its path included.",
};

/// Settings that no connection can be made with.
pub static REGISTRY_SETTINGS: Code = Code {
    id: "ONR-604",
    title: "settings of the schema registry",
    reason: "With these settings no connection can be made, or a secret would stand where it is printed.",
    example: "registry: { url: \"https://user:password@registry\" }",
    remedy: "Write an http or https address without a user; name user, password and ca beside it.",
};

/// A certificate that is not trusted.
pub static REGISTRY_TLS: Code = Code {
    id: "ONR-605",
    title: "schema registry not trusted",
    reason: "The TLS handshake failed: the certificate is not signed by an authority that is trusted here, names another host, or has expired.",
    example: "registry: { url: \"https://registry:8081\" } # its authority is the company's own, and ca is missing",
    remedy: "Set registry.ca to the authority's certificate, or renew the registry's own.",
};

/// A schema that the registry does not take.
pub static REGISTRY_SCHEMA: Code = Code {
    id: "ONR-606",
    title: "schema refused by the registry",
    reason: "The registry holds the schema for invalid, or for incompatible with a version that the subject has.",
    example: "total: { type: string, from: total_text } # it was a decimal in the version before",
    remedy: "Compare the product's contract with the subject's versions; a breaking change is a new version of the product.",
};

/// A subject's level is not the product's.
pub static LEVEL_DIFFERS: Code = Code {
    id: "ONR-610",
    title: "compatibility level differs",
    reason: "Consumers rely on the level that the registry shows for the subject; another one in the product's file would promise more, or less, than is kept.",
    example: "compatibility: backward",
    remedy: "Write the subject's level into the product's file, or have the subject's owner set the product's level.",
};

/// A contract that may not follow the ones before it.
pub static CONTRACT_BREAKS: Code = Code {
    id: "ONR-611",
    title: "contract breaks an earlier version",
    reason: "The topic keeps the events of earlier versions, and consumers read by them. docs/evolution.md lists the rules.",
    example: "fields: { total: { type: \"decimal(12,3)\", from: tot_amt } }",
    remedy: "Make the change a compatible one, or start a new version of the product on a topic of its own.",
};

/// A version in the registry that cannot be compared.
pub static VERSION_UNREADABLE: Code = Code {
    id: "ONR-612",
    title: "version cannot be compared",
    reason: "A version of the subject is not Avro, refers to schemas elsewhere, or cannot be read: whether the contract may follow it cannot be told.",
    example: "$ curl https://registry:8081/subjects/commerce.orders.v1-value/versions/1 # says \"schemaType\": \"PROTOBUF\"",
    remedy: "See who registered it; delete the version where no event was written with it, or start a new version of the product.",
};

/// The registry has lost what was published.
pub static CONTRACT_GONE: Code = Code {
    id: "ONR-613",
    title: "published contract gone from the registry",
    reason: "The product was published before, and its events carry schema ids, but the subject has no version: it is another registry, or an emptied one. A new schema could get an id that earlier events carry with another meaning.",
    example: "registry: { url: \"https://new-registry:8081\" } # the old one's data was not moved",
    remedy: "Check registry.url; restore the registry's data with its ids.",
};

/// A key's schema may not change.
pub static KEY_CHANGED: Code = Code {
    id: "ONR-614",
    title: "key schema changed",
    reason: "A key's bytes begin with its schema's id: under another schema the same key has other bytes, goes to another partition, and is never compacted with its earlier events.",
    example: "key: [order_id, line_no]",
    remedy: "Keep the key's fields and their types, or start a new version of the product.",
};

/// The registry itself would not take it.
pub static REGISTRY_WOULD_REFUSE: Code = Code {
    id: "ONR-615",
    title: "registry would refuse the contract",
    reason: "The registry's own check finds the contract incompatible, so that registering it would fail.",
    example: "status: { type: enum, from: ord_stat, values: { \"N\": NEW } } # the registry's level was set to FORWARD by hand",
    remedy: "Follow the registry's messages, or start a new version of the product.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &REGISTRY_UNREACHABLE,
    &REGISTRY_REFUSED,
    &REGISTRY_ANSWER,
    &REGISTRY_SETTINGS,
    &REGISTRY_TLS,
    &REGISTRY_SCHEMA,
    &LEVEL_DIFFERS,
    &CONTRACT_BREAKS,
    &VERSION_UNREADABLE,
    &CONTRACT_GONE,
    &KEY_CHANGED,
    &REGISTRY_WOULD_REFUSE,
];
