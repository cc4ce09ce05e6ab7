//! Publishing a contract: the level, every earlier version, our rules, then the registration.

use onramp_finding::codes::registry as codes;
use onramp_finding::{Failure, Finding, Kind};
use serde_json::Value;

use crate::Level;
use crate::answer::{finding, place};
use crate::client::{Registered, RegistryClient, SchemaId};
use crate::evolution::violations;

/// The subject of a topic's values.
pub fn value_subject(topic: &str) -> String {
    format!("{topic}-value")
}

/// The subject of one type of events on a topic (TopicRecordNameStrategy): `record` is its full name.
pub fn record_subject(topic: &str, record: &str) -> String {
    format!("{topic}-{record}")
}

/// The subject of a topic's keys.
pub fn key_subject(topic: &str) -> String {
    format!("{topic}-key")
}

/// Something that publishing a contract changes in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The subject gets its compatibility level.
    SetLevel(Level),
    /// The subject gets a version.
    Register,
}

/// What publishing a contract would do.
pub(crate) struct Plan {
    /// Everything that stands against it; then there are no steps.
    pub(crate) refused: Vec<Finding>,
    /// In order; empty where everything is there.
    pub(crate) steps: Vec<Step>,
    /// The version that has the schema already.
    pub(crate) found: Option<Registered>,
}

/// Publishes a contract: gives its schema's id, which events carry.
///
/// Before the subject's first version its level is written; a subject that has another level is
/// refused. All versions are fetched, and those that bind at the level are held against the
/// schema by [`violations`], whatever the registry itself would say. Then the schema is
/// registered, or found. A subject that ends in `-key` never gets a second schema.
///
/// `already_published` says that events were published under the subject before.
///
/// Safe to repeat, also after a crash at any point.
///
/// # Errors
/// Every violation in one failure; or the registry's trouble, with `retry` where it may pass.
pub async fn publish_contract(
    client: &RegistryClient,
    subject: &str,
    schema_json: &str,
    level: Level,
    already_published: bool,
) -> Result<SchemaId, Failure> {
    let versions = all_versions(client, subject).await?;
    let plan = plan(
        client,
        subject,
        schema_json,
        level,
        already_published,
        &versions,
    )
    .await?;
    if !plan.refused.is_empty() {
        return Err(Failure::all(Kind::Registry, plan.refused));
    }
    let mut late_level = None;
    let mut id = plan.found.map(|found| found.id);
    for step in plan.steps {
        match step {
            Step::SetLevel(level) => {
                if !client.set_subject_level(subject, level).await? {
                    // A registry that keeps no configuration for a subject without versions.
                    late_level = Some(level);
                }
            }
            Step::Register => id = Some(client.register(subject, schema_json).await?),
        }
    }
    if let Some(level) = late_level
        && !client.set_subject_level(subject, level).await?
    {
        let message = format!("the registry does not keep the level {level}");
        return Err(Failure::stop(
            Kind::Registry,
            finding(&codes::REGISTRY_ANSWER, subject, message),
        ));
    }
    let id = id.ok_or_else(|| {
        let message = "a plan neither found nor registered a schema";
        Failure::internal(&onramp_finding::codes::running::INTERNAL, message)
    })?;
    tracing::info!(subject, id, "contract published");
    Ok(id)
}

/// What [`publish_contract`] does, without a write.
pub(crate) async fn plan(
    client: &RegistryClient,
    subject: &str,
    schema_json: &str,
    level: Level,
    already_published: bool,
    versions: &[Registered],
) -> Result<Plan, Failure> {
    let schema: Value = serde_json::from_str(schema_json).map_err(|_| {
        let message = "a contract's schema is not JSON";
        Failure::internal(&onramp_finding::codes::running::INTERNAL, message)
    })?;
    let found = match versions.is_empty() {
        true => None,
        false => client.look_up(subject, schema_json).await?,
    };
    let mut steps = Vec::new();
    let mut refused = Vec::new();
    if versions.is_empty() && already_published {
        let message = "the product was published before, and its subject has no version";
        refused.push(finding(&codes::CONTRACT_GONE, subject, message.to_owned()));
    }
    match client.subject_level(subject).await? {
        Some(set) if set == level => {}
        Some(set) => refused.push(level_differs(subject, level, set, "has the level")),
        // Nobody has relied on it yet: no version, or only the one that an interrupted first
        // start left behind.
        None if !already_published && versions.len() <= usize::from(found.is_some()) => {
            steps.push(Step::SetLevel(level));
        }
        None => {
            let global = client.global_level().await?;
            if global != level {
                let how = "has no level of its own and follows the global one,";
                refused.push(level_differs(subject, level, global, how));
            }
        }
    }
    if subject.ends_with("-key") && found.is_none() && !versions.is_empty() {
        let message = "the key's schema is not the one that the subject has";
        refused.push(finding(&codes::KEY_CHANGED, subject, message.to_owned()));
    }
    for version in level.binding(versions) {
        refused.extend(against(subject, version, &schema, level));
    }
    if found.is_none() {
        steps.push(Step::Register);
    }
    if !refused.is_empty() {
        steps.clear();
    }
    Ok(Plan {
        refused,
        steps,
        found,
    })
}

