//! The contract for people.

use std::time::Duration;

use onramp_language::{Field, Gateway, Headers, KeyFormat, Product, Retention, Shape};

use super::{is_left_out, is_pseudonym, level_word, type_words};

pub(super) fn text(gateway: &Gateway, product: &Product) -> String {
    let mut out = format!("# {}\n\n", product.name.value);
    if !product.description.is_empty() {
        out.push_str(&format!("{}\n\n", product.description));
    }
    about(&mut out, product);
    fields(&mut out, product);
    symbols(&mut out, product);
    personal(&mut out, product);
    reading(&mut out, gateway, product);
    out
}

fn row(out: &mut String, label: &str, text: &str) {
    out.push_str(&format!("| {label} | {} |\n", cell(text)));
}

/// Text within a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn about(out: &mut String, product: &Product) {
    let topic = product.name.value.to_string();
    out.push_str("| | |\n|---|---|\n");
    row(out, "Status", product.status.word());
    row(out, "Domain", &product.name.value.domain);
    let owner = [product.team.as_str(), product.contact.as_str()];
    let owner: Vec<&str> = owner.into_iter().filter(|t| !t.is_empty()).collect();
    if !owner.is_empty() {
        row(out, "Owner", &owner.join(", "));
    }
    if let Some(tier) = product.sla.tier {
        row(out, "Tier", &tier.to_string());
    }
    if let Some(freshness) = product.sla.freshness {
        let text = format!("events follow their change within {}", time(freshness));
        row(out, "Freshness", &text);
    }
    match product.sla.retention {
        Some(Retention::Forever) => row(out, "Retention", "forever"),
        Some(Retention::For(how_long)) => row(out, "Retention", &time(how_long)),
        None => {}
    }
    row(out, "Topic", &format!("`{topic}`, compacted"));
    let key: Vec<String> = product
        .key
        .iter()
        .map(|k| format!("`{}`", k.value))
        .collect();
    let form = match (product.key_format, key.len()) {
        (KeyFormat::String, 1) => "its text".to_owned(),
        (KeyFormat::String, _) => "a JSON array of their texts".to_owned(),
        (KeyFormat::Avro, _) => format!("Avro, subject `{}`", onramp_registry::key_subject(&topic)),
    };
    row(out, "Key", &format!("{}: {form}", key.join(", ")));
    let subject = onramp_registry::value_subject(&topic);
    row(out, "Value", &format!("Avro, subject `{subject}`"));
    row(out, "Compatibility", &level_word(product));
}

fn time(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds if seconds.is_multiple_of(86_400) => format!("{} days", seconds / 86_400),
        seconds => crate::terminal::duration(seconds as f64),
    }
}

/// Every field that consumers see, with the path to it.
fn walk<'f>(fields: &'f [Field], path: &str, seen: &mut Vec<(String, &'f Field)>) {
    for field in fields.iter().filter(|f| !is_left_out(f)) {
        let path = match path {
            "" => field.name.value.clone(),
            path => format!("{path}.{}", field.name.value),
        };
        seen.push((path.clone(), field));
        if let Shape::Record { fields } = &field.shape {
            walk(fields, &path, seen);
        }
    }
}

fn all(product: &Product) -> Vec<(String, &Field)> {
    let mut seen = Vec::new();
    walk(&product.fields, "", &mut seen);
    seen
}

fn fields(out: &mut String, product: &Product) {
    out.push_str("\n## Fields\n\n| Field | Type | May be null | Meaning |\n|---|---|---|---|\n");
    for (path, field) in all(product) {
        let null = if field.optional { "yes" } else { "" };
        let meaning = cell(field.doc.as_deref().unwrap_or_default());
        out.push_str(&format!(
            "| `{path}` | {} | {null} | {meaning} |\n",
            type_words(field)
        ));
    }
}

fn symbols(out: &mut String, product: &Product) {
    for (path, field) in all(product) {
        let (shape, each) = match &field.shape {
            Shape::Array { items, .. } => (&items.shape, "Each of "),
            shape => (shape, ""),
        };
        let Shape::Enum {
            values,
            default,
            otherwise,
            ..
        } = shape
        else {
            continue;
        };
        if is_pseudonym(field) {
            continue;
        }
        let symbols = onramp_translator::symbols(values, default.as_ref(), otherwise);
        let symbols: Vec<String> = symbols.iter().map(|s| format!("`{s}`")).collect();
        out.push_str(&format!(
            "\n{each}`{path}` is one of {}.",
            symbols.join(", ")
        ));
        if let Some(default) = default {
            let default = &default.value;
            out.push_str(&format!(
                " A reader of an older schema sees `{default}` in place of a symbol that is newer."
            ));
        }
        out.push('\n');
    }
}

fn personal(out: &mut String, product: &Product) {
    let classified: Vec<_> = all(product)
        .into_iter()
        .filter_map(|(path, field)| Some((path, field.classification.as_ref()?, field)))
        .collect();
    if classified.is_empty() {
        return;
    }
    out.push_str("\n## Classified\n\n| Field | Classification | Shown |\n|---|---|---|\n");
    for (path, classification, field) in classified {
        let how = match is_pseudonym(field) {
            true => {
                "as a pseudonym: equal for equal values, so that it joins; it cannot be read back"
            }
            false => "as it is",
        };
        out.push_str(&format!(
            "| `{path}` | {} | {how} |\n",
            cell(classification)
        ));
    }
}

fn reading(out: &mut String, gateway: &Gateway, product: &Product) {
    let topic = product.name.value.to_string();
    out.push_str(&format!(
        "
## Reading it

- Read with `isolation.level=read_committed`: each change is there once, in order per key.
- From its start the topic holds what there was, and then what changes. The last event of a key is its
  state; a null value (tombstone) says that it is gone.
- Values are Avro in the registry's framing (a zero byte, the schema's id in four bytes, the record).
  Ask for `{}` by that id.
",
        onramp_registry::value_subject(&topic)
    ));
    out.push_str(match gateway.headers {
        Headers::None => "",
        Headers::Transaction => {
            "- Headers name the source's transaction and the event's place in it (docs/reference.md, `headers`).\n"
        }
        Headers::CloudEvents => {
            "- Headers are those of CloudEvents' Kafka binding, and the source's transaction.\n"
        }
    });
}
