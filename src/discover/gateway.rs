//! A gateway file, drafted from a source's address.

use std::path::{Path, PathBuf};

use super::draft::TODO;
use super::{names, yaml};

/// What is known of the source.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Its address, as it was given.
    pub(crate) url: String,
    /// Where its password is.
    pub(crate) password: Option<Password>,
    /// How the connection is secured, where it was said.
    pub(crate) tls: Option<String>,
    /// The certificate authority's file.
    pub(crate) ca: Option<PathBuf>,
}

/// Where a password is; never the password.
#[derive(Debug, Clone)]
pub(crate) enum Password {
    Env(String),
    File(PathBuf),
}

/// The key that a drafted gateway file declares for pseudonyms.
pub(crate) const KEY: &str = "pii";

/// The file's text.
pub(crate) fn draft(source: &Source) -> String {
    let database = database(&source.url);
    let kind = match source.url.split_once("://") {
        Some(("postgresql", _)) | None => "postgres",
        Some((scheme, _)) => scheme,
    };
    let mut out = yaml::comment(
        0,
        "Drafted by `onramp discover`. What is marked TODO only you know.",
    );
    out.push_str(&format!("gateway: {}\n", names::gateway(database)));
    out.push_str(&format!(
        "source:\n  type: {}\n  url: {}\n",
        yaml::value(kind),
        yaml::quoted(&source.url)
    ));
    match &source.password {
        Some(Password::Env(name)) => {
            out.push_str(&format!("  password: {{ env: {} }}\n", yaml::value(name)))
        }
        Some(Password::File(path)) => {
            out.push_str(&format!("  password: {{ file: {} }}\n", path_value(path)))
        }
        None => out
            .push_str("  # password: { env: NAME }  # or { file: PATH }, where the role has one\n"),
    }
    let mut tls = Vec::new();
    if let Some(mode) = &source.tls {
        tls.push(("mode", yaml::value(mode)));
    }
    if let Some(ca) = &source.ca {
        tls.push(("ca", path_value(ca)));
    }
    if !tls.is_empty() {
        out.push_str(&yaml::map(2, "tls", &tls));
    }
    out.push_str(&format!(
        "kafka:\n  brokers: [\"localhost:9092\"]  # {TODO}: your brokers\n  \
         # topics: {{ partitions: 6, replication: 3 }}\n\
         registry: {{ url: \"http://localhost:8081\" }}  # {TODO}: your schema registry\n\
         # Personal data is published as a pseudonym under this key: make one, and keep it for good,\n\
         # e.g. `openssl rand -hex 32`.\n\
         keys: {{ {KEY}: {{ env: ONRAMP_PII_KEY }} }}\n\
         # drafts: true  # publishes drafts too: for a test system alone\n\
         products: [products/**/*.yaml]\n"
    ));
    out
}

/// A file that declares the keys of a gateway's and is enough to have drafts read with.
pub(crate) fn around(key: Option<&str>) -> String {
    let keys = match key {
        Some(key) => format!("keys: {{ {}: {{ env: KEY }} }}\n", yaml::value(key)),
        None => String::new(),
    };
    format!(
        "gateway: discovered\nsource: {{ type: postgres, url: \"postgres://u@h/d\" }}\n\
         kafka: {{ brokers: [\"h:1\"] }}\nregistry: {{ url: \"http://h:1\" }}\n{keys}\
         products: [products/**/*.yaml]\n"
    )
}

/// The database's name in an address, as far as it can be told; it is checked by the language.
pub(crate) fn database(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    path.split(['?', '/']).next().unwrap_or_default()
}

fn path_value(path: &Path) -> String {
    yaml::quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_for_its_database_and_holds_no_password() {
        let source = Source {
            url: "postgres://u@h:1/Legacy-ERP?x=y".into(),
            password: Some(Password::Env("DB_PASSWORD".into())),
            tls: Some("disable".into()),
            ca: None,
        };
        let text = draft(&source);
        for part in [
            "gateway: legacy_erp\n",
            "password: { env: DB_PASSWORD }",
            "tls: { mode: disable }",
            "type: postgres\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(database("postgres://u@h"), "");
    }
}
