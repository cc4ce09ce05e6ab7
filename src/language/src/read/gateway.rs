//! The gateway file's struct.

use std::path::{Path, PathBuf};

use onramp_finding::codes::files;

use super::address;
use crate::definition::{GATEWAY, Key, Value, duration, size};
use crate::faults::Faults;
use crate::yaml::{Node, names_a_secret};
use crate::{
    Admin, Gateway, Headers, KafkaSettings, Limits, RegistrySettings, Secret, Security, Snapshot,
    SourceSettings, TlsMode,
};

/// Properties of the Kafka client that the gateway sets itself.
const OWNED: &[&str] = &[
    "acks",
    "request.required.acks",
    "bootstrap.servers",
    "metadata.broker.list",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "transactional.id",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "delivery.report.only.error",
    "isolation.level",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "group.id",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "partitioner",
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
];

/// The text under a path, or the definition's default.
fn said(root: &Node, path: &[&str]) -> Option<String> {
    if let Some(text) = root.text_at(path) {
        return Some(text.to_owned());
    }
    let mut keys: &'static [Key] = GATEWAY;
    let mut found = None;
    for name in path {
        let key = keys.iter().find(|k| k.name == *name)?;
        found = key.default;
        keys = match key.value {
            Value::Map(keys) => keys,
            _ => &[],
        };
    }
    found.map(str::to_owned)
}

fn secret(node: Option<&Node>, folder: &Path) -> Option<Secret> {
    let node = node?;
    match (node.text_at(&["env"]), node.text_at(&["file"])) {
        (Some(name), None) => Some(Secret::Env(name.to_owned())),
        (None, Some(path)) => Some(Secret::File(folder.join(path))),
        _ => None,
    }
}

fn texts(node: Option<&Node>) -> Vec<String> {
    node.map_or(&[][..], Node::items)
        .iter()
        .filter_map(|n| n.text().map(str::to_owned))
        .collect()
}

fn pairs(node: Option<&Node>) -> Vec<(String, String)> {
    node.map_or(&[][..], Node::entries)
        .iter()
        .filter_map(|e| Some((e.key.clone(), e.value.text()?.to_owned())))
        .collect()
}

/// The gateway without its products; none where something that it needs is missing. Paths of
/// secrets and certificates are relative to the gateway file's folder.
pub(crate) fn gateway(root: &Node, folder: &Path, faults: &mut Faults) -> Option<Gateway> {
    properties(root, faults);
    topic_settings(root, faults);
    let limits = limits(root, faults);
    security(root, faults);
    let name = root.get("gateway")?;
    let kafka = root.get("kafka")?;
    let path = |node: Option<&str>| node.map(|p| folder.join(p));
    let number = |path: &[&str]| said(root, path)?.parse::<i32>().ok();
    Some(Gateway {
        name: faults.spanned(name, name.text()?.to_owned()),
        source: source(root, &path, folder, faults)?,
        kafka: KafkaSettings {
            brokers: texts(kafka.get("brokers")),
            security: kafka.get("security").and_then(|node| {
                Some(Security {
                    protocol: node.text_at(&["protocol"])?.to_owned(),
                    mechanism: node.text_at(&["mechanism"]).map(str::to_owned),
                    username: node.text_at(&["username"]).map(str::to_owned),
                    password: secret(node.get("password"), folder),
                    ca: path(node.text_at(&["ca"])),
                })
            }),
            partitions: number(&["kafka", "topics", "partitions"])?,
            replication: number(&["kafka", "topics", "replication"])?,
            topic_settings: pairs(kafka.at(&["topics", "settings"])),
            properties: pairs(kafka.get("properties")),
        },
        registry: RegistrySettings {
            url: root.text_at(&["registry", "url"])?.to_owned(),
            username: root.text_at(&["registry", "username"]).map(str::to_owned),
            password: secret(root.at(&["registry", "password"]), folder),
            ca: path(root.text_at(&["registry", "ca"])),
        },
        keys: root
            .get("keys")
            .map_or(&[][..], Node::entries)
            .iter()
            .filter_map(|e| Some((e.key.clone(), secret(Some(&e.value), folder)?)))
            .collect(),
        limits: limits?,
        snapshot: Snapshot {
            readers: usize::try_from(number(&["snapshot", "readers"])?).ok()?,
            chunk_rows: u32::try_from(number(&["snapshot", "chunk_rows"])?).ok()?,
        },
        headers: match said(root, &["headers"])?.as_str() {
            "cloudevents" => Headers::CloudEvents,
            "transaction" => Headers::Transaction,
            _ => Headers::None,
        },
        commit_every: duration(&said(root, &["commit", "every"])?)?,
        commit_bytes: size(&said(root, &["commit", "bytes"])?)?,
        drain: duration(&said(root, &["drain"])?)?,
        drafts: said(root, &["drafts"])? == "true",
        health: root
            .text_at(&["health", "listen"])
            .and_then(|t| t.parse().ok()),
        admin: admin(root, folder, faults),
        products: Vec::new(),
    })
}

