//! Outbox products: their columns, their events, the fields that open a payload.

use onramp_expression::JsonPath;
use onramp_finding::codes::files;

use super::product::Surroundings;
use super::source::Within;
use super::standing::Opens;
use super::{avro, field};
use crate::check;
use crate::faults::Faults;
use crate::yaml::{Entry, Node};
use crate::{
    CONTENT, EventType, Kind, OnUpdate, Outbox, OutboxColumns, Payload, PayloadForm, RowsBefore,
    Spanned, UnknownType,
};

/// Headers of these beginnings are the gateway's own.
const OWN_HEADERS: &[&str] = &["ce_", "onramp_", "content-type"];

/// The columns and events; none where the columns are not all there.
pub(super) fn outbox(root: &Node, around: &Surroundings<'_>, faults: &mut Faults) -> Option<Kind> {
    let messages = messages(root);
    if let Some(at) = root.get("history").filter(|_| messages)
        && around.rows_before == RowsBefore::Insert
    {
        faults
            .error(&files::BAD_VALUE, at, "messages have no history")
            .because("they stand in the log alone: no table holds what was written before")
            .remedy("write `history: none`, or leave it out");
    }
    let around = &Surroundings {
        rows_before: match messages {
            true => RowsBefore::None,
            false => around.rows_before,
        },
        ..*around
    };
    let columns = columns(root, messages, faults);
    // Where the columns are told to be wrong, fields are read all the same.
    let payload = columns.as_ref().map_or_else(
        || faults.spanned(root, String::new()),
        |columns| columns.payload.clone(),
    );
    let content = Spanned {
        value: CONTENT.to_owned(),
        ..payload.clone()
    };
    let opens = match messages {
        true => Opens {
            column: Some(&content),
            base: &payload,
            path: &payload,
        },
        false => Opens {
            column: Some(&payload),
            base: "",
            path: "",
        },
    };
    let mut events = Vec::new();
    for entry in root.get("events").map_or(&[][..], Node::entries) {
        let event = event(entry, opens, around, faults);
        if let Some(event) = &event
            && messages
            && event.payload.as_ref().map(|p| p.form) == Some(PayloadForm::Avro)
        {
            faults
                .error(
                    &files::BAD_VALUE,
                    entry.value.get("payload").unwrap_or(&entry.value),
                    "a message holds no Avro",
                )
                .because("its content is JSON, of which the payload is a part")
                .remedy("write `payload: json`, or let the application write to a table");
        }
        events.extend(event);
    }
    twins(&events, faults);
    if let Some(at) = root.get("on_mapping_change")
        && at.text() == Some("backfill")
    {
        faults
            .error(
                &files::BAD_VALUE,
                at,
                "an outbox's events are not published again",
            )
            .because("an event is told once, when it is written")
            .remedy("write `on_mapping_change: keep`: the new mapping holds from now on");
    }
    Some(Kind::Outbox {
        outbox: Box::new(Outbox {
            messages,
            columns: columns?,
            unknown_type: match root.text_at(&["unknown_type"]) {
                Some("quarantine") => UnknownType::Quarantine,
                Some("ignore") => UnknownType::Ignore,
                _ => UnknownType::Fail,
            },
            on_update: match root.text_at(&["on_update"]) {
                Some("warn") => OnUpdate::Warn,
                Some("skip") => OnUpdate::Skip,
                _ => OnUpdate::Fail,
            },
        }),
        events,
    })
}

/// Whether events are the log's messages.
fn messages(root: &Node) -> bool {
    let said = |key| root.at(&["source", key]).is_some();
    said("message_prefix") && !said("table") && !said("tables")
}

