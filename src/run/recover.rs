//! `onramp recover`: the way out where a start is refused because log was lost.
//!
//! 1. What was lost is found as a start finds it; nothing lost, nothing done.
//! 2. Whoever runs it says yes to what will be done.
//! 3. Every producer of this gateway is fenced, and progress read again: nobody else has moved it.
//! 4. The gap is put on record as open: from here on every start is refused until it is closed,
//!    however far the server's log may grow meanwhile.
//! 5. What is left of the slot is dropped, and a new one made and held.
//! 6. In one Kafka transaction: the new position, the gap closed, and a run over every entity's
//!    rows that gives tombstones to keys that the table no longer has.
//!
//! Ended between 4 and 6, progress still stands before the gap, which is open: recovery goes on
//! with that one.

use std::sync::Arc;

use onramp_connector::{
    Acquired, Connector, Instance, Lease, Position, PrepareRequest, Prepared, TableDescription,
};
use onramp_finding::codes::{running, source};
use onramp_finding::{Code, Failure, Finding, Kind, Place};
use onramp_language::Gateway;
use onramp_postgres::Postgres;
use onramp_publisher::progress::{self, FORMAT, PositionRecord, ProductStatus, Progress};
use onramp_publisher::{Cause, GapRecord, HistoryRecord, Kafka, WaitingProducer, scan};

use super::attempt::{SETTLE_DEADLINE, blocking};
use super::{contracts, instance, products, requests, settings, sources};

/// What a start is refused for that this mends.
const LOST: &[&Code] = &[
    &source::LOG_LOST,
    &source::SLOT_GONE,
    &source::SLOT_AHEAD,
    &source::OTHER_TIMELINE,
    &source::PROGRESS_AHEAD,
    &source::UNPUBLISHED,
];

/// Shows what will be done; an error where the answer is no.
pub(crate) type Ask = Box<dyn Fn(&str) -> Result<(), Failure>>;

/// What whoever runs it has to say.
pub(crate) struct Consent {
    /// Whether to go on.
    pub(crate) ask: Ask,
    /// The products of facts that go on without what was lost.
    pub(crate) accepted_gaps: Vec<String>,
}

/// Recovers; gives what was done, for people.
pub(crate) async fn recover(gateway: Gateway, consent: Consent) -> Result<String, Failure> {
    let recovery = Recovery::connect(gateway).await?;
    let (mut looked, mut lock) = (recovery.look().await?, None);
    if looked.has_slot() {
        // Whoever streams moves slot and progress on: they are held against each other once nobody
        // does.
        lock = Some(recovery.lock().await?);
        looked = recovery.look().await?;
    }
    accepted(&looked, &consent.accepted_gaps)?;
    (consent.ask)(&recovery.plan(&looked))?;
    recovery.go_on(looked, lock).await
}

struct Recovery {
    gateway: Gateway,
    instance: Instance,
    kafka: Kafka,
    connector: Arc<dyn Connector>,
}

/// What was found.
struct Looked {
    progress: Progress,
    position: PositionRecord,
    request: PrepareRequest,
    lost: Vec<Finding>,
    /// The gap that a recovery before this one left open, and its number.
    open: Option<(u64, GapRecord)>,
    /// The entities whose rows are published again.
    entities: Vec<String>,
    /// The products of facts, which lack for good what was lost.
    facts: Vec<String>,
}

impl Looked {
    /// Where progress stands.
    fn position(&self) -> Position {
        Position(self.position.position.as_str().into())
    }

    /// Whether there may be a slot that somebody streams from.
    fn has_slot(&self) -> bool {
        let none: [&Code; 2] = [&source::LOG_LOST, &source::SLOT_GONE];
        !self.lost.iter().any(|f| none.contains(&f.code))
    }

    /// What was lost, on one line.
    fn reason(&self) -> String {
        let told = self.lost.iter();
        let told: Vec<String> = told
            .map(|f| format!("{}: {}", f.code.id, f.message))
            .collect();
        match &self.open {
            // What is found now may be what recovery itself did.
            Some((_, gap)) => gap.reason.clone(),
            None => told.join("; "),
        }
    }
}

impl Recovery {
    async fn connect(gateway: Gateway) -> Result<Recovery, Failure> {
        let kafka_settings = settings::kafka(&gateway)?;
        let kafka = blocking(move || Kafka::connect(kafka_settings)).await?;
        let instance = instance();
        let connector = Arc::new(Postgres::new(settings::source(&gateway, &instance.0)));
        Ok(Recovery {
            gateway,
            instance,
            kafka,
            connector,
        })
    }

