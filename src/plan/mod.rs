//! `onramp plan`: what `onramp run` would create, alter or refuse, without doing any of it.
//!
//! It asks the rooms that a run asks, by their read-only ends ([`look`]): the connector what it would
//! prepare, the registry's client what it would register, the publisher which topics it would make
//! and claim, and [`decide`](crate::run::history::decide) which rows would be read again. Nothing is
//! written anywhere, and no earlier producer is fenced.
//!
//! A plan has a hash ([`hash`]) that `run --plan` insists on ([`insist`]).

mod hash;
mod insist;
mod look;
mod rows;
mod text;

use std::collections::HashSet;

use onramp_connector::Ident;
use onramp_finding::{Finding, Kind, Severity};
use serde_json::{Map, Value, json};

pub(crate) use insist::insist;
pub(crate) use look::look;

/// What a run would do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) gateway: String,
    /// Everything that is wrong or worth knowing; an error is what a run would refuse.
    pub(crate) findings: Vec<Finding>,
    /// In the order in which a run would do it.
    pub(crate) steps: Vec<Step>,
    pub(crate) products: Vec<PlannedProduct>,
    /// None where a run would refuse, or a server could not be asked.
    pub(crate) hash: Option<String>,
    /// The first server that could not be asked.
    pub(crate) out_of_reach: Option<Unasked>,
}

/// A server that could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unasked {
    pub(crate) kind: Kind,
    /// Whether it may answer another time.
    pub(crate) retry: bool,
}

/// Where something would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Source,
    Registry,
    Kafka,
}

impl Area {
    fn word(self) -> &'static str {
        match self {
            Area::Source => "source",
            Area::Registry => "registry",
            Area::Kafka => "kafka",
        }
    }
}

/// What would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Create,
    Alter,
    /// A gateway owns a topic from then on.
    Claim,
}

impl Does {
    fn word(self) -> &'static str {
        match self {
            Does::Create => "create",
            Does::Alter => "alter",
            Does::Claim => "claim",
        }
    }
}

/// One thing that would be created, altered or claimed.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) area: Area,
    pub(crate) does: Does,
    /// `topic commerce.orders.v1`.
    pub(crate) object: String,
    pub(crate) details: Vec<String>,
    /// What a DBA may run instead.
    pub(crate) statement: Option<String>,
    /// Transactions that would be waited for now.
    pub(crate) waits_for: Vec<String>,
}

/// What becomes of a product.
#[derive(Debug)]
pub(crate) struct PlannedProduct {
    pub(crate) product: String,
    pub(crate) fate: Fate,
    /// The rows that would be read.
    pub(crate) rows: Option<Rows>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is published for the first time.
    Begins,
    /// The same, of facts or an outbox that tells the rows that are there as inserts.
    BeginsWithRows,
    /// The same, of events that rows do not tell: changes from now on do.
    BeginsAnew,
    /// It was retired, and is published again.
    Returns,
    /// As before; a run over its rows that is not done goes on.
    GoesOn,
    /// Its mapping changed, and every row is published again.
    Backfilled,
    /// Its mapping changed, and events of before stay as they are.
    Kept,
    /// A run would refuse it; a finding says why.
    Refused,
    /// Its changes are published no more.
    Retires,
    /// A draft: the gateway file does not say `drafts: true`.
    LeftOut,
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Fate::Begins | Fate::BeginsWithRows | Fate::BeginsAnew => "begins",
            Fate::Returns => "returns",
            Fate::GoesOn => "goes on",
            Fate::Backfilled => "back-filled",
            Fate::Kept => "kept",
            Fate::Refused => "refused",
            Fate::Retires => "retires",
            Fate::LeftOut => "left out",
        }
    }
}

/// Rows that would be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub(crate) tables: Vec<Ident>,
    /// None where the source never counted them.
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: u64,
    /// At the rate at which a sample was read just now by one reader; None where that says nothing.
    pub(crate) seconds: Option<f64>,
    /// Whether keys that the table lacks get tombstones.
    pub(crate) reconcile: bool,
}

impl Plan {
    /// A product that an error is about begins, or goes on, nowhere.
    fn refuse(&mut self) {
        let errors = self
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error);
        let named = errors.filter_map(|f| f.product.as_deref());
        let refused: HashSet<&str> = named.flat_map(|names| names.split(", ")).collect();
        for planned in &mut self.products {
            if refused.contains(planned.product.as_str()) {
                (planned.fate, planned.rows) = (Fate::Refused, None);
            }
        }
    }

    /// As people read it, `columns` wide.
    pub(crate) fn text(&self, columns: usize) -> String {
        text::text(self, columns)
    }

    /// As docs/json.md tells.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let steps = self.steps.iter().map(|step| {
            json!({
                "area": step.area.word(),
                "does": step.does.word(),
                "object": step.object,
                "details": step.details,
                "statement": step.statement,
                "waits_for": step.waits_for,
            })
        });
        let products = self.products.iter().map(|product| {
            let rows = product.rows.as_ref().map(|rows| {
                json!({
                    "tables": rows.tables.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "rows": rows.rows,
                    "bytes": rows.bytes,
                    "seconds": rows.seconds,
                    "reconcile": rows.reconcile,
                })
            });
            json!({ "product": product.product, "fate": product.fate.word(), "reads": rows })
        });
        let mut object = Map::new();
        object.insert("gateway".into(), json!(self.gateway));
        object.insert("plan".into(), json!(self.hash));
        object.insert("steps".into(), steps.collect());
        object.insert("products".into(), products.collect());
        object
    }
}
