//! The order of the work, and what fails of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use onramp_connector::Connector;
use onramp_finding::codes::dry_run as codes;
use onramp_finding::{Failure, Finding, Kind};
use onramp_language::{Gateway, Product};

use super::judge::Looked;
use super::rows::{self, Far, Parts, Rows, Table};
use super::tally::{Group, Tally};
use super::{Outcome, ProductSeen, RowsSeen, Seen, Wishes};
use super::{follow, keys, preflight, schemas};
use crate::run::{instance, sources};
use crate::terminal::{Progress, grouped};

/// A dry run under way.
pub(super) struct Look<'g> {
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
    pub(super) fn new(
        gateway: &'g Gateway,
        connector: Arc<dyn Connector>,
        wishes: &'g Wishes,
    ) -> Self {
        let products = gateway
            .products
            .iter()
            .map(|product| seen_of(product, product.tables.words()));
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
            progress: Progress::default(),
            findings: Vec::new(),
            out_of_reach: Vec::new(),
            seen,
        }
    }

    /// Does all that is in reach.
    pub(super) async fn look(mut self) -> Outcome {
        self.preflight().await;
        if self.seen.source {
            self.rows().await;
            self.follow().await;
        }
        self.judge();
        self.doubled();
        self.progress.clear();
        self.outcome()
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
            .say("asking Kafka, the registry and the source");
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
        let (source, schemas) = tokio::join!(
            preflight::source(gateway, self.connector.as_ref(), progress.as_ref()),
            schemas::look(gateway, &gateway.products, progress.as_ref()),
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
                for (name, of) in schemas.of {
                    if let Some(product) = self.seen.product(&name) {
                        product.schemas = of;
                    }
                }
            }
            Err(failure) => self.failed(failure, true),
        }
    }

    /// Keeps the products whose mapping fits their table.
    fn looked(&mut self, source: preflight::Source) {
        self.findings.extend(source.findings);
        let keys = self.keys();
        let mut all = Vec::new();
        for product in &source.gateway.products {
            let tables = sources::of(product, &source.tables);
            if tables.is_empty() {
                all.push(seen_of(product, product.tables.words()));
            }
            for table in tables {
                let mut seen = seen_of(product, table.name.to_string());
                if !source.unfit.contains(&seen.name) {
                    let show_rows = self.wishes.show_rows;
                    let looked = Looked::new(&source.gateway, product, table, &keys, show_rows);
                    seen.looked = Some(Arc::new(looked));
                }
                all.push(seen);
            }
        }
        self.seen.products = all;
    }

    /// The keys of protection. Whoever looks need not be trusted with them: another one stands in for
    /// each that cannot be read.
    fn keys(&mut self) -> Vec<(String, Vec<u8>)> {
        let used: Vec<&str> = (self.gateway.products.iter())
            .flat_map(|product| product.protections())
            .filter_map(|protect| protect.key())
            .collect();
        let mut keys = Vec::new();
        for (name, secret) in &self.gateway.keys {
            if !used.contains(&name.as_str()) {
                continue;
            }
            let key = secret.read().unwrap_or_else(|why| {
                self.seen.unproven.push(format!(
                    "which pseudonyms key {name} gives: {why}, and another key stands in for it"
                ));
                format!("onramp dry-run {name}")
            });
            keys.push((name.clone(), key.into_bytes()));
        }
        keys
    }

    fn all_looked(&self) -> Vec<Arc<Looked>> {
        let looked = self.seen.products.iter();
        looked.filter_map(|p| p.looked.clone()).collect()
    }

    /// Those that rows tell something about: facts follow from changes, unless they have a history.
    fn of_rows(&mut self) -> Vec<Arc<Looked>> {
        let (of_rows, facts): (Vec<_>, Vec<_>) = self
            .all_looked()
            .into_iter()
            .partition(|looked| looked.product.reads_rows());
        if !facts.is_empty() && self.wishes.follow.is_none() {
            let names: Vec<&str> = facts.iter().map(|f| f.name.as_str()).collect();
            self.seen.unproven.push(format!(
                "what facts come of: they follow from changes, which `--follow 30s` looks at ({})",
                names.join(", ")
            ));
        }
        of_rows
    }

    async fn rows(&mut self) {
        let run = instance().0.to_string();
        let parts = Arc::new(Parts::new(self.gateway, self.connector.clone(), run));
        for table in rows::tables(&self.of_rows()) {
            let table = Arc::new(table);
            match self.read(&parts, &table).await {
                Ok(read) => {
                    for (looked, tally) in table.looked.iter().zip(read.tallies) {
                        if let Some(product) = self.seen.of(looked) {
                            product.rows = Some(RowsSeen {
                                tally,
                                about: read.about,
                                all: read.all,
                                seconds: read.seconds,
                            });
                        }
                    }
                }
                Err(mut failure) => {
                    let ends = rows::is_out_of_reach(&failure);
                    let names: Vec<&str> = table.looked.iter().map(|l| l.name.as_str()).collect();
                    for finding in failure.findings.iter_mut().filter(|_| !ends) {
                        finding.product.get_or_insert_with(|| names.join(", "));
                        finding.message = format!("{}: {}", table.name(), finding.message);
                    }
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
                () = tokio::time::sleep(follow::SHOWN_EVERY) => {}
            }
            let rows = far.rows.load(Ordering::Relaxed);
            let of = match (self.wishes.rows, far.about.load(Ordering::Relaxed)) {
                (Rows::All, about) if about > 0 => format!(" of about {}", grouped(about)),
                _ => String::new(),
            };
            let rate = (rows as f64 / began.elapsed().as_secs_f64()) as u64;
            let (rows, rate) = (grouped(rows), grouped(rate));
            self.progress
                .say(&format!("{}: {rows}{of} rows, {rate}/s", table.name()));
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
                    if let Some(product) = self.seen.of(looked) {
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
                let messages = looked.mapping.table.name.message_prefix().is_some();
                let how = match (self.wishes.follow, &product.changes) {
                    _ if messages => "changes of tables are followed alone",
                    (None, _) => "none were followed, `--follow 30s` does",
                    (Some(_), None) => "they were not followed",
                    (Some(_), Some(_)) => "none came meanwhile",
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

    /// Keys that stand in two tables of a product whose rows move from one to the other.
    fn doubled(&mut self) {
        for product in &self.gateway.products {
            let name = product.name.to_string();
            let of = self.seen.products.iter().filter(|p| p.name == name);
            let read = of.filter_map(|p| Some((p.table.as_str(), &p.rows.as_ref()?.tally.keys)));
            let (tables, all): (Vec<_>, Vec<_>) = read.unzip();
            let Some(found) = keys::doubled(all.iter().copied()) else {
                continue;
            };
            let part = match found.one_of {
                1 => String::new(),
                n => format!(", of the one in {n} that was looked at"),
            };
            let message = format!(
                "{} of {name} stand in two tables{part}, the first of them in {} and {}",
                format_args!("{} key(s)", grouped(found.keys)),
                tables[found.tables.0],
                tables[found.tables.1],
            );
            let code = &onramp_finding::codes::mapping::KEY_IN_TWO_TABLES;
            let finding = Finding::error(code, product.tables.place(), message)
                .because(code.reason)
                .remedy("delete the rows that are copies; where a key may stand in both, make table.name a part of the key");
            self.findings.push(finding.of_product(name));
        }
    }

    fn outcome(self) -> Outcome {
        // What a mapping's check warns of, its compiling does once more.
        let mut findings: Vec<Finding> = Vec::new();
        for finding in self.findings {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        Outcome {
            findings,
            out_of_reach: self.out_of_reach.first().copied(),
            seen: self.seen,
        }
    }
}

/// A product of which nothing is known yet.
fn seen_of(product: &Product, table: String) -> ProductSeen {
    ProductSeen {
        name: product.name.value.to_string(),
        status: product.status.word(),
        table,
        looked: None,
        rows: None,
        changes: None,
        schemas: Vec::new(),
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
