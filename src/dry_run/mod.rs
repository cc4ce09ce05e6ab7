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
mod machine;
mod page;
mod planned;
mod preflight;
mod profile;
mod progress;
mod rows;
mod schemas;
mod tally;
mod text;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use onramp_connector::Connector;
use onramp_finding::codes::dry_run as codes;
use onramp_finding::{Failure, Finding, Kind};
use onramp_language::{Gateway, Product};
use onramp_postgres::Postgres;

use self::follow::Followed;
use self::judge::Looked;
use self::planned::Planned;
use self::progress::Progress;
pub(crate) use self::rows::Rows;
use self::rows::{Far, Parts, Table};
use self::schemas::Schema;
use self::tally::{Group, Tally};
use crate::run::{instance, settings};
use crate::terminal::grouped;

/// How often it is shown how far a table is read.
const SHOWN_EVERY: Duration = Duration::from_millis(500);

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

/// What was seen of one product.
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
    let mut look = Look::new(&looked, connector, wishes);
    look.preflight().await;
    if look.seen.source {
        look.rows().await;
        look.follow().await;
    }
    look.judge();
    look.seen.planned = planned::planned(gateway).await;
    look.progress.clear();
    look.outcome()
}

struct Look<'g> {
    gateway: &'g Gateway,
    connector: Arc<dyn Connector>,
    wishes: &'g Wishes,
    progress: Progress,
    findings: Vec<Finding>,
    /// In the order in which it is told.
    out_of_reach: Vec<Kind>,
    seen: Seen,
}

impl<'g> Look<'g> {
    fn new(gateway: &'g Gateway, connector: Arc<dyn Connector>, wishes: &'g Wishes) -> Self {
        let products = gateway.products.iter().map(|product| ProductSeen {
            name: product.name.value.to_string(),
            status: product.status.word(),
            table: crate::run::contracts::ident(product).to_string(),
            looked: None,
            rows: None,
            changes: None,
            schemas: Vec::new(),
        });
        let seen = Seen {
            gateway: gateway.name.value.clone(),
            source: false,
            broker: false,
            registry: false,
            unproven: Vec::new(),
            followed: None,
            products: products.collect(),
            planned: None,
        };
        Look {
            gateway,
            connector,
            wishes,
            progress: Progress::new(),
            findings: Vec::new(),
            out_of_reach: Vec::new(),
            seen,
        }
    }

    /// Keeps what a part of the work failed for; the other parts go on.
    fn failed(&mut self, failure: Failure, ends: bool) {
        if ends {
            self.out_of_reach.push(failure.kind);
        }
        self.findings.extend(failure.findings);
    }

    async fn preflight(&mut self) {
        self.progress
            .show("asking Kafka, the registry and the source");
        let gateway = self.gateway;
        let broker = preflight::broker(gateway).await;
        self.seen.broker = broker.is_ok();
        let progress = match broker {
            Ok(progress) => {
                self.seen
                    .unproven
                    .extend(preflight::unproven(gateway, progress.as_ref()));
                progress
            }
            Err(failure) => {
                self.failed(failure, true);
                self.seen
                    .unproven
                    .push(preflight::BEFORE_UNKNOWN.to_owned());
                None
            }
        };
        let published = |name: &str| preflight::is_published(progress.as_ref(), name);
        let (source, schemas) = tokio::join!(
            preflight::source(gateway, self.connector.as_ref(), progress.as_ref()),
            schemas::look(gateway, &gateway.products, published),
        );
        self.seen.source = source.is_ok();
        self.seen.registry = schemas.is_ok();
        match source {
            Ok(source) => self.looked(source),
            // The source is told of first.
            Err(failure) => {
                self.out_of_reach.insert(0, failure.kind);
                self.findings.extend(failure.findings);
            }
        }
        match schemas {
            Ok(schemas) => {
                self.findings.extend(schemas.findings);
                self.seen.unproven.extend(schemas.unproven);
                for (product, (_, of)) in self.seen.products.iter_mut().zip(schemas.of) {
                    product.schemas = of;
                }
            }
            Err(failure) => self.failed(failure, true),
        }
    }

    /// Keeps the products whose mapping fits their table.
    fn looked(&mut self, source: preflight::Source) {
        self.findings.extend(source.findings);
        let keys = settings::keys(self.gateway).unwrap_or_else(|failure| {
            self.failed(failure, false);
            Vec::new()
        });
        let pairs = self.gateway.products.iter().zip(&mut self.seen.products);
        for (product, seen) in pairs {
            let ident = crate::run::contracts::ident(product);
            let table = source.tables.iter().find(|t| t.name == ident);
            let Some(table) = table.filter(|_| !source.unfit.contains(&seen.name)) else {
                continue;
            };
            let show_rows = self.wishes.show_rows;
            let looked = Looked::new(self.gateway, product, table, &keys, show_rows);
            seen.looked = Some(Arc::new(looked));
        }
    }

    fn all_looked(&self) -> Vec<Arc<Looked>> {
        let looked = self.seen.products.iter();
        looked.filter_map(|p| p.looked.clone()).collect()
    }