/// All versions of a subject, in ascending order.
pub(crate) async fn all_versions(
    client: &RegistryClient,
    subject: &str,
) -> Result<Vec<Registered>, Failure> {
    let mut versions = Vec::new();
    for number in client.versions(subject).await? {
        // One that was deleted meanwhile binds nobody any more.
        versions.extend(client.version(subject, number).await?);
    }
    Ok(versions)
}

/// One earlier version: what in the schema it does not allow.
fn against(subject: &str, version: &Registered, schema: &Value, level: Level) -> Vec<Finding> {
    let number = version.version;
    let unreadable = |why: &str| {
        let message = format!("version {number} cannot be compared: {why}");
        vec![finding(&codes::VERSION_UNREADABLE, subject, message)]
    };
    if version.kind != "AVRO" {
        return unreadable("it is not avro");
    }
    if version.has_references {
        return unreadable("it refers to schemas of other subjects");
    }
    let Ok(earlier) = serde_json::from_str::<Value>(&version.schema) else {
        return unreadable("its schema is not json");
    };
    let broken = match violations(&earlier, schema, level) {
        Ok(broken) => broken,
        Err(why) => return unreadable(&why.0),
    };
    let or_start = format!(", or start {}", next_version(subject));
    broken
        .into_iter()
        .map(|v| {
            let what = if v.path.is_empty() {
                "the record".to_owned()
            } else {
                format!("field {}", v.path)
            };
            let message = format!(
                "{what} {} since version {number} ({} at {level})",
                v.message, v.rule
            );
            Finding::error(&codes::CONTRACT_BREAKS, place(subject), message)
                .because(v.reason)
                .remedy(format!("{}{or_start}", v.remedy))
        })
        .collect()
}

/// The topic of a subject of one type of events: a record's full name has a dot behind the dash.
fn of_record(subject: &str) -> Option<&str> {
    let (topic, record) = subject.rsplit_once('-')?;
    record.contains('.').then_some(topic)
}

/// `commerce.orders.v2` for a subject of `commerce.orders.v1`.
fn next_version(subject: &str) -> String {
    let topic = subject
        .strip_suffix("-value")
        .or_else(|| subject.strip_suffix("-key"))
        .or_else(|| of_record(subject))
        .unwrap_or(subject);
    topic
        .rsplit_once(".v")
        .and_then(|(name, number)| Some((name, number.parse::<u32>().ok()?.checked_add(1)?)))
        .map_or_else(
            || "a new version of the product".to_owned(),
            |(name, number)| format!("{name}.v{number}"),
        )
}

fn level_differs(subject: &str, ours: Level, theirs: Level, how: &str) -> Finding {
    let message = format!("the subject {how} {theirs}, and the product says {ours}");
    let remedy = format!(
        "write `compatibility: {}` into the product's file, or set the subject's level to {ours} \
         in the registry: PUT /config/{subject} {{\"compatibility\": \"{ours}\"}}",
        theirs.word().to_lowercase()
    );
    Finding::error(&codes::LEVEL_DIFFERS, place(subject), message)
        .because(codes::LEVEL_DIFFERS.reason)
        .remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_version_is_named() {
        assert_eq!(
            next_version("commerce.orders.v1-value"),
            "commerce.orders.v2"
        );
        assert_eq!(
            next_version("commerce.orders.v9-key"),
            "commerce.orders.v10"
        );
        assert_eq!(
            next_version("commerce.order-lifecycle.v1-commerce.OrderPlaced"),
            "commerce.order-lifecycle.v2"
        );
        assert_eq!(next_version("orders-value"), "a new version of the product");
    }
}
