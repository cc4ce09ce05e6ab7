//! Released contracts: `contracts.lock` beside the gateway file, and what the files may not change
//! any more. Offline; nothing here knows of a registry.

mod compare;
mod lock;
mod revision;

pub(crate) use compare::{Earlier, compare};
pub(crate) use lock::{Lock, NAME, Released};
pub(crate) use revision::Revision;

use std::collections::BTreeMap;
use std::path::Path;

use onramp_finding::{Finding, Place, codes::contracts};
use onramp_language::{Product, Reading, Status};

/// Everything that the files break of what was released.
pub(crate) fn check(reading: &Reading, config: &Path) -> Vec<Finding> {
    let lock = match Lock::beside(config) {
        Ok(Some(lock)) => lock,
        // Who never released is promised nothing.
        Ok(None) => return Vec::new(),
        Err(finding) => return vec![*finding],
    };
    let mut findings = against(reading, &lock.contracts, &Earlier::Released);
    for product in published(reading) {
        let name = product.name.value.to_string();
        let message = match lock.contracts.get(&name) {
            None => format!("{name} was never released"),
            Some(released) if !released.is_current(product) => {
                format!("{name} was changed since its release")
            }
            Some(_) => continue,
        };
        let finding = Finding::new(
            onramp_finding::Severity::Info,
            &contracts::NOT_RELEASED,
            product.name.place(),
            message,
        );
        findings.push(
            finding
                .remedy(format!("run `onramp release {name}`, and commit {NAME}"))
                .of_product(name),
        );
    }
    findings
}

/// Everything that the files break of what a revision has: its files, and its releases.
pub(crate) fn check_against(reading: &Reading, config: &Path, revision: &Revision) -> Vec<Finding> {
    let earlier = Earlier::Revision(&revision.name);
    let mut findings = against(reading, &revision.contracts, &earlier);
    let now = match Lock::beside(config) {
        Ok(now) => now.unwrap_or_default(),
        // Said by the check of releases already.
        Err(_) => return findings,
    };
    for (name, released) in revision.lock.iter().flat_map(|l| &l.contracts) {
        let kept = now.contracts.get(name);
        if kept.is_some_and(|kept| kept.continues(released)) {
            continue;
        }
        let how = match kept {
            None => "is gone from",
            Some(_) => "is another in",
        };
        findings.push(
            Finding::error(
                &contracts::LOCK_REWRITTEN,
                Place::Path(NAME.to_owned()),
                format!(
                    "the contract of {name} that {} has released {how} {NAME}",
                    revision.name
                ),
            )
            .because(contracts::LOCK_REWRITTEN.reason)
            .remedy(contracts::LOCK_REWRITTEN.remedy)
            .of_product(name.clone()),
        );
    }
    findings
}

/// The products whose contracts consumers may rely on.
fn published(reading: &Reading) -> impl Iterator<Item = &Product> {
    let products = reading.gateway.iter().flat_map(|g| &g.products);
    products.filter(|p| matches!(p.status, Status::Active | Status::Deprecated))
}

fn against(
    reading: &Reading,
    released: &BTreeMap<String, Released>,
    earlier: &Earlier<'_>,
) -> Vec<Finding> {
    let Some(gateway) = &reading.gateway else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (name, contract) in released {
        let product = gateway
            .products
            .iter()
            .find(|p| p.name.value.to_string() == *name);
        match product {
            // It has ended for all to see, and its file may be short.
            Some(product) if product.status == Status::Retired => {}
            Some(product) => findings.extend(compare(product, contract, earlier)),
            // Its own faults are told, and hide what else there may be.
            None if reading.refused.contains(name) => {}
            None => findings.push(
                Finding::error(
                    &contracts::RELEASED_GONE,
                    Place::Path(gateway.name.file.name.clone()),
                    format!("no file describes {name}, {}", earlier.which_was()),
                )
                .because(contracts::RELEASED_GONE.reason)
                .remedy(contracts::RELEASED_GONE.remedy)
                .of_product(name.clone()),
            ),
        }
    }
    findings
}
