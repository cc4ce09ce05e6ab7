//! Whether everything is there that a run needs, and what cannot be known before it runs.

use onramp_connector::{Connector, TableDescription};
use onramp_finding::{Failure, Finding, Severity};
use onramp_language::Gateway;
use onramp_publisher::progress::{ProductStatus, Progress};

use crate::run::{contracts, requests, sources};

/// Where progress cannot be read.
pub(super) const BEFORE_UNKNOWN: &str = "whether the products were published before: Kafka is out of reach, and they are looked at as \
     new ones";

/// What the source shows.
pub(super) struct Source {
    /// The files, with the tables that their patterns mean.
    pub(super) gateway: Gateway,
    pub(super) tables: Vec<TableDescription>,
    /// Products whose mapping does not fit their table.
    pub(super) unfit: Vec<String>,
    pub(super) findings: Vec<Finding>,
}

/// Asks Kafka for progress, without taking anything; None where there is none.
pub(super) async fn broker(gateway: &Gateway) -> Result<Option<Progress>, Failure> {
    crate::run::progress(gateway).await
}

/// Whether a product's changes were published before.
pub(super) fn is_published(progress: Option<&Progress>, product: &str) -> bool {
    let state = progress.and_then(|p| p.products.get(product));
    state.is_some_and(|state| state.status == ProductStatus::Active)
}

/// What Kafka tells nobody before it is done.
pub(super) fn unproven(gateway: &Gateway, progress: Option<&Progress>) -> Vec<String> {
    let mut unproven = Vec::new();
    if progress.is_none() {
        unproven.push(format!(
            "whether the brokers let the gateway use transactional id onramp_{}: they tell when it \
             is used",
            gateway.name.value
        ));
    }
    let names = gateway.products.iter().map(|p| p.name.value.to_string());
    let new: Vec<String> = names.filter(|name| !is_published(progress, name)).collect();
    if !new.is_empty() {
        unproven.push(format!(
            "whether topics may be created and written to: Kafka tells when that is done ({})",
            new.join(", ")
        ));
    }
    unproven
}

/// Looks at tables and source as a start does, read-only.
pub(super) async fn source(
    gateway: &Gateway,
    connector: &dyn Connector,
    progress: Option<&Progress>,
) -> Result<Source, Failure> {
    let (found, unfound) = sources::found(gateway, connector).await?;
    let gateway = &found;
    let tables = connector.describe(&requests::idents(gateway)).await?;
    let wanted = requests::tables(gateway, &tables, progress);
    let request = requests::request(&wanted, progress);
    let mut findings = connector.preflight(&request).await?;
    let mapping = contracts::check_mappings(gateway, &tables);
    let errors = mapping.iter().filter(|f| f.severity == Severity::Error);
    let unfit = errors.filter_map(|f| f.product.clone()).collect();
    findings.extend(mapping);
    findings.extend(unfound);
    Ok(Source {
        gateway: found,
        tables,
        unfit,
        findings,
    })
}
