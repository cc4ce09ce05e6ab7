//! A product file's struct, and the rules across its keys.

use std::path::Path;

use onramp_finding::{
    Finding, Severity,
    codes::{discovery, files, protection::KEY_FIELD_PROTECTION},
};

use super::source::Within;
use super::standing::Opens;
use super::{events, field, outbox, source, tables};
use crate::check;
use crate::definition::{PRODUCT, duration, product_name};
use crate::faults::Faults;
use crate::yaml::Node;
use crate::{
    Compatibility, Field, KeyFormat, Kind, OnError, OnMappingChange, OnTruncate, Product,
    ProductName, Protect, Retention, RowsBefore, Scalar, Shape, Sla, Spanned, Status, Tables,
};

/// What a text begins with that is left for people to say.
pub const TO_SAY: &str = "TODO";

/// What a product file must know of its gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'g> {
    /// The names under the gateway's `keys`.
    pub(crate) keys: &'g [String],
    /// The gateway's `drafts`.
    pub(crate) drafts: bool,
    /// What expressions speak of.
    pub(crate) within: Within,
    /// What rows give that were there before.
    pub(crate) rows_before: RowsBefore,
    /// What a field opens that names no source.
    pub(crate) opens: Option<Opens<'g>>,
    /// The gateway file's folder, in which its files stand.
    pub(crate) folder: &'g Path,
}

