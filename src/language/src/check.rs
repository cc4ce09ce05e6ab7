//! A tree held against the language's definition: keys, shapes, words and forms.
//!
//! Every fault is told here once; what reads the tree afterwards passes over what does not fit.

use onramp_finding::codes::files;

use crate::definition::{Case, Cases, FIELD, Form, ITEMS, Key, Value, Word};
use crate::definition::{Complaint, suggestion};
use crate::faults::Faults;
use crate::yaml::{Content, Entry, Node};
use onramp_finding::nearest;

/// Checks what stands under a key; `path` is the key's path, for messages.
pub(crate) fn check(node: &Node, value: Value, path: &str, faults: &mut Faults) {
    match value {
        Value::Text(form) => text(node, form, path, faults),
        Value::Words(words) => word(node, words, path, faults),
        Value::List(item) => list(node, *item, path, faults),
        Value::Map(keys) => {
            if map(node, path, faults) {
                entries(node, keys, path, faults, &|_| None);
            }
        }
        Value::One(keys) => one(node, keys, path, faults),
        Value::WordOrOne(words, keys) => match node.content {
            Content::Map(_) => one(node, keys, path, faults),
            _ => word(node, words, path, faults),
        },
        Value::Named(form, inside) => {
            if map(node, path, faults) {
                for entry in node.entries() {
                    complain(form.check(&entry.key), &entry.key_node(), faults);
                    check(
                        &entry.value,
                        *inside,
                        &format!("{path}.{}", entry.key),
                        faults,
                    );
                }
            }
        }
        Value::Secret => secret(node, path, faults),
        Value::Fields | Value::Opened => {
            if map(node, path, faults) {
                for entry in node.entries() {
                    complain(Form::FieldName.check(&entry.key), &entry.key_node(), faults);
                    field(&entry.value, &format!("{path}.{}", entry.key), faults);
                }
            }
        }
        Value::Items => {
            if map(node, path, faults) {
                cases(node, &ITEMS, node.text_at(&["type"]), path, faults);
            }
        }
        Value::Row => {
            if map(node, path, faults) {
                for entry in node.entries() {
                    // An array's elements are texts, or nothing.
                    for node in std::iter::once(&entry.value).chain(entry.value.items()) {
                        let list = std::ptr::eq(node, &entry.value);
                        if matches!(node.content, Content::Map(_))
                            || !list && matches!(node.content, Content::List(_))
                        {
                            let path = format!("{path}.{}", entry.key);
                            text(node, Form::Code, &path, faults);
                        }
                    }
                }
            }
        }
        Value::Tree => {
            map(node, path, faults);
        }
        Value::Later => {}
    }
}

/// Checks the keys of a file that is a plain map.
pub(crate) fn file(root: &Node, keys: &'static [Key], faults: &mut Faults) {
    entries(root, keys, "", faults, &|_| None);
}

/// Checks a map in which one key decides on the others.
pub(crate) fn cases(
    node: &Node,
    cases: &'static Cases,
    word: Option<&str>,
    path: &str,
    faults: &mut Faults,
) {
    let case = word.and_then(|w| cases.case(w));
    // Where the deciding word is missing or wrong, that alone is told: every key may be right.
    let Some(case) = case else {
        let all: Vec<&Key> = cases
            .common
            .iter()
            .chain(cases.cases.iter().flat_map(|c| c.keys))
            .collect();
        for entry in node.entries() {
            match all.iter().find(|k| k.name == entry.key) {
                None => unknown(entry, all.iter().copied(), path, faults),
                Some(key) if cases.common.iter().any(|k| k.name == key.name) => {
                    known(entry, key, path, faults)
                }
                Some(_) => {}
            }
        }
        missing(node, cases.common, path, faults);
        return;
    };
    let elsewhere = |name: &str| {
        let owners: Vec<&Case> = cases
            .cases
            .iter()
            .filter(|c| c.keys.iter().any(|k| k.name == name))
            .collect();
        (!owners.is_empty()).then(|| {
            let titles: Vec<&str> = owners.iter().flat_map(|c| c.words).copied().collect();
            (
                format!(
                    "`{name}` does not belong beside `{}: {}`",
                    cases.by,
                    word.unwrap_or_default()
                ),
                format!("it belongs beside `{}: {}`", cases.by, titles.join("`, `")),
            )
        })
    };
    let keys: Vec<&Key> = cases.common.iter().chain(case.keys).collect();
    entries_of(node, &keys, path, faults, &elsewhere);
}

