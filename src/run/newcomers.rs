//! Tables that come to a union while it streams: next year's, another shop's.
//!
//! Nobody tells of them: the patterns are held against the catalogue now and then. Ones that fit are
//! reason enough to begin anew, since what is streamed does not change under way. A start that would be
//! refused is not made for them: everything that it looks at is looked at first, of all tables at once,
//! and what is wrong is told. The gateway goes on without any of them until all fit.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use onramp_connector::{Batch, ChunkRange, ChunkTable, Connector, Ident, TableDescription};
use onramp_finding::codes::source;
use onramp_finding::{Failure, Finding, Place, Severity};
use onramp_language::{Gateway, Product};

use super::history::ranges;
use super::{contracts, products, requests, sources};

/// How often the catalogue is asked.
const ASKED_EVERY: Duration = Duration::from_secs(30);

/// Who looks for them.
pub(super) struct Newcomers {
    gateway: Gateway,
    /// None where no product has a pattern.
    next: Option<Instant>,
    /// What was told, by code and message, so that it is told once.
    told: HashSet<(String, String)>,
}

/// A table that has come to a product.
struct Newcomer<'g> {
    product: &'g Product,
    table: Ident,
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

    /// Whether tables have come with which a start would go well, where it is time to look.
    pub(super) async fn came(&mut self, connector: &dyn Connector) -> bool {
        if self.next.is_none_or(|next| Instant::now() < next) {
            return false;
        }
        self.next = Some(Instant::now() + ASKED_EVERY);
        // A source that cannot be asked now is asked again; that it is away is told by the stream.
        let Ok((now, _)) = sources::found(&self.gateway, connector).await else {
            return false;
        };
        let came = newcomers(&self.gateway, &now);
        if came.is_empty() {
            self.told.clear();
            return false;
        }
        let wrong = match wrong(&self.gateway, &now, &came, connector).await {
            Ok(wrong) => wrong,
            Err(failure) if failure.retry => return false,
            Err(failure) => failure.findings,
        };
        let tables = names(&came);
        if wrong.is_empty() {
            tracing::info!(tables, "tables have come; streaming begins anew with them");
            return true;
        }
        for finding in wrong {
            let (code, message) = (finding.code.id, told(&finding));
            if self.told.insert((code.to_owned(), message.clone())) {
                let (product, remedy) = (finding.product.as_deref(), finding.remedy.as_deref());
                tracing::warn!(
                    tables,
                    product,
                    code,
                    remedy,
                    "tables have come that cannot join as it is, and the next start refuses them: {message}"
                );
            }
        }
        false
    }
}

/// The tables that products have now and did not have before.
fn newcomers<'g>(before: &Gateway, now: &'g Gateway) -> Vec<Newcomer<'g>> {
    let both = now.products.iter().zip(&before.products);
    let came = both.flat_map(|(product, before)| {
        let known = sources::idents(before);
        let here = sources::idents(product).into_iter();
        here.filter(move |table| !known.contains(table))
            .map(move |table| Newcomer { product, table })
    });
    came.collect()
}

/// What a start with these tables would be refused for.
async fn wrong(
    before: &Gateway,
    now: &Gateway,
    came: &[Newcomer<'_>],
    connector: &dyn Connector,
) -> Result<Vec<Finding>, Failure> {
    let mut wrong = Vec::new();
    for (product, before) in now.products.iter().zip(&before.products) {
        wrong.extend(sources::gone(product, &sources::names(before)));
    }
    let described = connector.describe(&requests::idents(now)).await?;
    // Where progress stands is of no account: nothing is prepared.
    let request = requests::request(&requests::tables(now, &described, None), None);
    wrong.extend(connector.preflight(&request).await?);
    wrong.extend(contracts::check_mappings(now, &described));
    // Nobody has run the statement yet that the role may not.
    wrong.retain(|f| f.severity == Severity::Error || f.code == &source::MAY_NOT_CREATE);
    if wrong.is_empty() {
        for newcomer in came {
            wrong.extend(unreadable(now, newcomer, &described, connector).await?);
        }
    }
    Ok(wrong)
}

/// Why the rows that stand in a table already cannot be read, if the first one cannot.
async fn unreadable(
    gateway: &Gateway,
    newcomer: &Newcomer<'_>,
    described: &[TableDescription],
    connector: &dyn Connector,
) -> Result<Vec<Finding>, Failure> {
    let product = newcomer.product;
    let described = described.iter().find(|t| t.name == newcomer.table);
    let Some(description) = described.filter(|_| product.is_entity()) else {
        return Ok(Vec::new());
    };
    let table = ChunkTable {
        table: newcomer.table.clone(),
        columns: onramp_translator::columns(product, description),
        description: description.clone(),
    };
    let limits = ranges::limits(1, gateway.limits.chunk);
    let read = async {
        let mut reader = connector.table_reader(&table).await?;
        let (all, mut batch) = (ChunkRange::default(), Batch::default());
        reader.read(&all, limits, &mut batch).await
    };
    match read.await {
        Ok(_) => Ok(Vec::new()),
        Err(failure) if failure.retry => Err(failure),
        Err(failure) => {
            let of_product = |f: Finding| f.of_product(product.name.value.to_string());
            Ok(failure.findings.into_iter().map(of_product).collect())
        }
    }
}

/// What is wrong and where, on one line.
fn told(finding: &Finding) -> String {
    let place = match &finding.place {
        Place::Source(what) => format!("{what}: "),
        _ => String::new(),
    };
    let reason = finding.reason.as_deref().unwrap_or_default();
    format!("{place}{}: {reason}", finding.message)
}

/// The tables, each once.
fn names(came: &[Newcomer<'_>]) -> String {
    let mut names: Vec<String> = came.iter().map(|n| n.table.to_string()).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}