/// The product; none where something that it needs is missing.
pub(crate) fn product(
    root: &Node,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Product> {
    let name = root
        .get("product")
        .and_then(|n| Some(faults.spanned(n, product_name(n.text()?)?)));
    faults.product = name.as_ref().map(|n| n.value.to_string());
    let kind = root.text_at(&["kind"]);
    if root.get("derive_from").is_some() {
        refuse_whole(root, faults);
        return None;
    }
    let status = match root.text_at(&["status"]) {
        Some("active") => Status::Active,
        Some("deprecated") => Status::Deprecated,
        Some("retired") => Status::Retired,
        _ => Status::Draft,
    };
    // A retired product may say no more than its name, so no kind decides on its keys.
    let decides = if status == Status::Retired {
        kind.or(Some("entity"))
    } else {
        kind
    };
    check::cases(root, &PRODUCT, decides, "", faults);
    needed(root, status, kind, faults);
    if decides.is_some_and(|word| PRODUCT.case(word).is_none()) {
        return None;
    }
    let rows_before = match root.text_at(&["history"]) {
        Some("insert") => RowsBefore::Insert,
        _ => RowsBefore::None,
    };
    let around = &Surroundings {
        rows_before,
        ..*around
    };
    let kind = match kind {
        Some("events") => events::events(root, around, faults),
        Some("outbox") => outbox::outbox(root, around, faults)?,
        _ => Kind::Entity {
            fields: root
                .get("fields")
                .map_or_else(Vec::new, |node| field::fields(node, around, faults)),
        },
    };
    let key = key(root, &kind, faults);
    let name = name?;
    // A status that was misspelt has a finding of its own.
    let said_draft = match root.text_at(&["status"]) {
        None => !check::misspelt(root, "status"),
        Some(word) => word == "draft",
    };
    if said_draft && !around.drafts {
        draft(root, &name, faults);
    }
    let tables = tables::tables(root, faults);
    let said = |path: &[&str]| root.text_at(path).unwrap_or_default().to_owned();
    let spanned = |path: &[&str], faults: &Faults| {
        let node = root.at(path)?;
        Some(faults.spanned(node, node.text()?.to_owned()))
    };
    let filter = spanned(&["source", "where"], faults);
    if let Some(filter) = &filter {
        let remedy = "compare it with something, e.g. `== \"Y\"`";
        let wanted = &[onramp_expression::Type::Bool];
        let within = match kind {
            Kind::Outbox { .. } => Within::Outbox(rows_before),
            _ => around.within,
        };
        source::expression(filter, within, wanted, remedy, faults);
    }
    if matches!(kind, Kind::Entity { .. }) {
        kept_mapping(root, faults);
    }
    left_to_say(root, status, faults);
    Some(Product {
        status,
        team: said(&["owner", "team"]),
        contact: said(&["owner", "contact"]),
        description: said(&["description"]),
        sla: sla(root),
        compatibility: compatibility(&said(&["compatibility"])),
        tables: match tables {
            Some(tables) => tables,
            None if status == Status::Retired => nowhere(&name),
            None => return None,
        },
        filter,
        key,
        key_format: match said(&["key_format"]).as_str() {
            "avro" => KeyFormat::Avro,
            _ => KeyFormat::String,
        },
        key_unique: spanned(&["key_unique", "reason"], faults),
        on_error: match said(&["on_error"]).as_str() {
            "quarantine" => OnError::Quarantine,
            _ => OnError::Stop,
        },
        on_truncate: match said(&["on_truncate"]).as_str() {
            "ignore" => OnTruncate::Ignore,
            _ => OnTruncate::Stop,
        },
        on_mapping_change: match said(&["on_mapping_change"]).as_str() {
            "backfill" => Some(OnMappingChange::Backfill),
            "keep" => Some(OnMappingChange::Keep),
            _ => None,
        },
        rows_before,
        // An outbox reads no updates.
        accept_unchanged_toast: root.get("unchanged_toast").is_some()
            || matches!(kind, Kind::Outbox { .. }),
        kind,
        name,
    })
}

/// Tells which texts a draft left for people to say, in one finding.
fn left_to_say(root: &Node, status: Status, faults: &mut Faults) {
    let said = |path: &[&str]| {
        let node = root.at(path)?;
        let left = node.text()?.trim_start().starts_with(TO_SAY);
        left.then(|| (node, format!("`{}`", path.join("."))))
    };
    let texts: [&[&str]; 4] = [
        &["owner", "team"],
        &["owner", "contact"],
        &["description"],
        &["key_unique", "reason"],
    ];
    let left: Vec<_> = texts.into_iter().filter_map(said).collect();
    let Some((first, _)) = left.first() else {
        return;
    };
    let names: Vec<&str> = left.iter().map(|(_, name)| name.as_str()).collect();
    let severity = match status.is_published() {
        true => Severity::Error,
        false => Severity::Warning,
    };
    let verb = if names.len() == 1 { "is" } else { "are" };
    let message = format!("{} {verb} still to be said", names.join(", "));
    let place = faults.place(first);
    faults
        .add(Finding::new(
            severity,
            &discovery::LEFT_TO_SAY,
            place,
            message,
        ))
        .remedy(discovery::LEFT_TO_SAY.remedy);
}

/// Says what `keep` means, for as long as it stands there.
fn kept_mapping(root: &Node, faults: &mut Faults) {
    let Some(node) = root.get("on_mapping_change") else {
        return;
    };
    if node.text() == Some("keep") {
        let place = faults.place(node);
        faults
            .add(Finding::new(
                Severity::Info,
                &files::KEPT_MAPPING,
                place,
                "where the mapping changes, events published before stay as they are",
            ))
            .because("a key whose row does not change keeps the event that the older mapping gave: consumers find both meanings in the topic, and nothing tells them apart")
            .remedy("write `on_mapping_change: backfill` to have every row published again by the new mapping");
    }
}

/// A retired product's table, where it says none.
fn nowhere(name: &Spanned<ProductName>) -> Tables {
    Tables::one(Spanned {
        value: (String::new(), String::new()),
        file: name.file.clone(),
        span: name.span,
    })
}

/// A kind that is not built: that alone is told, since the rest of the file belongs to it.
fn refuse_whole(root: &Node, faults: &mut Faults) {
    for entry in root.entries() {
        let key = match entry.key.as_str() {
            "kind" if root.get("derive_from").is_none() => {
                format!("kind: {}", entry.value.text().unwrap_or_default())
            }
            "derive_from" => "derive_from".to_owned(),
            _ => continue,
        };
        faults
            .error(
                &files::NOT_BUILT,
                &entry.key_node(),
                format!("`{key}` is part of the language but not built yet"),
            )
            .because("the whole file depends on it")
            .remedy(
                "keep the file out of the gateway's `products` for now; without `derive_from` it can be",
            );
    }
}

fn needed(root: &Node, status: Status, kind: Option<&str>, faults: &mut Faults) {
    if status == Status::Retired {
        return;
    }
    let mut need = |key: &str, example: &str| {
        if root.get(key).is_none() && !check::misspelt(root, key) {
            check::missing_at(root, key, Some(example), "", "", faults);
        }
    };
    need("kind", "entity");
    if status != Status::Draft {
        need(
            "owner",
            "{ team: order-management, contact: orders@shop.test }",
        );
        need("description", "Every order of the shop, as it stands now.");
    }
    need("source", "{ table: public.ordr_hdr }");
    let records = match kind {
        Some("events" | "outbox") => ("events", "event"),
        _ => ("fields", "field"),
    };
    match kind {
        Some("outbox") => {
            need(
                "columns",
                "{ id: id, type: type, key: aggregateid, payload: payload }",
            );
            need("events", "{ OrderPlaced: { payload: json, fields: … } }");
        }
        Some("events") => {
            need("key", "[order_id]");
            need(
                "events",
                "{ OrderPlaced: { when: op == \"insert\", fields: … } }",
            );
        }
        Some("entity") => {
            need("key", "[order_id]");
            need("fields", "{ order_id: { type: long, from: ord_no } }");
        }
        // No kind, or none that there is, decides on what is needed.
        _ => {}
    }
    for (key, what) in [("key", "field"), records] {
        let Some(node) = root.get(key) else { continue };
        let empty = match key {
            "key" => matches!(&node.content, crate::yaml::Content::List(items) if items.is_empty()),
            _ => matches!(&node.content, crate::yaml::Content::Map(entries) if entries.is_empty()),
        };
        if empty {
            faults
                .error(&files::MISSING_KEY, node, format!("`{key}` is empty"))
                .remedy(format!("name at least one {what}"));
        }
    }
}

fn draft(root: &Node, name: &Spanned<ProductName>, faults: &mut Faults) {
    let place = root
        .get("status")
        .map_or_else(|| name.place(), |n| faults.place(n));
    let message = format!("the draft {} is not published", name.value);
    faults
        .add(Finding::warning(&files::UNPUBLISHED_DRAFT, place, message))
        .remedy("set `status: active` when it is ready, or `drafts: true` in a test system's gateway file");
}

fn key(root: &Node, kind: &Kind, faults: &mut Faults) -> Vec<Spanned<String>> {
    let fields = match kind {
        Kind::Entity { fields } => fields,
        Kind::Events { events } => return events::key(root, events, faults),
        // The application's, as it stands in the key's column.
        Kind::Outbox { .. } => return Vec::new(),
    };
    let mut key: Vec<Spanned<String>> = Vec::new();
    for node in root.get("key").map_or(&[][..], Node::items) {
        let Some(name) = node.text() else { continue };
        let trouble = match fields.iter().find(|f| f.name.value == name) {
            _ if key.iter().any(|k| k.value == name) => {
                Some("it stands in the key twice".to_owned())
            }
            Some(field) => {
                key_protection(name, field, faults);
                unfit(field)
            }
            // A field that is there but could not be read has its own finding.
            None if root.at(&["fields", name]).is_some() => None,
            None => {
                let near =
                    onramp_finding::nearest(name, fields.iter().map(|f| f.name.value.as_str()));
                Some(match near {
                    Some(near) => format!("no field has this name; did you mean `{near}`?"),
                    None => "no field has this name".to_owned(),
                })
            }
        };
        if let Some(trouble) = trouble {
            faults
                .error(&files::KEY_FIELD, node, format!("`{name}` cannot be part of the key"))
                .because(trouble)
                .remedy("choose top-level fields that identify the thing, usually those of the table's primary key");
        }
        key.push(faults.spanned(node, name.to_owned()));
    }
    key
}

/// A key field's value stays one to one, and under one key for as long as the version lives.
pub(super) fn key_protection(name: &str, field: &Field, faults: &mut Faults) {
    let Some(protect) = &field.protect else {
        return;
    };
    let (how, why) = match &protect.value {
        Protect::Mask { .. } => (
            "masked",
            "different values have one mask, and their rows would overwrite each other",
        ),
        Protect::Encrypt(_) => (
            "encrypted",
            "with another encryption key every row would get another key, and the topic would never forget the earlier one",
        ),
        _ => return,
    };
    let message = format!("the key field `{name}` cannot be {how}");
    faults
        .add(Finding::error(
            &KEY_FIELD_PROTECTION,
            protect.place(),
            message,
        ))
        .because(why)
        .remedy(KEY_FIELD_PROTECTION.remedy);
}

pub(super) fn unfit(field: &Field) -> Option<String> {
    if field.optional {
        return Some("it is optional, and a key is always there".into());
    }
    if matches!(field.protect.as_deref(), Some(Protect::Drop)) {
        return Some("its protection leaves it out".into());
    }
    match &field.shape {
        Shape::Record { .. } => Some("it is a record".into()),
        Shape::Array { .. } => Some("it is an array".into()),
        Shape::Map { .. } => Some("it is a map".into()),
        Shape::Scalar { r#type, .. } => match r#type.value {
            Scalar::Float | Scalar::Double => {
                Some("a float has no one spelling for one value".into())
            }
            Scalar::Json => Some("JSON has no one spelling for one value".into()),
            _ => None,
        },
        Shape::Enum { .. } => None,
    }
}

fn sla(root: &Node) -> Sla {
    let said = |key| root.text_at(&["sla", key]);
    Sla {
        tier: said("tier").and_then(|t| t.parse().ok()),
        freshness: said("freshness").and_then(duration),
        retention: match said("retention") {
            Some("forever") => Some(Retention::Forever),
            text => text.and_then(duration).map(Retention::For),
        },
    }
}

fn compatibility(word: &str) -> Compatibility {
    match word {
        "none" => Compatibility::None,
        "backward" => Compatibility::Backward,
        "backward_transitive" => Compatibility::BackwardTransitive,
        "forward" => Compatibility::Forward,
        "forward_transitive" => Compatibility::ForwardTransitive,
        "full" => Compatibility::Full,
        _ => Compatibility::FullTransitive,
    }
}
