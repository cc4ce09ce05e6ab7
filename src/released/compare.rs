//! A product's file against a contract that consumers were given.

use std::collections::BTreeMap;

use onramp_finding::codes::contracts;
use onramp_finding::{Finding, Place, Severity};
use onramp_language::{Field, Product, Record, Shape, Status};
use onramp_registry::Level;
use onramp_registry::evolution::violations;

use super::lock::{NAME, Released};
use crate::run::protection::bared;

/// Whose contract it is that may not be broken.
pub(super) enum Earlier<'a> {
    /// That of `contracts.lock`.
    Released,
    /// That of a revision in version control.
    Revision(&'a str),
}

impl Earlier<'_> {
    /// `…, which was released`.
    pub(super) fn which_was(&self) -> String {
        match self {
            Earlier::Released => "which was released".to_owned(),
            Earlier::Revision(name) => format!("which {name} has"),
        }
    }

    /// `released`, for what a thing was.
    fn was(&self) -> String {
        match self {
            Earlier::Released => "released".to_owned(),
            Earlier::Revision(name) => format!("at {name}"),
        }
    }
}

/// Everything in which the file breaks the contract, and what a start will ask for.
pub(super) fn compare(
    product: &Product,
    now: &Released,
    released: &Released,
    earlier: &Earlier<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let was = earlier.was();
    if product.status == Status::Draft {
        findings.push(
            Finding::error(
                &contracts::RELEASED_GONE,
                product.name.place(),
                format!(
                    "{} is a draft again, {}",
                    product.name.value,
                    earlier.which_was()
                ),
            )
            .because(contracts::RELEASED_GONE.reason)
            .remedy("restore `status: active`; `status: retired` ends it for all to see"),
        );
    }
    let key = |r: &Released| (r.key.clone(), r.key_format.clone(), r.key_schema.clone());
    if key(now) != key(released) {
        let message = match now.key == released.key && now.key_format == released.key_format {
            true => format!("the types of the key's fields are not those {was}"),
            false => format!(
                "the key is [{}] as {}, and it was {was} as [{}] as {}",
                now.key.join(", "),
                now.key_format,
                released.key.join(", "),
                released.key_format
            ),
        };
        let place = product
            .key
            .first()
            .map_or(product.name.place(), |k| k.place());
        findings.push(
            Finding::error(&contracts::RELEASED_KEY, place, message)
                .because(contracts::RELEASED_KEY.reason)
                .remedy(format!(
                    "restore the key, or start {}",
                    next_version(product)
                )),
        );
    }
    // The mapping tells what an entry of an earlier version left out.
    if now.key_pseudonyms != released.key_pseudonyms && now.mapping != released.mapping {
        findings.push(rotated(product, now, released, &was));
    }
    findings.extend(bared(product, &released.protections, &was));
    match (released.level.parse::<Level>(), now.level.parse::<Level>()) {
        (Ok(then), Ok(level)) => {
            if weaker(level, then) {
                findings.push(
                    Finding::error(
                        &contracts::RELEASED_LEVEL,
                        product.name.place(),
                        format!(
                            "compatibility is {}, and {} was promised ({was})",
                            now.level, released.level
                        ),
                    )
                    .because(contracts::RELEASED_LEVEL.reason)
                    .remedy(format!(
                        "write `compatibility: {}`, or start {}",
                        released.level,
                        next_version(product)
                    )),
                );
            }
            // What was promised counts, and a stronger promise that is made now.
            let level = if weaker(level, then) { then } else { level };
            findings.extend(schemas(product, now, released, level, &was));
        }
        _ => findings.push(
            Finding::error(
                &contracts::LOCK_UNREADABLE,
                Place::Path(NAME.to_owned()),
                format!("`{}` is no level of compatibility", released.level),
            )
            .remedy(contracts::LOCK_UNREADABLE.remedy),
        ),
    }
    // Where the contract is broken the mapping will be another one still.
    if findings.is_empty() && now.mapping != released.mapping && product.on_mapping_change.is_none()
    {
        findings.push(
            Finding::new(
                Severity::Warning,
                &contracts::RELEASED_MAPPING,
                product.name.place(),
                format!("rows give other events than they gave ({was})"),
            )
            .because(contracts::RELEASED_MAPPING.reason)
            .remedy(contracts::RELEASED_MAPPING.remedy),
        );
    }
    let name = product.name.value.to_string();
    findings
        .into_iter()
        .map(|f| f.of_product(name.clone()))
        .collect()
}