    /// Looks at progress and source as a start does.
    async fn look(&self) -> Result<Looked, Failure> {
        let (kafka, name) = (self.kafka.clone(), self.gateway.name.value.clone());
        let seen = blocking(move || progress::read(&kafka, &name)).await?;
        products::against_files(&self.gateway, seen.as_ref())?;
        let known = seen.and_then(|progress| Some((progress.position.clone()?, progress)));
        let Some((position, progress)) = known else {
            return Err(nothing_lost("this gateway has published nothing yet"));
        };
        let (gateway, unfound) = sources::found(&self.gateway, self.connector.as_ref()).await?;
        if !unfound.is_empty() {
            return Err(Failure::all(Kind::Source, unfound));
        }
        let gateway = &gateway;
        let idents = requests::idents(gateway);
        let described = self.connector.describe(&idents).await?;
        let tables = requests::tables(gateway, &described, Some(&progress));
        let request = requests::request(&tables, Some(&progress));
        let lost = self.lost(gateway, &request, &described).await?;
        let open = progress.gaps.iter().find(|(_, gap)| gap.open);
        let open = open.map(|(number, gap)| (*number, gap.clone()));
        if lost.is_empty() && open.is_none() {
            let why = format!("the slot holds everything after {}", position.position);
            return Err(nothing_lost(&why));
        }
        Ok(Looked {
            entities: self.entities(&progress),
            facts: self.active(&progress, false),
            progress,
            position,
            request,
            lost,
            open,
        })
    }

    /// What a start would be refused for, where recovery mends all of it.
    async fn lost(
        &self,
        gateway: &Gateway,
        request: &PrepareRequest,
        described: &[TableDescription],
    ) -> Result<Vec<Finding>, Failure> {
        let mut findings = self.connector.preflight(request).await?;
        findings.extend(contracts::check_mappings(gateway, described));
        let (lost, mut others): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|f| LOST.contains(&f.code));
        others.retain(|f| f.severity == onramp_finding::Severity::Error);
        if !others.is_empty() {
            return Err(Failure::all(Kind::Source, others));
        }
        Ok(lost)
    }

    fn entities(&self, progress: &Progress) -> Vec<String> {
        self.active(progress, true)
    }

    /// The products that were published up to the gap, entities or facts.
    fn active(&self, progress: &Progress, entities: bool) -> Vec<String> {
        let products = products::published(&self.gateway).into_iter();
        let names = products
            .filter(|p| p.is_entity() == entities)
            .map(|p| p.name.value.to_string());
        let active = |name: &String| {
            let state = progress.products.get(name);
            state.is_some_and(|s| s.status == ProductStatus::Active)
        };
        names.filter(active).collect()
    }

    async fn lock(&self) -> Result<Box<dyn Lease>, Failure> {
        match self.connector.acquire(&self.instance).await? {
            Acquired::Lease(lease) => Ok(lease),
            Acquired::Held(holder) => Err(still_runs(&format!("the slot is held: {holder}"))),
        }
    }

    /// What will be done, for whoever is asked.
    fn plan(&self, looked: &Looked) -> String {
        let mut plan = format!("gateway {}: log was lost\n", self.gateway.name.value);
        if let Some((number, gap)) = &looked.open {
            plan.push_str(&format!(
                "  gap {number}, opened at {} by a recovery that did not end: {}\n",
                gap.when, gap.reason
            ));
        }
        for finding in &looked.lost {
            plan.push_str(&format!("  {}: {}\n", finding.code.id, finding.message));
        }
        plan.push_str(
            "\nThis takes the gateway's place in Kafka, so that one that still runs is fenced;\n\
             makes a new slot in place of what is left of the old one;\n",
        );
        plan.push_str(&format!(
            "records that what was committed after {} and before the new slot was not\n\
             published as it happened; and has every row of these published again, with\n\
             tombstones for keys that their tables no longer have:\n",
            looked.position.position
        ));
        for entity in &looked.entities {
            plan.push_str(&format!("  {entity}\n"));
        }
        if !looked.facts.is_empty() {
            plan.push_str("These go on and lack for good what was lost:\n");
        }
        for facts in &looked.facts {
            plan.push_str(&format!("  {facts}\n"));
        }
        plan
    }

    async fn go_on(self, looked: Looked, lock: Option<Box<dyn Lease>>) -> Result<String, Failure> {
        let (producer, settled, ends) = {
            let (kafka, name) = (self.kafka.clone(), self.gateway.name.value.clone());
            let (seen, entities) = (looked.progress.clone(), looked.entities.clone());
            blocking(move || {
                let timeout = kafka.transaction_timeout()?;
                let producer = WaitingProducer::connect(&kafka, &name, timeout)?.take_over()?;
                let settled = progress::read_settled(&kafka, &name, Some(&seen), SETTLE_DEADLINE)?;
                let mut ends = Vec::with_capacity(entities.len());
                for entity in entities {
                    ends.push((entity.clone(), scan::ends(&kafka, &entity)?));
                }
                Ok((producer, settled, ends))
            })
            .await?
        };
        let settled = settled.unwrap_or_default();
        if settled.position.as_ref() != Some(&looked.position) {
            return Err(still_runs("progress moved on while recovery looked at it"));
        }

        let from = looked.position.position.clone();
        let next = settled.gaps.keys().next_back().map_or(1, |last| last + 1);
        let number = looked.open.as_ref().map_or(next, |(number, _)| *number);
        let mut gap = GapRecord::now(from.clone(), looked.reason(), looked.entities.clone());
        gap.accepted.clone_from(&looked.facts);
        let opened = vec![gap.note(number)];
        // It stands where it stood, on the history that it was made on.
        let mut position = looked.position.clone();
        position.instance = self.instance.0.to_string();
        let producer =
            blocking(move || onramp_publisher::write_alone(producer, &position, &opened)).await?;

        // Its connection would keep the slot from being dropped.
        drop(lock);
        let Prepared { from: to, .. } = self.hold_anew(&looked).await?;
        let held = self.lock().await?;
        let identity = self.connector.identity().await?;

        let Position(to) = to;
        let mut notes = vec![gap.closed(to.to_string()).note(number)];
        for (entity, topic_ends) in ends {
            let mut run = HistoryRecord::begin(self.instance.0.to_string(), Cause::Recovery);
            run.reconcile = true;
            run.topic_ends = topic_ends;
            notes.push(run.note(&entity));
        }
        let position = PositionRecord {
            format: FORMAT,
            gateway: self.gateway.name.value.clone(),
            position: to.to_string(),
            system: identity.system,
            branch: identity.branch,
            instance: self.instance.0.to_string(),
            source_commit: None,
        };
        blocking(move || onramp_publisher::write_alone(producer, &position, &notes)).await?;
        drop(held);
        tracing::info!(gap = number, %from, %to, "recovered");
        Ok(format!(
            "{}: gap {number} is on record, from {from} to {to}; `onramp run` goes on from there",
            self.gateway.name.value
        ))
    }

    /// Gives up what is left of the slot, and has the source hold its log from now on.
    async fn hold_anew(&self, looked: &Looked) -> Result<Prepared, Failure> {
        self.connector.discard(&looked.position()).await?;
        let mut request = looked.request.clone();
        (request.progress, request.identity) = (None, None);
        for table in &mut request.tables {
            // That is what the gap says: what no longer holds its changes may be mended.
            table.published_before = false;
        }
        self.connector.prepare(&request).await
    }
}

