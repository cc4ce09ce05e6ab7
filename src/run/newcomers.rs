//! Tables that come to a union while it streams: next year's, another shop's.
//!
//! Nobody tells of them: the patterns are held against the catalogue now and then. One that fits is
//! reason enough to begin anew, since what is streamed does not change under way. One that does not
//! is told, and the gateway goes on without it; the next start refuses it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use onramp_connector::{Connector, Ident};
use onramp_finding::Severity;
use onramp_language::{Gateway, Product};

use super::{contracts, products, sources};

/// How often the catalogue is asked.
const ASKED_EVERY: Duration = Duration::from_secs(30);

/// Who looks for them.
pub(super) struct Newcomers {
    gateway: Gateway,
    /// None where no product has a pattern.
    next: Option<Instant>,
    /// Those that do not fit, each told once.
    told: HashSet<Ident>,
}

impl Newcomers {
    /// For the products of these files, as the database had them.
    pub(super) fn new(gateway: &Gateway) -> Newcomers {
        let has_patterns = |p: &&Product| p.tables.has_patterns();
        let any = products::published(gateway).iter().any(has_patterns);
        Newcomers {
            gateway: gateway.clone(),
            next: any.then(|| Instant::now() + ASKED_EVERY),
            told: HashSet::new(),
        }
    }

    /// When they are looked for next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Whether a table has come that fits, where it is time to look.
    pub(super) async fn came(&mut self, connector: &dyn Connector) -> bool {
        if self.next.is_none_or(|next| Instant::now() < next) {
            return false;
        }
        self.next = Some(Instant::now() + ASKED_EVERY);
        // A source that cannot be asked now is asked again; that it is away is told by the stream.
        let Ok((mut now, _)) = sources::found(&self.gateway, connector).await else {
            return false;
        };
        let mut any = false;
        for (product, before) in now.products.iter_mut().zip(&self.gateway.products) {
            let known = before.tables.read();
            let here = product.tables.read().into_iter();
            let came: Vec<_> = here.filter(|t| !known.contains(t)).collect();
            if came.is_empty() {
                continue;
            }
            // Those alone are judged.
            product.tables.found = Some(came);
            any |= fits(product, connector, &mut self.told).await;
        }
        any
    }
}

/// Whether any of a product's new tables can be read by its mapping.
async fn fits(product: &Product, connector: &dyn Connector, told: &mut HashSet<Ident>) -> bool {
    let Ok(described) = connector.describe(&sources::idents(product)).await else {
        return false;
    };
    let mut any = false;
    for table in &described {
        let (name, table_name) = (product.name.to_string(), &table.name);
        let findings = contracts::check_mapping(product, std::slice::from_ref(table));
        let errors = findings.iter().filter(|f| f.severity == Severity::Error);
        let errors: Vec<_> = errors.collect();
        if errors.is_empty() {
            tracing::info!(product = name, table = %table_name, "a table has come; streaming begins anew with it");
            any = true;
        } else if told.insert(table_name.clone()) {
            for finding in errors {
                let (code, remedy) = (finding.code.id, finding.remedy.as_deref());
                tracing::warn!(product = name, table = %table_name, code, remedy, "a table has come that the mapping does not fit, and the next start refuses it: {}", finding.message);
            }
        }
    }
    any
}
