//! From the gateway file's words to each crate's own settings.

use std::sync::Arc;

use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::{Gateway, Headers, Secret, TlsMode};
use onramp_postgres::{Names, Target};
use onramp_publisher::{HeaderMode, KafkaSettings};
use onramp_registry::RegistryOptions;

type Reader = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

fn reader(secret: &Option<Secret>) -> Option<Reader> {
    let secret = secret.clone()?;
    Some(Arc::new(move || secret.read()))
}

/// Reads a secret that a client library takes once.
pub(super) fn read(secret: &Secret, setting: &str) -> Result<String, Failure> {
    secret.read().map_err(|reason| {
        Failure::stop(
            Kind::Configuration,
            Finding::error(
                &running::SECRET_UNREADABLE,
                Place::Setting(setting.to_owned()),
                "the secret cannot be read",
            )
            .because(reason)
            .remedy("set the environment variable, or make the file readable to the gateway"),
        )
    })
}

/// What the source's connector needs.
pub(crate) fn source(gateway: &Gateway, instance: &str) -> Names {
    let source = &gateway.source;
    let ours = format!("onramp_{}", gateway.name.value);
    let accepted = |word: &str| source.accept.iter().any(|a| a == word);
    Names {
        target: Target {
            host: source.host.clone(),
            port: source.port,
            user: source.user.clone(),
            database: source.database.clone(),
            password: reader(&source.password),
            tls: match source.tls {
                TlsMode::Disable => onramp_postgres::TlsMode::Disable,
                TlsMode::Prefer => onramp_postgres::TlsMode::Prefer,
                TlsMode::Require => onramp_postgres::TlsMode::Require,
                TlsMode::VerifyCa => onramp_postgres::TlsMode::VerifyCa,
                TlsMode::VerifyFull => onramp_postgres::TlsMode::VerifyFull,
            },
            ca: source.ca.clone(),
            // The server keeps 63 bytes of it: what tells processes apart comes first.
            application_name: format!("onramp/{instance}/{}", gateway.name.value),
        },
        database: source.database.clone(),
        slot: source
            .slot
            .as_ref()
            .map_or_else(|| ours.clone(), |s| s.value.clone()),
        slot_by_dba: source.slot.is_some(),
        publication: source
            .publication
            .as_ref()
            .map_or_else(|| ours.clone(), |p| p.value.clone()),
        publication_by_dba: source.publication.is_some(),
        accept_unbounded_wal: accepted("unbounded_wal"),
        accept_partitions_without_key: accepted("partitions_without_key"),
        accept_messages_outside_transactions: accepted("messages_outside_transactions"),
    }
}

/// What the publisher needs.
pub(crate) fn kafka(gateway: &Gateway) -> Result<KafkaSettings, Failure> {
    let kafka = &gateway.kafka;
    let mut settings = KafkaSettings::new(kafka.brokers.clone());
    settings.properties = kafka.properties.clone();
    if let Some(security) = &kafka.security {
        let mut set = |name: &str, value: &str| {
            settings
                .properties
                .push((name.to_owned(), value.to_owned()));
        };
        set("security.protocol", &security.protocol);
        if let Some(mechanism) = &security.mechanism {
            set("sasl.mechanism", mechanism);
        }
        if let Some(username) = &security.username {
            set("sasl.username", username);
        }
        if let Some(password) = &security.password {
            set("sasl.password", &read(password, "kafka.security.password")?);
        }
        if let Some(ca) = &security.ca {
            set("ssl.ca.location", &ca.to_string_lossy());
        }
    }
    settings.partitions = kafka.partitions;
    settings.replication = kafka.replication;
    settings.topic_settings = kafka.topic_settings.clone();
    settings.queue_bytes = gateway.limits.queue;
    settings.commit_every = gateway.commit_every;
    settings.commit_bytes = gateway.commit_bytes;
    settings.row_bytes = gateway.limits.row;
    settings.headers = match gateway.headers {
        Headers::CloudEvents => HeaderMode::CloudEvents,
        Headers::Transaction => HeaderMode::Transaction,
        Headers::None => HeaderMode::None,
    };
    Ok(settings)
}

/// What the registry's client needs.
pub(crate) fn registry(gateway: &Gateway) -> RegistryOptions {
    let mut options = RegistryOptions::new(gateway.registry.url.clone());
    options.username = gateway.registry.username.clone();
    options.password = reader(&gateway.registry.password);
    options.ca = gateway.registry.ca.clone();
    options
}
