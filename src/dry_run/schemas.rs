//! A product's schemas beside what the registry has.

use onramp_finding::{Failure, Finding};
use onramp_language::{Gateway, Product};
use onramp_publisher::progress::Progress;
use onramp_registry::{Foreseen, RegistryClient, foresee};
use serde::Serialize;

use super::diff::{Difference, differences};
use crate::run::contracts::subjects;
use crate::run::{level, settings};

/// What would become of one subject.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Schema {
    pub(super) subject: String,
    /// `unchanged`, `new version`, `new subject`, `refused`.
    pub(super) verdict: &'static str,
    /// The level that it is held against.
    pub(super) level: &'static str,
    /// Whether the subject gets that level.
    pub(super) sets_level: bool,
    /// The registry's latest version; None where there is none.
    pub(super) latest: Option<u32>,
    /// What events carry, where it is known.
    pub(super) id: Option<u32>,
    /// From the latest version to the file's.
    pub(super) differences: Vec<Difference>,
}

/// What the registry would make of products.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    /// By product.
    pub(super) of: Vec<(String, Vec<Schema>)>,
    pub(super) findings: Vec<Finding>,
    pub(super) unproven: Vec<String>,
}

/// Asks the registry about every product; progress says which were published before.
///
/// # Errors
/// It cannot be asked.
pub(super) async fn look(
    gateway: &Gateway,
    products: &[Product],
    progress: Option<&Progress>,
) -> Result<Schemas, Failure> {
    let client = RegistryClient::new(settings::registry(gateway))?;
    let mut schemas = Schemas::default();
    for product in products {
        let name = product.name.value.to_string();
        let contract = onramp_translator::contract(product);
        // As a run has it: what was retired was published before, too.
        let state = progress.and_then(|p| p.products.get(&name));
        let mut told = Vec::new();
        for (subject, schema, before) in subjects(&name, contract, state) {
            let level = level(product.compatibility);
            let seen = foresee(&client, &subject, &schema, level, before).await?;
            schemas.unproven.extend(seen.unproven);
            let (verdict, id) = match seen.foreseen {
                Foreseen::Unchanged { id, .. } => ("unchanged", Some(id)),
                Foreseen::NewVersion { .. } => ("new version", None),
                Foreseen::NewSubject => ("new subject", None),
                Foreseen::Refused(findings) => {
                    let of_product = |f: Finding| f.of_product(name.clone());
                    schemas
                        .findings
                        .extend(findings.into_iter().map(of_product));
                    ("refused", None)
                }
            };
            let latest = seen.latest;
            told.push(Schema {
                subject,
                verdict,
                level: level.word(),
                sets_level: seen.sets_level.is_some(),
                latest: latest.as_ref().map(|latest| latest.version),
                id,
                differences: latest
                    .map(|latest| differences(&latest.schema, &schema))
                    .unwrap_or_default(),
            });
        }
        schemas.of.push((name, told));
    }
    Ok(schemas)
}
