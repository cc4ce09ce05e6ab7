//! Environment variables and flags, laid over the gateway file's values.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Config, Environment, ValueKind};
use onramp_finding::{Finding, Place, SourceFile, Span, codes::files};

use crate::definition::{GATEWAY, Key, Value};
use crate::faults::Faults;
use crate::yaml::{Content, Entry, Node};
use onramp_finding::nearest;

/// Values that come before the gateway file's: flags before environment variables.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Environment variables, all of them; those of the form `ONRAMP_SOURCE__URL` are taken.
    pub environment: Vec<(String, String)>,
    /// Flags: a path such as `source.url`, and the value.
    pub flags: Vec<(String, String)>,
}

impl Overrides {
    /// The process's environment, and `--set path=value` as it was written.
    pub fn from_process(set: &[String]) -> Result<Self, Vec<Finding>> {
        let mut wrong = Vec::new();
        let mut flags = Vec::new();
        for text in set {
            match text.split_once('=') {
                Some((path, value)) if !path.is_empty() => {
                    flags.push((path.to_owned(), value.to_owned()))
                }
                _ => wrong.push(
                    Finding::error(
                        &files::UNKNOWN_SETTING,
                        Place::Setting("--set".into()),
                        "a `--set` has no path and value",
                    )
                    .remedy("write it like `--set source.url=postgres://onramp@db/shop`"),
                ),
            }
        }
        let environment = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        match wrong.is_empty() {
            true => Ok(Overrides { environment, flags }),
            false => Err(wrong),
        }
    }
}

/// Lays the settings over the gateway file's tree.
pub(super) fn apply(root: &mut Node, overrides: &Overrides, faults: &mut Faults) {
    let ours: config::Map<String, String> = overrides
        .environment
        .iter()
        .filter(|(name, _)| is_ours(name))
        .cloned()
        .collect();
    let environment = Environment::with_prefix("ONRAMP")
        .prefix_separator("_")
        .separator("__")
        .source(Some(ours));
    layer(
        root,
        Config::builder().add_source(environment).build(),
        &Origin::Environment,
        faults,
    );
    let mut builder = Config::builder();
    for (path, value) in &overrides.flags {
        builder = match builder.set_override(path.as_str(), value.as_str()) {
            Ok(builder) => builder,
            Err(_) => {
                return unreadable(&format!("--set {path}"), faults);
            }
        };
    }
    layer(root, builder.build(), &Origin::Flag, faults);
}

/// Whether a variable is meant for the file. A platform may put names of its own there
/// (`ONRAMP_SERVICE_HOST`, for a service called `onramp`): one without `__` is a setting only if
/// it is a key of the gateway file.
fn is_ours(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("ONRAMP_") else {
        return false;
    };
    rest.contains("__") || GATEWAY.iter().any(|k| k.name.eq_ignore_ascii_case(rest))
}

enum Origin {
    Environment,
    Flag,
}

impl Origin {
    /// The setting's name, as the user wrote it.
    fn name(&self, path: &[String]) -> String {
        match self {
            Origin::Environment => format!("ONRAMP_{}", path.join("__").to_uppercase()),
            Origin::Flag => format!("--set {}", path.join(".")),
        }
    }
}

fn unreadable(setting: &str, faults: &mut Faults) {
    faults
        .add(Finding::error(
            &files::UNKNOWN_SETTING,
            Place::Setting(setting.to_owned()),
            format!("`{setting}` is not a path of keys"),
        ))
        .remedy("write the keys with a `.` between them, e.g. `source.url`");
}

fn layer(
    root: &mut Node,
    config: Result<Config, config::ConfigError>,
    origin: &Origin,
    faults: &mut Faults,
) {
    let Ok(config) = config else {
        return unreadable("ONRAMP_…", faults);
    };
    if let ValueKind::Table(table) = config.cache.kind {
        merge(root, GATEWAY, table, &mut Vec::new(), origin, faults);
    }
}

type Table = config::Map<String, config::Value>;

