//! The contract for people.

use std::time::Duration;

use onramp_language::{
    Field, Gateway, Headers, KeyFormat, Product, Protect, Record, Retention, Shape,
};

use super::{gives_text, is_left_out, level_word, own_type_words, type_words};

pub(super) fn text(gateway: &Gateway, product: &Product) -> String {
    let mut out = format!("# {}\n\n", product.name.value);
    if !product.description.is_empty() {
        out.push_str(&format!("{}\n\n", product.description));
    }
    about(&mut out, product);
    for record in product.records() {
        if let Some(event) = record.event {
            out.push_str(&format!("\n## {}\n", event.name.value));
            if let Some(doc) = &event.doc {
                out.push_str(&format!("\n{doc}\n"));
            }
        } else {
            out.push_str("\n## Fields\n");
        }
        match record.fields {
            [] => out.push_str("\nIts fields are its schema's.\n"),
            _ => fields(&mut out, record),
        }
        symbols(&mut out, record);
        personal(&mut out, record);
    }
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
    let kept = match product.is_entity() {
        true => "compacted: the latest state of each key",
        false => "every fact, in the order in which it happened",
    };
    row(out, "Topic", &format!("`{topic}`: {kept}"));
    let key: Vec<String> = product
        .key
        .iter()
        .map(|k| format!("`{}`", k.value))
        .collect();
    let form = match (product.key_format, key.len()) {
        _ if product.outbox().is_some() => "what the event is about, as text".to_owned(),
        (KeyFormat::String, 1) => "its text".to_owned(),
        (KeyFormat::String, _) => "a JSON array of their texts".to_owned(),
        (KeyFormat::Avro, _) => format!("Avro, subject `{}`", onramp_registry::key_subject(&topic)),
    };
    let key = match key.is_empty() {
        true => form,
        false => format!("{}: {form}", key.join(", ")),
    };
    row(out, "Key", &key);
    for value in onramp_translator::contract(product).values {
        let subject = crate::run::contracts::subject(&topic, &value);
        let label = value.event.as_deref().unwrap_or("Value");
        row(out, label, &format!("Avro, subject `{subject}`"));
    }
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
        let (mut shape, mut inside) = (&field.shape, path);
        while let Shape::Array { items: each, .. } | Shape::Map { values: each, .. } = shape {
            (shape, inside) = (&each.shape, inside + "[]");
        }
        if let Shape::Record { fields, .. } = shape {
            walk(fields, &inside, seen);
        }
    }
}

fn all(record: Record<'_>) -> Vec<(String, &Field)> {
    let mut seen = Vec::new();
    walk(record.fields, "", &mut seen);
    seen
}

fn fields(out: &mut String, record: Record<'_>) {
    out.push_str("\n| Field | Type | May be null | Meaning |\n|---|---|---|---|\n");
    for (path, field) in all(record) {
        let null = if field.optional { "yes" } else { "" };
        let meaning = cell(field.doc.as_deref().unwrap_or_default());
        out.push_str(&format!(
            "| `{path}` | {} | {null} | {meaning} |\n",
            type_words(field)
        ));
    }
}

fn symbols(out: &mut String, record: Record<'_>) {
    for (path, field) in all(record) {
        let (shape, each) = match &field.shape {
            Shape::Array { .. } => (&field.innermost().shape, "Each of "),
            Shape::Map { values, .. } => (&values.innermost().shape, "Each of "),
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
        if gives_text(field) {
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

fn personal(out: &mut String, record: Record<'_>) {
    let classified: Vec<_> = all(record)
        .into_iter()
        .filter(|(_, field)| field.classification.is_some() || gives_text(field))
        .collect();
    if classified.is_empty() {
        return;
    }
    out.push_str("\n### Classified\n\n| Field | Classification | Shown |\n|---|---|---|\n");
    for (path, field) in classified {
        out.push_str(&format!(
            "| `{path}` | {} | {} |\n",
            cell(field.classification.as_deref().unwrap_or_default()),
            shown(field)
        ));
    }
}

/// What consumers see of a field.
fn shown(field: &Field) -> String {
    let own = own_type_words(field.innermost());
    let how = match field.protect.as_deref() {
        Some(Protect::Mask { keep: 0 }) => "as `****`, whatever it is".to_owned(),
        Some(Protect::Mask { keep }) => format!(
            "as `****` and the last {keep} characters of its {own}; as `****` where it has no more"
        ),
        Some(Protect::Hmac(_)) => {
            "as a pseudonym: equal for equal values, so that it joins; it cannot be read back"
                .to_owned()
        }
        Some(Protect::Encrypt(key)) => format!(
            "encrypted, a {own} for whoever has the key `{key}`: equal for equal values of this field (docs/protection.md)"
        ),
        Some(Protect::Drop | Protect::None(_)) | None => return "as it is".to_owned(),
    };
    match &field.shape {
        Shape::Array { .. } => format!("each element {how}"),
        _ => how,
    }
}

fn reading(out: &mut String, gateway: &Gateway, product: &Product) {
    out.push_str(
        "
## Reading it

- Read with `isolation.level=read_committed`: each change is there once, in order per key.
",
    );
    out.push_str(match product.is_entity() {
        false if product.outbox().is_some() => {
            "- Each event is a fact that stays true. The record's name says which; its id is in the header
  `onramp_event_id`, where headers are written. One without a value has none.
"
        }
        true => {
            "- From its start the topic holds what there was, and then what changes. The last event of a key is its
  state; a null value (tombstone) says that it is gone.
"
        }
        false => {
            "- Each event is a fact that stays true. The record's name says which; one change may give several.
"
        }
    });
    out.push_str(
        "- Values are Avro in the registry's framing (a zero byte, the schema's id in four bytes, the record).
",
    );
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
