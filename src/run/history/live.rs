//! Rows that the log brought while those that were there before are told, each of them once: facts
//! and outboxes with `history: insert`.
//!
//! Until every row is told they are remembered by name, in progress too, in the Kafka transaction of
//! their events: what was told by the log before this process began is known to it. Nothing of it can
//! be forgotten, so that want of room ends the gateway.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onramp_event::{Arena, RouteId, RowName};
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_publisher::LiveRows;
use onramp_translator::Mapped;

/// What a name takes in a set, whose places are at least three of seven taken.
const ENTRY_BYTES: usize = 40;

/// For each product whose rows are told once: those that the log brought.
pub(super) struct Live {
    products: Vec<Product>,
    /// By route: whose events these are, a quarantine's too.
    routes: Vec<Option<usize>>,
    limit_bytes: usize,
}

struct Product {
    name: String,
    route: RouteId,
    rows: HashSet<RowName>,
    pages: LiveRows,
    asked: Arc<AtomicBool>,
    /// Whether rows are still to be told.
    under_way: bool,
}

impl Live {
    pub(super) fn new(limit_bytes: usize) -> Live {
        Live {
            products: Vec::new(),
            routes: Vec::new(),
            limit_bytes,
        }
    }

    /// Remembers a product's rows from here on, beside those that progress knows of.
    pub(super) fn watch(&mut self, mapped: &Mapped, mut pages: LiveRows) {
        let Some(names) = &mapped.rows else { return };
        let rows = pages.rows().copied().collect();
        pages.keep_last();
        let at = self.products.len();
        for route in [Some(mapped.route), mapped.quarantine.map(|q| q.route)] {
            let Some(route) = route.map(|route| usize::from(route.0)) else {
                continue;
            };
            if self.routes.len() <= route {
                self.routes.resize(route + 1, None);
            }
            self.routes[route] = Some(at);
        }
        self.products.push(Product {
            name: mapped.product.name.value.to_string(),
            route: mapped.route,
            rows,
            pages,
            asked: names.asked.clone(),
            under_way: true,
        });
    }

    fn of(&self, route: RouteId) -> Option<&Product> {
        let at = self.routes.get(usize::from(route.0)).copied().flatten()?;
        self.products.get(at)
    }

    /// The product whose events these are, if its rows are told once.
    pub(super) fn product(&self, route: RouteId) -> Option<RouteId> {
        self.of(route).map(|product| product.route)
    }

    /// Whether the log brought the row of this name.
    pub(super) fn brought(&self, route: RouteId, row: &[u8]) -> bool {
        self.of(route)
            .is_some_and(|product| product.rows.contains(row))
    }

    /// Takes note of rows that the log brought, in the records of progress that go with their events.
    pub(super) fn note(&mut self, arena: &mut Arena) -> Result<(), Failure> {
        let mut written = BTreeSet::new();
        for mark in arena.marks.iter().filter(|mark| !mark.gone) {
            let at = self.routes.get(usize::from(mark.route.0)).copied();
            let Some(at) = at.flatten() else { continue };
            let product = &mut self.products[at];
            if product.under_way && product.rows.insert(mark.row) {
                written.insert((at, product.pages.add(mark.row)));
            }
        }
        for (at, page) in &written {
            let product = &self.products[*at];
            let (key, value) = product.pages.note(&product.name, *page);
            // A page that fills is written once an arena.
            match arena.notes.iter_mut().find(|(there, _)| *there == key) {
                Some((_, before)) => *before = value,
                None => arena.notes.push((key, value)),
            }
        }
        for (at, _) in written {
            self.products[at].pages.keep_last();
        }
        self.room()
    }

    fn room(&self) -> Result<(), Failure> {
        let rows = self.products.iter().map(|product| product.rows.len());
        let rows: usize = rows.sum();
        if rows * ENTRY_BYTES <= self.limit_bytes {
            return Ok(());
        }
        let products = self.products.iter().filter(|p| !p.rows.is_empty());
        let names: Vec<&str> = products.map(|p| p.name.as_str()).collect();
        let message = format!(
            "{rows} rows of {} came while those that were there before are read, more than {} bytes hold",
            names.join(", "),
            self.limit_bytes
        );
        let place = Place::Setting("limits.changed_keys".into());
        let finding = Finding::error(&running::HISTORY_FULL, place, message)
            .because(running::HISTORY_FULL.reason)
            .remedy(running::HISTORY_FULL.remedy);
        Err(Failure::stop(Kind::Configuration, finding))
    }

    /// Every row of a product is told: the records that take its pages away.
    pub(super) fn done(&mut self, product: &str) -> Vec<(String, String)> {
        let Some(product) = self.products.iter_mut().find(|p| p.name == product) else {
            return Vec::new();
        };
        product.asked.store(false, Ordering::Relaxed);
        product.under_way = false;
        product.rows = HashSet::new();
        std::mem::take(&mut product.pages).gone(&product.name)
    }
}