fn merge(
    node: &mut Node,
    keys: &'static [Key],
    table: Table,
    path: &mut Vec<String>,
    origin: &Origin,
    faults: &mut Faults,
) {
    // In order of names, so that findings are, too.
    for (name, value) in table.into_iter().collect::<BTreeMap<_, _>>() {
        path.push(name.clone());
        match keys.iter().find(|k| k.name == name) {
            Some(key) => set(
                slot(node, key.name),
                key.value,
                value.kind,
                path,
                origin,
                faults,
            ),
            None => {
                let setting = origin.name(path);
                let near = nearest(&name, keys.iter().map(|k| k.name));
                let remedy = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "correct the path or remove the setting".to_owned(),
                };
                faults
                    .add(Finding::error(
                        &files::UNKNOWN_SETTING,
                        Place::Setting(setting.clone()),
                        format!("`{setting}` names no key of the gateway file"),
                    ))
                    .because(format!("there is no key `{name}`"))
                    .remedy(remedy);
            }
        }
        path.pop();
    }
}

fn set(
    node: &mut Node,
    wanted: Value,
    kind: ValueKind,
    path: &mut Vec<String>,
    origin: &Origin,
    faults: &mut Faults,
) {
    let from = |path: &[String]| {
        Some(Arc::new(SourceFile {
            name: origin.name(path),
            text: String::new(),
        }))
    };
    let text = |text: String, path: &[String]| Node {
        span: Span::default(),
        content: if text.is_empty() {
            Content::Empty
        } else {
            Content::Text(text)
        },
        setting: from(path),
    };
    match (wanted, kind) {
        (Value::Map(keys), ValueKind::Table(table)) => {
            merge(node, keys, table, path, origin, faults)
        }
        // Names of the team's own may hold a `.`, so what stands deeper is one name again.
        (Value::Named(..), ValueKind::Table(table)) => {
            let mut flat = Vec::new();
            flatten(&wanted, "", table, &mut flat);
            for (name, value) in flat {
                path.push(name.clone());
                match value {
                    Named::Text(value) => *slot(node, &name) = text(value, path),
                    Named::Secret(kind, place) => {
                        let inside = text(place, path);
                        *slot(slot(node, &name), &kind) = inside;
                    }
                }
                path.pop();
            }
        }
        (Value::Secret, ValueKind::Table(table)) => {
            node.content = Content::Map(Vec::new());
            node.setting = from(path);
            for (name, value) in table {
                path.push(name.clone());
                let inside = text(scalar(value.kind), path);
                *slot(node, &name) = inside;
                path.pop();
            }
        }
        (Value::List(_), ValueKind::String(items)) => {
            let items = items
                .split(',')
                .map(|i| text(i.trim().to_owned(), path))
                .collect();
            node.content = Content::List(items);
            node.setting = from(path);
        }
        (_, kind) => *node = text(scalar(kind), path),
    }
}

enum Named {
    Text(String),
    Secret(String, String),
}

fn flatten(wanted: &Value, name: &str, table: Table, out: &mut Vec<(String, Named)>) {
    let secrets = matches!(wanted, Value::Named(_, Value::Secret));
    for (part, value) in table.into_iter().collect::<BTreeMap<_, _>>() {
        let whole = if name.is_empty() {
            part.clone()
        } else {
            format!("{name}.{part}")
        };
        match value.kind {
            ValueKind::Table(inside) => flatten(wanted, &whole, inside, out),
            kind if secrets && !name.is_empty() => {
                out.push((name.to_owned(), Named::Secret(part, scalar(kind))))
            }
            kind => out.push((whole, Named::Text(scalar(kind)))),
        }
    }
}

fn scalar(kind: ValueKind) -> String {
    match kind {
        ValueKind::String(text) => text,
        ValueKind::Boolean(b) => b.to_string(),
        ValueKind::I64(n) => n.to_string(),
        _ => String::new(),
    }
}

/// The value under a key, made where it is not there.
fn slot<'n>(node: &'n mut Node, name: &str) -> &'n mut Node {
    if !matches!(node.content, Content::Map(_)) {
        node.content = Content::Map(Vec::new());
    }
    let Content::Map(entries) = &mut node.content else {
        unreachable!("it was just made a map")
    };
    let at = match entries.iter().position(|e| e.key == name) {
        Some(at) => at,
        None => {
            entries.push(Entry {
                key: name.to_owned(),
                key_span: node.span,
                value: Node {
                    span: node.span,
                    content: Content::Empty,
                    setting: None,
                },
            });
            entries.len() - 1
        }
    };
    &mut entries[at].value
}