fn field(node: &Node, path: &str, faults: &mut Faults) {
    if !map(node, path, faults) {
        return;
    }
    cases(node, &FIELD, node.text_at(&["type"]), path, faults);
}

type Elsewhere<'e> = &'e dyn Fn(&str) -> Option<(String, String)>;

fn entries(
    node: &Node,
    keys: &'static [Key],
    path: &str,
    faults: &mut Faults,
    elsewhere: Elsewhere<'_>,
) {
    let keys: Vec<&Key> = keys.iter().collect();
    entries_of(node, &keys, path, faults, elsewhere);
}

fn entries_of(
    node: &Node,
    keys: &[&Key],
    path: &str,
    faults: &mut Faults,
    elsewhere: Elsewhere<'_>,
) {
    for entry in node.entries() {
        match keys.iter().find(|k| k.name == entry.key) {
            Some(key) => known(entry, key, path, faults),
            None => match elsewhere(&entry.key) {
                None => unknown(entry, keys.iter().copied(), path, faults),
                Some((message, reason)) => {
                    faults
                        .error(&files::MISPLACED_KEY, &entry.key_node(), message)
                        .because(reason)
                        .remedy(format!("remove `{}`", entry.key));
                }
            },
        }
    }
    for key in keys.iter().filter(|k| k.required) {
        missing_key(node, key, path, faults);
    }
}

fn missing(node: &Node, keys: &'static [Key], path: &str, faults: &mut Faults) {
    for key in keys.iter().filter(|k| k.required) {
        missing_key(node, key, path, faults);
    }
}

fn missing_key(node: &Node, key: &Key, path: &str, faults: &mut Faults) {
    if node.get(key.name).is_none() && !misspelt(node, key.name) {
        missing_at(node, key.name, key.example, key.doc, path, faults);
    }
}

/// Whether a key stands there that was meant to be this one: it has a finding of its own.
pub(crate) fn misspelt(node: &Node, name: &str) -> bool {
    node.entries()
        .iter()
        .any(|e| e.key != name && nearest(&e.key, std::iter::once(name)).is_some())
}

/// Tells that a key is missing in a map.
pub(crate) fn missing_at(
    node: &Node,
    name: &str,
    example: Option<&str>,
    doc: &str,
    path: &str,
    faults: &mut Faults,
) {
    let within = within(path);
    let mut place = node.clone();
    // The map as a whole would be shown; its first key says where enough.
    if let Some(first) = node.entries().first() {
        place.span = first.key_span;
    }
    let remedy = match example {
        Some(example) => format!("add it, e.g. `{name}: {example}`"),
        None => format!("add it: {}", doc.trim_end_matches('.')),
    };
    faults
        .error(
            &files::MISSING_KEY,
            &place,
            format!("the key `{name}` is missing{within}"),
        )
        .remedy(remedy);
}

fn known(entry: &Entry, key: &Key, path: &str, faults: &mut Faults) {
    let path = join(path, key.name);
    if !key.built {
        faults
            .error(
                &files::NOT_BUILT,
                &entry.key_node(),
                format!("`{path}` is part of the language but not built yet"),
            )
            .because("read and ignored, it would promise what nobody keeps")
            .remedy("leave it out for now");
        return;
    }
    check(&entry.value, key.value, &path, faults);
}

