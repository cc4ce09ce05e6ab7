//! What publishing a contract would do, found out without a write.

use onramp_finding::codes::registry as codes;
use onramp_finding::{Failure, Finding};

use crate::Level;
use crate::answer::finding;
use crate::client::{Registered, RegistryClient, SchemaId};
use crate::contract::{Step, all_versions, plan};

/// What [`publish_contract`](crate::publish_contract) would do.
#[derive(Debug, Clone, PartialEq)]
pub enum Foreseen {
    /// The schema is registered: nothing but its level, where [`Foresight::sets_level`] says so, is
    /// written.
    Unchanged {
        /// What events carry.
        id: SchemaId,
        /// The subject's version that has it.
        version: u32,
    },
    /// The subject gets a version.
    NewVersion {
        /// The latest one, which it follows.
        of: u32,
    },
    /// The subject is made, with its first version.
    NewSubject,
    /// It would be refused, with everything that stands against it.
    Refused(Vec<Finding>),
}

/// What is foreseen of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Foresight {
    /// The subject.
    pub subject: String,
    /// What would become of it.
    pub foreseen: Foreseen,
    /// The compatibility level that it would be given.
    pub sets_level: Option<Level>,
    /// The latest version as it is now, to be compared with.
    pub latest: Option<Registered>,
    /// What cannot be known before it is tried, a sentence each.
    pub unproven: Vec<String>,
}

/// Foresees what [`publish_contract`](crate::publish_contract) does with the same arguments: held
/// against every version that binds at the level by our own rules, and by the registry's own check
/// where that can be asked. Only reads.
///
/// # Errors
/// The registry cannot be asked. A refusal of the contract is [`Foreseen::Refused`].
pub async fn foresee(
    client: &RegistryClient,
    subject: &str,
    schema_json: &str,
    level: Level,
    already_published: bool,
) -> Result<Foresight, Failure> {
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
    let mut unproven = Vec::new();
    let mut refused = plan.refused;
    if plan.found.is_none() && refused.is_empty() {
        let binding = level.binding(&versions);
        refused = registrys_own(client, subject, schema_json, binding, &mut unproven).await?;
        if refused.is_empty() {
            unproven.push(format!(
                "whether the registry lets the gateway register {subject}: it tells when that is done"
            ));
        }
    }
    let sets_level = plan.steps.iter().find_map(|step| match step {
        Step::SetLevel(level) if refused.is_empty() => Some(*level),
        _ => None,
    });
    let foreseen = match (plan.found, versions.last()) {
        _ if !refused.is_empty() => Foreseen::Refused(refused),
        (Some(found), _) => Foreseen::Unchanged {
            id: found.id,
            version: found.version,
        },
        (None, Some(latest)) => Foreseen::NewVersion { of: latest.version },
        (None, None) => Foreseen::NewSubject,
    };
    Ok(Foresight {
        subject: subject.to_owned(),
        foreseen,
        sets_level,
        latest: versions.into_iter().next_back(),
        unproven,
    })
}

/// What the registry's own check says against the schema. One that cannot be asked (another make of
/// registry, no right to) proves nothing.
async fn registrys_own(
    client: &RegistryClient,
    subject: &str,
    schema_json: &str,
    binding: &[Registered],
    unproven: &mut Vec<String>,
) -> Result<Vec<Finding>, Failure> {
    let mut refused = Vec::new();
    for version in binding.iter().map(|registered| registered.version) {
        let verdict = match client.compatible(subject, version, schema_json).await {
            Ok(verdict) => verdict,
            Err(failure) if failure.retry => return Err(failure),
            Err(failure) => {
                unproven.push(format!(
                    "whether the registry's own check takes {subject}: it cannot be asked ({failure})"
                ));
                return Ok(refused);
            }
        };
        if verdict.compatible {
            continue;
        }
        let message =
            format!("the registry's own check finds it incompatible with version {version}");
        let mut refusal = finding(&codes::REGISTRY_WOULD_REFUSE, subject, message);
        if !verdict.messages.is_empty() {
            refusal.reason = Some(format!("it says: {}", verdict.messages.join("; ")));
        }
        refused.push(refusal);
    }
    Ok(refused)
}