/// A key field's pseudonyms under another HMAC key than before.
fn rotated(product: &Product, now: &Released, released: &Released, was: &str) -> Finding {
    let words = |pseudonyms: &BTreeMap<String, String>| {
        let each = pseudonyms
            .iter()
            .map(|(field, key)| format!("{field} by {key}"));
        match pseudonyms.is_empty() {
            true => "none".to_owned(),
            false => each.collect::<Vec<_>>().join(", "),
        }
    };
    let mut keys = product.key.iter();
    let at = keys
        .find(|key| now.key_pseudonyms.get(&key.value) != released.key_pseudonyms.get(&key.value));
    Finding::error(
        &contracts::RELEASED_KEY,
        at.map_or(product.name.place(), |key| key.place()),
        format!(
            "the key's pseudonyms are {}, and they were {was} as {}",
            words(&now.key_pseudonyms),
            words(&released.key_pseudonyms)
        ),
    )
    .because(
        "under another HMAC key every row gets another key: within a version it is not rotated",
    )
    .remedy(format!(
        "restore the HMAC key's name, or start {}",
        next_version(product)
    ))
}

/// Whether a level promises something less.
fn weaker(now: Level, then: Level) -> bool {
    (then.is_backward() && !now.is_backward())
        || (then.is_forward() && !now.is_forward())
        || (then.is_transitive() && !now.is_transitive())
}

fn schemas(
    product: &Product,
    now: &Released,
    released: &Released,
    level: Level,
    was: &str,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let records = now.records();
    for (event, old) in released.records() {
        let new = records.iter().find(|(own, _)| *own == event);
        match (new.and_then(|(_, schemas)| schemas.last()), event) {
            (Some(new), _) => findings.extend(record(product, event, (old, new), level, was)),
            (None, Some(event)) => findings.push(
                Finding::error(
                    &contracts::RELEASED_BREAKS,
                    product.name.place(),
                    format!("{event} is gone, which consumers were promised ({was})"),
                )
                .because("who reads the product for it waits for ever")
                .remedy(format!("restore it, or start {}", next_version(product))),
            ),
            (None, None) => findings.push(
                Finding::error(
                    &contracts::RELEASED_BREAKS,
                    product.name.place(),
                    format!("its events are of another kind than they were ({was})"),
                )
                .because("a state under its key and a fact are read in different ways")
                .remedy(format!(
                    "restore its kind, or start {}",
                    next_version(product)
                )),
            ),
        }
    }
    findings
}

/// What a record breaks of the schemas that it had.
fn record(
    product: &Product,
    event: Option<&str>,
    (old, new): (&[serde_json::Value], &serde_json::Value),
    level: Level,
    was: &str,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for old in level.binding(old) {
        let found = match violations(old, new, level) {
            Ok(found) => found,
            Err(why) => {
                let place = Place::Path(NAME.to_owned());
                let message = format!("a schema of {} cannot be read", product.name.value);
                let finding = Finding::error(&contracts::LOCK_UNREADABLE, place, message);
                let remedy = contracts::LOCK_UNREADABLE.remedy;
                findings.push(finding.because(why.0).remedy(remedy));
                continue;
            }
        };
        for violation in found {
            let at = match (event, violation.path.as_str()) {
                (None, "") => String::new(),
                (Some(event), "") => format!("{event}: "),
                (None, path) => format!("{path}: "),
                (Some(event), path) => format!("{event}.{path}: "),
            };
            let finding = Finding::error(
                &contracts::RELEASED_BREAKS,
                place(product, event, &violation.path),
                format!("{at}{}", violation.message),
            )
            .because(format!(
                "{} (level {}, {was})",
                violation.reason,
                level.word().to_ascii_lowercase()
            ))
            .remedy(format!(
                "{}, or start {}",
                violation.remedy,
                next_version(product)
            ));
            // Several released schemas may break in one and the same way.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    findings
}

/// The field that a path names, or the innermost one of it that is still there.
fn place(product: &Product, event: Option<&str>, path: &str) -> Place {
    let of_event = |record: &Record<'_>| record.event.map(|e| e.name.value.as_str()) == event;
    let mut fields: &[Field] = &[];
    let mut place = product.name.place();
    if let Some(record) = product.records().into_iter().find(of_event) {
        fields = record.fields;
        place = record.event.map_or(place, |event| event.name.place());
    }
    for name in path.split('.') {
        let name = name.trim_end_matches("[]");
        let Some(field) = fields.iter().find(|f| f.name.value == name) else {
            break;
        };
        place = field.name.place();
        fields = match &field.innermost().shape {
            Shape::Record { fields, .. } => fields,
            _ => &[],
        };
    }
    place
}

fn next_version(product: &Product) -> String {
    let name = &product.name.value;
    format!("{}.{}.v{}", name.domain, name.name, name.version + 1)
}
