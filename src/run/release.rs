//! `onramp release-topic`: gives topics back, so that another gateway may publish to them.

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::Gateway;
use onramp_publisher::progress::{self, ProductStatus, Progress};
use onramp_publisher::{Kafka, claims};

use super::{products, settings};

/// Releases topics that this gateway holds and publishes no more: all of them, or none and a
/// finding for each that cannot be. Blocks.
pub(crate) fn release(gateway: &Gateway, topics: &[String]) -> Result<(), Failure> {
    let name = gateway.name.value.as_str();
    let kafka = Kafka::connect(settings::kafka(gateway)?)?;
    let owners = claims::owners(&kafka)?;
    let seen = progress::read(&kafka, name)?;
    let findings: Vec<Finding> = topics
        .iter()
        .filter_map(|topic| {
            let owner = owners.get(topic).map(String::as_str);
            match owner {
                Some(owner) if owner == name => {
                    let why = published(gateway, seen.as_ref(), topic)?;
                    Some(still_published(topic, why))
                }
                owner => Some(not_held(topic, name, owner)),
            }
        })
        .collect();
    if !findings.is_empty() {
        return Err(Failure::all(Kind::Configuration, findings));
    }
    claims::release(&kafka, name, topics)
}

/// Why a topic's product counts as published; None where it is not.
fn published(gateway: &Gateway, seen: Option<&Progress>, topic: &str) -> Option<&'static str> {
    let active = |p: &Progress| {
        let state = p.products.get(topic);
        state.is_some_and(|s| s.status == ProductStatus::Active)
    };
    let of_files = products::published(gateway);
    if of_files.iter().any(|p| p.name.value.to_string() == topic) {
        return Some("its file says that it is published");
    }
    // The file alone does not do: a gateway that runs may have been started with an older one.
    seen.is_some_and(active)
        .then_some("progress tells of it as published")
}

fn still_published(topic: &str, why: &str) -> Finding {
    Finding::error(
        &codes::TOPIC_IN_USE,
        Place::Kafka(format!("topic {topic}")),
        format!("topic `{topic}` is not released: {why}"),
    )
    .because(codes::TOPIC_IN_USE.reason)
    .remedy(codes::TOPIC_IN_USE.remedy)
    .of_product(topic)
}

fn not_held(topic: &str, gateway: &str, owner: Option<&str>) -> Finding {
    let whose = owner.map_or_else(
        || "no gateway holds it".to_owned(),
        |owner| format!("gateway `{owner}` holds it"),
    );
    Finding::error(
        &codes::TOPIC_NOT_HELD,
        Place::Kafka(format!("topic {topic}")),
        format!("topic `{topic}` is not gateway `{gateway}`'s: {whose}"),
    )
    .remedy(codes::TOPIC_NOT_HELD.remedy)
}