fn columns(root: &Node, messages: bool, faults: &mut Faults) -> Option<OutboxColumns> {
    let node = root.get("columns")?;
    if messages {
        let named = node.get("headers").map_or(&[][..], Node::entries);
        let own = node.entries().iter().filter(|e| e.key != "headers");
        for entry in own.chain(named) {
            if let Some(Err(why)) = entry.value.text().map(JsonPath::parse) {
                faults
                    .error(
                        &files::BAD_VALUE,
                        &entry.value,
                        format!("`{}` is no path in JSON", entry.key),
                    )
                    .because(why.to_string())
                    .remedy("name where it stands in a message's content, e.g. `order.id`");
            }
        }
    }
    let of = |key: &str, faults: &Faults| {
        let at = node.get(key)?;
        Some(faults.spanned(at, at.text()?.to_owned()))
    };
    let mut headers: Vec<(Spanned<String>, Spanned<String>)> = Vec::new();
    for entry in node.get("headers").map_or(&[][..], Node::entries) {
        let name = entry.key.to_ascii_lowercase();
        if OWN_HEADERS.iter().any(|own| name.starts_with(own)) || entry.key.contains('\0') {
            faults
                .error(
                    &files::BAD_VALUE,
                    &entry.key_node(),
                    format!("the header `{}` is the gateway's own", entry.key),
                )
                .because("names that begin with `ce_`, `onramp_` or `content-type` say what the gateway knows of an event")
                .remedy("name it otherwise");
        }
        if let Some(column) = entry.value.text() {
            let name = faults.spanned(&entry.key_node(), entry.key.clone());
            headers.push((name, faults.spanned(&entry.value, column.to_owned())));
        }
    }
    Some(OutboxColumns {
        id: of("id", faults)?,
        r#type: of("type", faults)?,
        key: of("key", faults)?,
        payload: of("payload", faults)?,
        timestamp: of("timestamp", faults),
        partition: of("partition", faults),
        headers,
    })
}

fn event(
    entry: &Entry,
    opens: Opens<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<EventType> {
    let node = &entry.value;
    let form = match node.text_at(&["payload"]) {
        Some("avro") => PayloadForm::Avro,
        _ => PayloadForm::Json,
    };
    let around = Surroundings {
        within: Within::Outbox(around.rows_before),
        opens: Some(opens),
        ..*around
    };
    let (mut fields, mut schema) = (Vec::new(), None);
    match (node.get("fields"), node.get("schema")) {
        (Some(_), Some(at)) => {
            faults
                .error(
                    &files::FIELD_SOURCE,
                    at,
                    format!("`{}` has both `fields` and `schema`", entry.key),
                )
                .because("the schema's fields are the event's")
                .remedy("keep one of the two");
        }
        (Some(inside), None) if form == PayloadForm::Avro => {
            faults
                .error(
                    &files::FIELD_SOURCE,
                    inside,
                    format!("`{}` has `fields`, and its payload is Avro", entry.key),
                )
                .because("such a payload is passed through as it is")
                .remedy("name its `schema`");
        }
        (Some(inside), None) => {
            fields = field::of_event(inside, &around, faults);
        }
        (None, Some(at)) => {
            let read = avro::read(at, opens, form == PayloadForm::Json, &around, faults)?;
            (schema, fields) = (Some(read.0), read.1);
        }
        (None, None) => {
            if !check::misspelt(node, "fields") && !check::misspelt(node, "schema") {
                faults
                    .error(
                        &files::MISSING_KEY,
                        &entry.key_node(),
                        format!("`{}` has neither `fields` nor `schema`", entry.key),
                    )
                    .because("nothing says what its payload holds")
                    .remedy("add `fields: { order_id: { type: long } }`, or `schema: FILE.avsc`");
            }
        }
    }
    Some(EventType {
        name: faults.spanned(&entry.key_node(), entry.key.clone()),
        doc: node.text_at(&["doc"]).map(str::to_owned),
        when: None,
        fields,
        payload: Some(Payload {
            form,
            r#type: node
                .get("type")
                .and_then(|at| Some(faults.spanned(at, at.text()?.to_owned()))),
            schema,
        }),
    })
}

/// Two events of one type, or of one record, could not be told apart.
fn twins(events: &[EventType], faults: &mut Faults) {
    for (n, event) in events.iter().enumerate() {
        for other in &events[..n] {
            let (a, b) = (&event.name.value, &other.name.value);
            let record = |event: &EventType| {
                let schema = event.payload.as_ref()?.schema.as_ref()?;
                Some(schema.record.clone())
            };
            let message = if event.written() == other.written() {
                format!("`{b}` and `{a}` are events of one type")
            } else if record(event).is_some() && record(event) == record(other) {
                format!("the schemas of `{b}` and `{a}` name one record")
            } else {
                continue;
            };
            faults
                .add(onramp_finding::Finding::error(
                    &files::DUPLICATE_NAME,
                    event.name.place(),
                    message,
                ))
                .because("consumers tell events apart by the names of their records")
                .remedy("give each its own");
        }
    }
}