fn admin(root: &Node, folder: &Path, faults: &mut Faults) -> Option<Admin> {
    let node = root.at(&["admin", "listen"])?;
    let listen: std::net::SocketAddr = node.text()?.parse().ok()?;
    if !listen.ip().is_loopback() && root.at(&["admin", "token"]).is_none() {
        faults
            .error(
                &files::OPEN_ADMIN,
                node,
                format!("`admin.listen` takes commands from anybody who reaches {listen}"),
            )
            .because("a back-fill republishes whole products, and nobody would be asked who he is")
            .remedy("listen on 127.0.0.1, or add `token: { file: /run/secrets/onramp-admin }`");
    }
    Some(Admin {
        listen,
        token: secret(root.at(&["admin", "token"]), folder),
    })
}

fn source(
    root: &Node,
    path: &dyn Fn(Option<&str>) -> Option<PathBuf>,
    folder: &Path,
    faults: &Faults,
) -> Option<SourceSettings> {
    let node = root.get("source")?;
    let address = address::parse(node.text_at(&["url"])?).ok()?;
    let spanned = |key: &str| {
        let node = node.get(key)?;
        Some(faults.spanned(node, node.text()?.to_owned()))
    };
    Some(SourceSettings {
        kind: node.text_at(&["type"])?.to_owned(),
        host: address.host,
        port: address.port,
        user: address.user,
        database: address.database,
        password: secret(node.get("password"), folder),
        tls: match said(root, &["source", "tls", "mode"])?.as_str() {
            "disable" => TlsMode::Disable,
            "prefer" => TlsMode::Prefer,
            "require" => TlsMode::Require,
            "verify-ca" => TlsMode::VerifyCa,
            _ => TlsMode::VerifyFull,
        },
        ca: path(node.text_at(&["tls", "ca"])),
        slot: spanned("slot"),
        publication: spanned("publication"),
        accept: texts(node.get("accept")),
    })
}

fn properties(root: &Node, faults: &mut Faults) {
    for entry in root
        .at(&["kafka", "properties"])
        .map_or(&[][..], Node::entries)
    {
        let name = entry.key.as_str();
        let node = entry.key_node();
        if OWNED.contains(&name) {
            faults
                .error(&files::OWNED_PROPERTY, &node, format!("`{name}` is set by the gateway itself"))
                .because("exactly-once rests on it, or it has a key of its own")
                .remedy("remove it; addresses, users and limits have keys of their own in the gateway file");
        } else if names_a_secret(name) && !name.ends_with("location") && !name.ends_with("url") {
            faults
                .error(
                    &files::SECRET_IN_FILE,
                    &node,
                    format!("`{name}` is a secret and stands in a file"),
                )
                .remedy("use `kafka.security.password`, which says where the secret is");
        }
    }
}

/// Settings of topics that follow from something else.
fn topic_settings(root: &Node, faults: &mut Faults) {
    if let Some(node) = root.at(&["kafka", "topics", "settings", "cleanup.policy"]) {
        faults
            .error(
                &files::OWNED_PROPERTY,
                node,
                "`cleanup.policy` follows from a product's kind",
            )
            .because("another would lose an entity's state, or all facts of a key but the last")
            .remedy("remove it from `kafka.topics.settings`");
    }
}

fn security(root: &Node, faults: &mut Faults) {
    let Some(node) = root.at(&["kafka", "security"]) else {
        return;
    };
    let sasl = node
        .text_at(&["protocol"])
        .is_some_and(|p| p.starts_with("SASL"));
    for key in ["mechanism", "username", "password"] {
        match node.get(key) {
            None if sasl => crate::check::missing_at(
                node,
                key,
                None,
                "a SASL protocol logs in with mechanism, username and password",
                "kafka.security",
                faults,
            ),
            Some(value) if !sasl && node.get("protocol").is_some() => {
                faults
                    .error(
                        &files::MISPLACED_KEY,
                        value,
                        format!("`{key}` does not belong beside a protocol without SASL"),
                    )
                    .remedy("use SASL_SSL, or remove it");
            }
            _ => {}
        }
    }
}

fn limits(root: &Node, faults: &mut Faults) -> Option<Limits> {
    let bytes = |key: &str| size(&said(root, &["limits", key])?);
    let limits = Limits {
        row: bytes("row")?,
        chunk: bytes("chunk")?,
        queue: bytes("queue")?,
        changed_keys: bytes("changed_keys")?,
        moved_keys: bytes("moved_keys")?,
    };
    let pairs = [
        ("row", limits.row, "chunk", limits.chunk),
        ("chunk", limits.chunk, "queue", limits.queue),
    ];
    for (small, less, large, more) in pairs {
        let node = root
            .at(&["limits", small])
            .or_else(|| root.at(&["limits", large]));
        if less > more
            && let Some(node) = node
        {
            faults
                .error(
                    &files::LIMITS,
                    node,
                    format!("`limits.{small}` is larger than `limits.{large}`"),
                )
                .because(format!(
                    "the largest {small} that is allowed would never fit into a {large}"
                ))
                .remedy(format!("raise `limits.{large}` or lower `limits.{small}`"));
        }
    }
    Some(limits)
}
