//! Released contracts: `contracts.lock` beside the gateway file, and what the files may not change
//! any more. Offline; nothing here knows of a registry.

mod compare;
mod lock;
mod revision;

pub(crate) use lock::{Lock, NAME};
pub(crate) use revision::Revision;

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use onramp_finding::{Finding, Place, Severity, codes::contracts};
use onramp_language::{Gateway, Product, Reading, Status};

use compare::{Earlier, compare};
use lock::Released;

/// The contracts that the files give now, and those that were released.
pub(crate) struct Contracts<'r> {
    gateway: &'r Gateway,
    /// Products whose files are refused: their own faults are told, and hide what else there may be.
    refused: &'r [String],
    /// By name, with the contract that each gives; derived once somebody holds it against another.
    now: OnceCell<HashMap<String, (&'r Product, Released)>>,
    lock: Result<Option<Lock>, Finding>,
}

impl<'r> Contracts<'r> {
    /// Reads what was released, beside the gateway file.
    pub(crate) fn read(reading: &'r Reading, gateway: &'r Gateway, config: &Path) -> Contracts<'r> {
        Contracts {
            gateway,
            refused: &reading.refused,
            now: OnceCell::new(),
            lock: Lock::beside(config).map_err(|finding| *finding),
        }
    }

    fn now(&self, product: &str) -> Option<&(&'r Product, Released)> {
        let all = self.now.get_or_init(|| {
            let products = self.gateway.products.iter();
            let named = products.map(|p| (p.name.value.to_string(), (p, Released::of(p))));
            named.collect()
        });
        all.get(product)
    }

    /// Everything that the files break of what was released.
    pub(crate) fn check(&self) -> Vec<Finding> {
        let lock = match &self.lock {
            Ok(Some(lock)) => lock,
            // Who never released is promised nothing.
            Ok(None) => return Vec::new(),
            Err(finding) => return vec![finding.clone()],
        };
        let mut findings = self.against(&lock.contracts, &Earlier::Released);
        for product in self
            .gateway
            .products
            .iter()
            .filter(|p| p.status.is_published())
        {
            let name = product.name.value.to_string();
            let now = self.now(&name).map(|(_, now)| now);
            let message = match lock.contracts.get(&name) {
                None => format!("{name} was never released"),
                Some(released) if now.is_some_and(|now| !released.is_current(now)) => {
                    format!("{name} was changed since its release")
                }
                Some(_) => continue,
            };
            let place = product.name.place();
            findings.push(
                Finding::new(Severity::Info, &contracts::NOT_RELEASED, place, message)
                    .remedy(format!("run `onramp release {name}`, and commit {NAME}"))
                    .of_product(name),
            );
        }
        findings
    }

    /// Everything that the files break of what a revision has: its files, and its releases.
    pub(crate) fn check_against(&self, revision: &Revision) -> Vec<Finding> {
        let earlier = Earlier::Revision(&revision.name);
        let mut findings = self.against(&revision.contracts, &earlier);
        let now = match &self.lock {
            Ok(lock) => lock.as_ref(),
            // Said by the check of releases already.
            Err(_) => return findings,
        };
        for (name, released) in revision.lock.iter().flat_map(|l| &l.contracts) {
            let kept = now.and_then(|lock| lock.contracts.get(name));
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

    /// What was released, to be released into; for whoever has checked without an error.
    pub(crate) fn lock(&self) -> Lock {
        let lock = self.lock.as_ref().ok();
        lock.cloned().flatten().unwrap_or_default()
    }

    /// Releases what a product's file gives; whether anything is new, and how many schemas there are.
    pub(crate) fn release(&self, product: &Product, lock: &mut Lock) -> (bool, usize) {
        let name = product.name.value.to_string();
        let now = match self.now(&name) {
            Some((_, now)) => now.clone(),
            None => Released::of(product),
        };
        lock.release(name, now)
    }

    fn against(&self, earlier: &BTreeMap<String, Released>, whose: &Earlier<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, contract) in earlier {
            match self.now(name) {
                // It has ended for all to see, and its file may be short.
                Some((product, _)) if product.status == Status::Retired => {}
                Some((product, now)) => findings.extend(compare(product, now, contract, whose)),
                None if self.refused.contains(name) => {}
                None => findings.push(
                    Finding::error(
                        &contracts::RELEASED_GONE,
                        Place::Path(self.gateway.name.file.name.clone()),
                        format!("no file describes {name}, {}", whose.which_was()),
                    )
                    .because(contracts::RELEASED_GONE.reason)
                    .remedy(contracts::RELEASED_GONE.remedy)
                    .of_product(name.clone()),
                ),
            }
        }
        findings
    }
}
