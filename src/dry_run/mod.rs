//! `onramp dry-run`: the mapping against the real data, and nothing left behind.
//!
//! 1. Kafka is asked for progress, the registry what it would make of the schemas, the source whether
//!    it is as a run needs it ([`preflight`], [`schemas`]). What cannot be known beforehand is
//!    listed as unproven.
//! 2. Rows are read as history reads them ([`rows`]) and put through the mapping as a run would
//!    ([`judge`]).
//! 3. Changes are followed for a while ([`follow`]); behind the rows, since what holds the log for
//!    it must not last as long as reading whole tables does.
//!
//! What is out of reach takes only its own part with it. Nothing here produces, registers, creates or
//! takes a lock of the gateway's: not its transactional id, which would fence the one that runs, and
//! not its slot.

mod diff;
mod fields;
mod follow;
mod judge;
mod keys;
mod look;
mod machine;
mod planned;
mod preflight;
mod profile;
mod rows;
mod schemas;
mod tally;
mod text;

use std::sync::Arc;
use std::time::Duration;

use onramp_connector::Connector;
use onramp_finding::{Finding, Kind};
use onramp_language::{Gateway, Product};
use onramp_postgres::Postgres;

use self::follow::Followed;
use self::judge::Looked;
use self::look::Look;
use self::planned::Planned;
pub(crate) use self::rows::Rows;
use self::schemas::Schema;
use self::tally::Tally;
use crate::run::{instance, settings};

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) rows: Rows,
    /// How long changes are followed.
    pub(crate) follow: Option<Duration>,
    /// Whether raw values may be shown.
    pub(crate) show_rows: bool,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) findings: Vec<Finding>,
    /// What was out of reach, the first of them.
    pub(crate) out_of_reach: Option<Kind>,
    seen: Seen,
}

impl Outcome {
    /// For people, no wider than so many columns.
    pub(crate) fn text(&self, width: usize) -> String {
        text::text(&self.seen, width)
    }

    /// For machines.
    pub(crate) fn json(&self) -> serde_json::Map<String, serde_json::Value> {
        machine::json(&self.seen)
    }
}

/// Everything that was seen.
struct Seen {
    gateway: String,
    source: bool,
    broker: bool,
    registry: bool,
    unproven: Vec<String>,
    followed: Option<Followed>,
    products: Vec<ProductSeen>,
    planned: Option<Planned>,
}

impl Seen {
    /// The first table of a product.
    fn product(&mut self, name: &str) -> Option<&mut ProductSeen> {
        self.products.iter_mut().find(|p| p.name == name)
    }

    /// A product's table.
    fn of(&mut self, looked: &Looked) -> Option<&mut ProductSeen> {
        let table = looked.mapping.table.name.to_string();
        let mut all = self.products.iter_mut();
        all.find(|p| p.name == looked.name && p.table == table)
    }
}

/// What was seen of one product, of one of its tables where it has several.
struct ProductSeen {
    name: String,
    status: &'static str,
    table: String,
    /// None where it cannot be looked at: findings say why.
    looked: Option<Arc<Looked>>,
    rows: Option<RowsSeen>,
    changes: Option<Tally>,
    schemas: Vec<Schema>,
}

struct RowsSeen {
    tally: Tally,
    about: Option<u64>,
    all: bool,
    seconds: f64,
}

/// Looks at these products.
pub(crate) async fn look(gateway: &Gateway, products: Vec<Product>, wishes: &Wishes) -> Outcome {
    // Drafts too: to look before it is published is what this is for.
    let looked = Gateway {
        products,
        drafts: true,
        ..gateway.clone()
    };
    let names = settings::source(&looked, &instance().0);
    let connector: Arc<dyn Connector> = Arc::new(Postgres::new(names));
    let mut outcome = Look::new(&looked, connector, wishes).look().await;
    // Who did not answer is not waited for again.
    if outcome.out_of_reach.is_none() {
        outcome.seen.planned = planned::planned(gateway, &mut outcome.findings).await;
    }
    outcome
}