    async fn rows(&mut self) {
        let run = instance().0.to_string();
        let parts = Arc::new(Parts::new(self.gateway, self.connector.clone(), run));
        for table in rows::tables(&self.all_looked()) {
            let table = Arc::new(table);
            match self.read(&parts, &table).await {
                Ok(read) => {
                    for (looked, tally) in table.looked.iter().zip(read.tallies) {
                        let product = self.seen.products.iter_mut();
                        let mut product = product.filter(|p| p.name == looked.name);
                        if let Some(product) = product.next() {
                            product.rows = Some(RowsSeen {
                                tally,
                                about: read.about,
                                all: read.all,
                                seconds: read.seconds,
                            });
                        }
                    }
                }
                Err(failure) => {
                    let ends = rows::is_out_of_reach(&failure);
                    self.failed(failure, ends);
                    if ends {
                        return;
                    }
                }
            }
        }
    }

    async fn read(
        &self,
        parts: &Arc<Parts>,
        table: &Arc<Table>,
    ) -> Result<rows::ReadRows, Failure> {
        let far = Arc::new(Far::default());
        let began = Instant::now();
        let mut reading = std::pin::pin!(rows::read(parts, table.clone(), self.wishes.rows, &far));
        loop {
            tokio::select! {
                read = &mut reading => {
                    self.progress.clear();
                    return read;
                }
                () = tokio::time::sleep(SHOWN_EVERY) => {}
            }
            let rows = far.rows.load(Ordering::Relaxed);
            let of = match (self.wishes.rows, far.about.load(Ordering::Relaxed)) {
                (Rows::All, about) if about > 0 => format!(" of about {}", grouped(about)),
                _ => String::new(),
            };
            let rate = (rows as f64 / began.elapsed().as_secs_f64()) as u64;
            let (rows, rate) = (grouped(rows), grouped(rate));
            self.progress
                .show(&format!("{}: {rows}{of} rows, {rate}/s", table.name()));
        }
    }

    async fn follow(&mut self) {
        let Some(duration) = self.wishes.follow else {
            return;
        };
        let looked = self.all_looked();
        if looked.is_empty() || !self.out_of_reach.iter().all(|kind| *kind != Kind::Source) {
            return;
        }
        let connector = self.connector.as_ref();
        let followed =
            follow::follow(self.gateway, connector, &looked, duration, &self.progress).await;
        match followed {
            Ok(mut followed) => {
                self.findings.append(&mut followed.findings);
                let tallies = std::mem::take(&mut followed.tallies);
                for (looked, tally) in looked.iter().zip(tallies) {
                    let product = self.seen.products.iter_mut();
                    let mut product = product.filter(|p| p.name == looked.name);
                    if let Some(product) = product.next() {
                        product.changes = Some(tally);
                    }
                }
                self.seen.followed = Some(followed);
            }
            Err(failure) => {
                let ends = rows::is_out_of_reach(&failure);
                self.failed(failure, ends);
            }
        }
    }

    /// What was counted, as findings.
    fn judge(&mut self) {
        for product in &self.seen.products {
            let Some(looked) = &product.looked else {
                continue;
            };
            let rows = product.rows.as_ref().map(|rows| (&rows.tally, "rows"));
            let changes = product.changes.as_ref().map(|tally| (tally, "changes"));
            for (tally, what) in rows.into_iter().chain(changes) {
                for group in tally.sorted() {
                    let finding = fails(product, looked, tally, group, what);
                    self.findings.push(finding.of_product(product.name.clone()));
                }
                if tally.read_otherwise > 0 {
                    let message = format!(
                        "{} of {} events of {} are not read back as they were written",
                        grouped(tally.read_otherwise),
                        grouped(tally.read_back),
                        product.name
                    );
                    let code = &codes::READ_OTHERWISE;
                    let place = looked.product.name.place();
                    let finding = Finding::error(code, place, message).remedy(code.remedy);
                    self.findings.push(finding.of_product(product.name.clone()));
                }
            }
            if product.changes.as_ref().is_none_or(|tally| tally.read == 0) {
                let how = match self.wishes.follow {
                    None => "none were followed, `--follow 30s` does",
                    Some(_) => "none came while it was looked",
                };
                let table = &product.table;
                let text = format!("whether changes of {table} can be carried: {how}");
                self.seen.unproven.push(text);
            }
            if let Some(rows) = product.rows.as_ref().filter(|rows| !rows.all) {
                self.seen.unproven.push(format!(
                    "whether every row of {} can be carried: {} were looked at, `--all` looks at each",
                    product.table,
                    grouped(rows.tally.read)
                ));
            }
        }
        // Products of one table say the same of it.
        let mut said = std::collections::HashSet::new();
        self.seen.unproven.retain(|text| said.insert(text.clone()));
    }

    fn outcome(self) -> Outcome {
        Outcome {
            findings: self.findings,
            out_of_reach: self.out_of_reach.first().copied(),
            seen: self.seen,
        }
    }
}

/// A group of rows that fail, at the place in the file that they fail at.
fn fails(
    product: &ProductSeen,
    looked: &Looked,
    tally: &Tally,
    group: &Group,
    what: &str,
) -> Finding {
    let field = match group.field.as_str() {
        "" => String::new(),
        "where" => ": `where`".to_owned(),
        field => format!(": field {field}"),
    };
    let message = format!(
        "{} of {} {what} of {} would fail{field} ({})",
        grouped(group.count),
        grouped(tally.read),
        product.table,
        group.code.id
    );
    Finding::error(&codes::ROWS_FAIL, looked.place_of(&group.field), message)
        .because(group.reason.clone())
        .remedy(group.code.remedy)
}
