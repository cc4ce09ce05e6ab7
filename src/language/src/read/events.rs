//! Facts: their types, and the key that all of them have.

use onramp_expression::{Type, operations};
use onramp_finding::codes::files;

use super::field;
use super::product::{Surroundings, key_protection, unfit};
use super::source::{Within, expression};
use crate::faults::Faults;
use crate::yaml::Node;
use crate::{EventType, Field, Kind, RowsBefore, Shape, Spanned};

/// The types of facts, without those that could not be read.
pub(super) fn events(root: &Node, around: &Surroundings<'_>, faults: &mut Faults) -> Kind {
    let mut events = Vec::new();
    for entry in root.get("events").map_or(&[][..], Node::entries) {
        let node = &entry.value;
        let when = node
            .get("when")
            .and_then(|at| Some(faults.spanned(at, at.text()?.to_owned())));
        // What no insert gives, no row does that was there before.
        let told = match &when {
            Some(when) if !operations(&when.value).insert => RowsBefore::None,
            _ => around.rows_before,
        };
        let around = Surroundings {
            within: Within::Events(told),
            ..*around
        };
        if let Some(when) = &when {
            condition(when, around.within, faults);
        }
        let fields = node.get("fields");
        let fields = fields.map_or_else(Vec::new, |f| field::of_event(f, &around, faults));
        events.push(EventType {
            name: faults.spanned(&entry.key_node(), entry.key.clone()),
            doc: node.text_at(&["doc"]).map(str::to_owned),
            when,
            fields,
            payload: None,
        });
    }
    if let Some(at) = root.get("on_mapping_change")
        && at.text() == Some("backfill")
    {
        faults
            .error(&files::BAD_VALUE, at, "facts are not published again")
            .because(
                "a fact is told once, when it happens: a row does not tell what has happened to it",
            )
            .remedy("write `on_mapping_change: keep`: the new mapping holds from now on");
    }
    Kind::Events { events }
}

fn condition(when: &Spanned<String>, within: Within, faults: &mut Faults) {
    let remedy = "compare something, e.g. `op == \"insert\"`";
    expression(when, within, &[Type::Bool], remedy, faults);
    if operations(&when.value).is_empty() {
        let message = "no operation fulfils this condition";
        faults
            .add(onramp_finding::Finding::error(
                &files::NEVER,
                when.place(),
                message,
            ))
            .because("`op` is \"insert\", \"update\" or \"delete\", one at a time")
            .remedy("correct the comparison of `op`");
    }
}

/// The key's fields, which every type of facts has, alike.
pub(super) fn key(root: &Node, events: &[EventType], faults: &mut Faults) -> Vec<Spanned<String>> {
    let mut key: Vec<Spanned<String>> = Vec::new();
    for node in root.get("key").map_or(&[][..], Node::items) {
        let Some(name) = node.text() else { continue };
        let twice = key.iter().any(|k| k.value == name);
        let trouble = match twice {
            true => Some("it stands in the key twice".to_owned()),
            false => trouble(root, events, name),
        };
        if let Some(trouble) = trouble {
            faults
                .error(&files::KEY_FIELD, node, format!("`{name}` cannot be part of the key"))
                .because(trouble)
                .remedy("choose a top-level field that every event has, with the same type: the one that identifies what the facts are about");
        }
        let mut of_events = events.iter().flat_map(|event| &event.fields);
        if let Some(field) = of_events.find(|field| field.name.value == name) {
            key_protection(name, field, faults);
        }
        key.push(faults.spanned(node, name.to_owned()));
    }
    key
}

fn trouble(root: &Node, events: &[EventType], name: &str) -> Option<String> {
    let mut first: Option<(&EventType, &Field)> = None;
    for event in events {
        let field = event.fields.iter().find(|f| f.name.value == name);
        let Some(field) = field else {
            // One that is there but could not be read has its own finding.
            let said = root.at(&["events", &event.name.value, "fields", name]);
            if said.is_some() {
                continue;
            }
            return Some(format!("{} has no such field", event.name.value));
        };
        if let Some(why) = unfit(field) {
            return Some(format!("in {} {why}", event.name.value));
        }
        match first {
            Some((other, known)) if !alike(known, field) => {
                return Some(format!(
                    "{} and {} give it different types",
                    other.name.value, event.name.value
                ));
            }
            Some(_) => {}
            None => first = Some((event, field)),
        }
    }
    None
}

/// Whether equal values of the two have equal bytes in a key.
fn alike(a: &Field, b: &Field) -> bool {
    let protect = |f: &Field| f.protect.as_ref().map(|p| p.value.clone());
    let shape = match (&a.shape, &b.shape) {
        (Shape::Scalar { r#type: a, .. }, Shape::Scalar { r#type: b, .. }) => a.value == b.value,
        (Shape::Enum { .. }, Shape::Enum { .. }) => true,
        _ => false,
    };
    shape && protect(a) == protect(b)
}