fn unknown<'k>(
    entry: &Entry,
    keys: impl Iterator<Item = &'k Key> + Clone,
    path: &str,
    faults: &mut Faults,
) {
    let mut names: Vec<&str> = Vec::new();
    for key in keys.filter(|k| k.built) {
        // Several cases may have it.
        if !names.contains(&key.name) {
            names.push(key.name);
        }
    }
    let remedy = match nearest(&entry.key, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("use one of `{}`", names.join("`, `")),
    };
    let message = format!("unknown key `{}`{}", entry.key, within(path));
    faults
        .error(&files::UNKNOWN_KEY, &entry.key_node(), message)
        .remedy(remedy);
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

fn within(path: &str) -> String {
    match path {
        "" => String::new(),
        _ => format!(" under `{path}`"),
    }
}

fn shape(node: &Node, path: &str, wanted: &str, example: &str, faults: &mut Faults) {
    let found = match node.content {
        Content::Empty => "nothing",
        Content::Text(_) => "a single value",
        Content::List(_) => "a list",
        Content::Map(_) => "a map",
    };
    faults
        .error(
            &files::WRONG_SHAPE,
            node,
            format!("`{path}` needs {wanted}, and {found} stands here"),
        )
        .remedy(format!("write it like {example}"));
}

fn map(node: &Node, path: &str, faults: &mut Faults) -> bool {
    let fits = matches!(node.content, Content::Map(_));
    if !fits {
        let last = path.rsplit('.').next().unwrap_or(path);
        shape(
            node,
            path,
            "a map",
            &format!("`{last}: {{ key: value }}`"),
            faults,
        );
    }
    fits
}

fn text(node: &Node, form: Form, path: &str, faults: &mut Faults) {
    match node.text() {
        Some(text) => complain(form.check(text), node, faults),
        None => {
            let last = path.rsplit('.').next().unwrap_or(path);
            shape(
                node,
                path,
                "a single value",
                &format!("`{last}: value`; quote it where it holds `{{`, `[` or `: `"),
                faults,
            );
        }
    }
}

fn complain(outcome: Result<(), Complaint>, node: &Node, faults: &mut Faults) {
    if let Err(complaint) = outcome {
        faults
            .error(complaint.code, node, complaint.message)
            .remedy(complaint.remedy);
    }
}

fn word(node: &Node, words: &'static [Word], path: &str, faults: &mut Faults) {
    let Some(text) = node.text() else {
        let example = words.first().map_or("value", |w| w.word);
        let last = path.rsplit('.').next().unwrap_or(path);
        return shape(
            node,
            path,
            "a word",
            &format!("`{last}: {example}`"),
            faults,
        );
    };
    match words.iter().find(|w| w.word == text) {
        Some(word) if word.built => {}
        Some(_) => {
            faults
                .error(
                    &files::NOT_BUILT,
                    node,
                    format!("`{path}: {text}` is part of the language but not built yet"),
                )
                .because("read and ignored, it would promise what nobody keeps")
                .remedy("leave it out for now");
        }
        None => {
            let built = words.iter().filter(|w| w.built).map(|w| w.word);
            faults
                .error(
                    &files::UNKNOWN_WORD,
                    node,
                    format!("`{text}` may not stand under `{path}`"),
                )
                .remedy(suggestion(text, built));
        }
    }
}

fn list(node: &Node, item: Value, path: &str, faults: &mut Faults) {
    if !matches!(node.content, Content::List(_)) {
        let last = path.rsplit('.').next().unwrap_or(path);
        return shape(
            node,
            path,
            "a list",
            &format!("`{last}: [one, two]`"),
            faults,
        );
    }
    for node in node.items() {
        check(node, item, path, faults);
    }
}

fn one(node: &Node, keys: &'static [Key], path: &str, faults: &mut Faults) {
    if !map(node, path, faults) {
        return;
    }
    // Required means: where this key is meant at all, and it is one of several.
    let alternatives: Vec<&Key> = keys.iter().collect();
    for entry in node.entries() {
        match alternatives.iter().find(|k| k.name == entry.key) {
            Some(key) => known(entry, key, path, faults),
            None => unknown(entry, alternatives.iter().copied(), path, faults),
        }
    }
    if node.entries().len() != 1 {
        let names: Vec<&str> = keys.iter().filter(|k| k.built).map(|k| k.name).collect();
        faults
            .error(
                &files::WRONG_SHAPE,
                node,
                format!("`{path}` needs exactly one key"),
            )
            .remedy(format!("keep one of `{}`", names.join("`, `")));
    }
}

fn secret(node: &Node, path: &str, faults: &mut Faults) {
    let said = match node.entries() {
        [entry] if matches!(entry.key.as_str(), "env" | "file") => entry.value.text(),
        _ => None,
    };
    if said.is_some_and(|text| !text.trim().is_empty()) {
        return;
    }
    // What stands here is never repeated: it may be the secret.
    let (code, message) = match node.content {
        Content::Text(_) => (
            &files::SECRET_IN_FILE,
            format!("a secret stands under `{path}`"),
        ),
        _ => (
            &files::WRONG_SHAPE,
            format!("`{path}` does not say where the secret is"),
        ),
    };
    faults
        .error(code, node, message)
        .remedy("write `{ env: NAME }` or `{ file: /run/secrets/x }`");
}
