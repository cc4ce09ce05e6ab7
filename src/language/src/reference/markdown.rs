//! The reference page.

use std::fmt::Write as _;

use crate::definition::{Cases, FIELD, FIXTURES, GATEWAY, ITEMS, Key, PRODUCT, Value, Word};

/// docs/reference.md.
pub fn reference() -> String {
    let mut out = String::from(
        "# Reference\n\n\
         <!-- Written by `cargo run -p onramp-language --bin reference`. -->\n\n\
         A file's first key says what it is: `gateway`, `product` or `fixtures`. A gateway file names\n\
         the others. What is marked *not built yet* is part of the language and refused by name.\n\n\
         Each key of a gateway file can be set from outside: `ONRAMP_SOURCE__URL=…` and\n\
         `--set source.url=…` set `url` under `source`; a list is written with commas. A flag comes\n\
         before a variable, a variable before the file. A secret's own text is never taken, only\n\
         where it is: `ONRAMP_SOURCE__PASSWORD__FILE=/run/secrets/x`. Paths are relative to the\n\
         gateway file's folder; product files stand in it or below.\n",
    );
    out.push_str("\n## Gateway file\n");
    table(&mut out, &mut GATEWAY.iter());
    within(&mut out, GATEWAY, "");
    out.push_str("\n## Product file\n");
    cases(&mut out, &PRODUCT, "Every product");
    out.push_str("\n## Fields\n\nA field's `type` decides which keys may stand beside it.\n");
    cases(&mut out, &FIELD, "Every field");
    out.push_str("\n## Items\n\nAn array's `items` say what each element is.\n");
    cases(&mut out, &ITEMS, "Every element");
    out.push_str("\n## Fixtures file\n\nTests of a product's mapping, beside its file: `onramp test`, docs/test.md.\n");
    table(&mut out, &mut FIXTURES.iter());
    within(&mut out, FIXTURES, "");
    out
}

fn cases(out: &mut String, cases: &'static Cases, common: &str) {
    let _ = write!(out, "\n### {common}\n");
    table(out, &mut cases.common.iter());
    within(out, cases.common, "");
    for case in cases.cases {
        let mut title = case.title.to_owned();
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let words: Vec<String> = case.words.iter().map(|w| format!("`{w}`")).collect();
        let _ = write!(
            out,
            "\n### {title}\n\n`{}`: {}.\n",
            cases.by,
            words.join(", ")
        );
        table(out, &mut case.keys.iter());
        within(out, case.keys, "");
    }
}

/// The maps and words within keys, each in a section of its own.
fn within(out: &mut String, keys: &'static [Key], path: &str) {
    for key in keys {
        let path = match path {
            "" => key.name.to_owned(),
            _ => format!("{path}.{}", key.name),
        };
        match key.value {
            Value::Map(keys) | Value::One(keys) => {
                let _ = write!(out, "\n#### `{path}`\n\n{}\n", key.doc);
                if matches!(key.value, Value::One(_)) {
                    out.push_str("\nExactly one of:\n");
                }
                table(out, &mut keys.iter());
                within(out, keys, &path);
            }
            Value::List(Value::Map(keys)) => listed(out, key, keys, &format!("{path}[]")),
            Value::Named(_, Value::Map(keys)) => listed(out, key, keys, &format!("{path}.NAME")),
            Value::Words(all) if all.len() > 1 => words(out, &path, all),
            Value::List(Value::Words(all)) => words(out, &path, all),
            Value::WordOrOne(all, keys) => {
                words(out, &path, all);
                for key in keys {
                    let _ = writeln!(out, "- `{{ {}: … }}`: {}", key.name, key.doc);
                }
            }
            _ => {}
        }
    }
}

/// What each item of a list is, or each value of a map whose keys the team names.
fn listed(out: &mut String, key: &Key, keys: &'static [Key], path: &str) {
    let _ = write!(out, "\n#### `{path}`\n\n{}\n", key.doc);
    table(out, &mut keys.iter());
    within(out, keys, path);
}

fn words(out: &mut String, path: &str, words: &[Word]) {
    let _ = write!(out, "\n#### `{path}`\n\n");
    for word in words {
        let later = if word.built { "" } else { " *(not built yet)*" };
        let _ = writeln!(out, "- `{}`{later}: {}", word.word, word.doc);
    }
}

fn table(out: &mut String, keys: &mut dyn Iterator<Item = &'static Key>) {
    out.push_str("\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
    for key in keys {
        let default = match (key.built, key.required, key.default) {
            (false, ..) => "*not built yet*".to_owned(),
            (_, true, _) => "*required*".to_owned(),
            (.., Some(default)) => format!("`{default}`"),
            (.., None) => String::new(),
        };
        let mut doc = key.doc.to_owned();
        if let Some(example) = key.example {
            let _ = write!(doc, " E.g. `{}: {example}`", key.name);
        }
        let value = if key.built {
            title(key.value)
        } else {
            String::new()
        };
        let row =
            [format!("`{}`", key.name), value, default, doc].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
}

fn title(value: Value) -> String {
    match value {
        Value::Text(form) => form.title(),
        Value::Words(words) | Value::WordOrOne(words, _) => {
            let words: Vec<String> = words.iter().map(|w| format!("`{}`", w.word)).collect();
            match value {
                Value::WordOrOne(..) => format!("{}, or a map", words.join(", ")),
                _ => words.join(", "),
            }
        }
        Value::List(item) => format!("list: {}", title(*item)),
        Value::Map(_) => "map, below".into(),
        Value::One(_) => "map of one key, below".into(),
        Value::Named(name, inside) => format!("map: {} to {}", name.title(), title(*inside)),
        Value::Secret => "`{ env: NAME }` or `{ file: PATH }`".into(),
        Value::Fields | Value::Opened => "map: field to [its description](#fields)".into(),
        Value::Items => "map: [what each element is](#items)".into(),
        Value::Row => "map: column to text, to a list of texts, or nothing".into(),
        Value::Tree => "map: field to text, nothing, list or map".into(),
        Value::Later => String::new(),
    }
}