/// Products whose gap must be accepted are those of facts: an entity's rows are published again.
fn accepted(looked: &Looked, names: &[String]) -> Result<(), Failure> {
    let needless = names.iter().filter(|name| !looked.facts.contains(name));
    let needless = needless.map(|name| {
        let message = match looked.entities.contains(name) {
            true => format!("{name} is an entity: there is no gap to accept"),
            false => format!("{name} is not published by this gateway"),
        };
        let finding = Finding::error(
            &running::COMMAND_REFUSED,
            Place::Setting("--accept-gap".into()),
            message,
        );
        finding
            .because("a product of facts lacks for good what was lost; an entity's rows are published again, so that its topic is as the table is")
            .remedy("leave it out of --accept-gap")
            .of_product(name.clone())
    });
    let mut wrong: Vec<Finding> = needless.collect();
    let open = looked.facts.iter().filter(|name| !names.contains(name));
    wrong.extend(open.map(|name| {
        let message = format!("{name} would lack for good what was lost");
        let place = Place::Setting("--accept-gap".into());
        Finding::error(&running::COMMAND_REFUSED, place, message)
            .because("facts follow from changes, and the changes between are gone: nothing can make up for them")
            .remedy(format!("say `--accept-gap {name}`; status and metrics go on showing the gap"))
            .of_product(name.clone())
    }));
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::all(Kind::Configuration, wrong)),
    }
}

fn nothing_lost(why: &str) -> Failure {
    let finding = Finding::error(&running::NOTHING_LOST, Place::Nowhere, why)
        .because(running::NOTHING_LOST.reason)
        .remedy(running::NOTHING_LOST.remedy);
    Failure::stop(Kind::Configuration, finding)
}

fn still_runs(why: &str) -> Failure {
    let finding = Finding::error(&running::STILL_RUNS, Place::Nowhere, why)
        .because(running::STILL_RUNS.reason)
        .remedy(running::STILL_RUNS.remedy);
    Failure::stop(Kind::Configuration, finding)
}
