//! One attempt: the order in which a run starts, and its way to the end.
//!
//! 0. Where a plan's hash is given, everything is looked at and held against it ([`plan`]).
//! 1. Progress is read without fencing anybody, and held against the files.
//! 2. The source is looked at and prepared; its own lock, the slot, is taken. While another
//!    instance has it, this one is a standby. New products whose tables others have locked are
//!    left out ([`pending`]).
//! 3. With the lock held: contracts, topics and claims.
//! 4. Every earlier producer of this gateway is fenced.
//! 5. Progress is read again, settled: nothing that the earlier one committed is missed.
//! 6. The log is streamed from there, until it fails, is told to stop, or can begin anew with a
//!    product that was left out.

use std::sync::Arc;
use std::time::Duration;

use onramp_connector::{Acquired, Connector, Instance, Lease, Position, StreamLimits};
use onramp_finding::codes::{running, source};
use onramp_finding::{Failure, Finding, Kind, Severity};
use onramp_language::{Gateway, Product};
use onramp_postgres::Postgres;
use onramp_publisher::progress::{self, PositionRecord};
use onramp_publisher::{Kafka, Origin, Publisher, PublisherParts, WaitingProducer};
use onramp_translator::{RowLimits, Translator};
use tokio::sync::{mpsc, watch};

use super::history::command::{Asked, Commands};
use super::history::{self, History, Orders};
use super::pending::{self, Pending};
use super::{contracts, products, protection, pump, requests, settings, sources};
use crate::health::{Board, Phase};
use crate::plan;

/// How often a standby looks whether the slot is free.
const STANDBY_LOOKS_EVERY: Duration = Duration::from_secs(1);
/// How long an open transaction of an earlier producer is waited for.
pub(super) const SETTLE_DEADLINE: Duration = Duration::from_secs(60);
/// Arenas between encoding and publishing: enough to hide a commit.
const ARENAS: usize = 8;
/// The log that one batch holds.
const BATCH_BYTES: usize = 256 << 10;

/// What every attempt begins with.
pub(super) struct Context {
    pub(super) instance: Instance,
    pub(super) gateway: Gateway,
    /// The hash of the plan that it is to do.
    pub(super) plan: Option<String>,
    pub(super) board: Board,
    pub(super) commands: Commands,
}

impl Context {
    /// The same, about these files.
    pub(super) fn of(&self, gateway: Gateway) -> Arc<Context> {
        Arc::new(Context {
            instance: self.instance.clone(),
            gateway,
            plan: None,
            board: self.board.clone(),
            commands: self.commands.clone(),
        })
    }

    /// The products whose changes are published.
    pub(super) fn published(&self) -> Vec<&Product> {
        products::published(&self.gateway)
    }
}

/// Runs Kafka's blocking calls beside the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Failure::internal(
            &running::INTERNAL,
            "a worker thread died",
        ))
    })
}

/// How an attempt ends that does not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was told to stop.
    Stopped,
    /// There is more to stream than it began with: the next attempt is to begin at once.
    Anew,
}

/// From connecting to the first failure, or to the end that was asked for.
pub(super) async fn attempt(
    context: &Arc<Context>,
    mut stop: watch::Receiver<bool>,
) -> Result<Ended, Failure> {
    let started = tokio::select! {
        started = start(context) => started,
        _ = stop.wait_for(|stop| *stop) => return Ok(Ended::Stopped),
    };
    let (ended, taken_over) = match started {
        Ok(None) => return Ok(Ended::Anew),
        Ok(Some((flow, stream, taken_over))) => {
            context.board.set(Phase::Streaming);
            (
                pump::pump(context, flow, stream, stop).await,
                Some(taken_over),
            )
        }
        Err(failure) => (Err(failure), None),
    };
    match ended {
        Err(failure) if failure.kind == Kind::Fenced => {
            Err(who_fenced(context, taken_over, failure).await)
        }
        ended => ended,
    }
}

/// A producer is fenced by its successor, but by the coordinator too when its transaction timed
/// out. Nobody else's instance in progress, beside the record that this one took over: it was a
/// time-out, or a successor that has published nothing yet; to start over is right then, since
/// that waits for the source's lock. So it is where this one had not begun to publish.
async fn who_fenced(
    context: &Context,
    taken_over: Option<Option<PositionRecord>>,
    failure: Failure,
) -> Failure {
    let name = context.gateway.name.value.clone();
    let read = async {
        let kafka_settings = settings::kafka(&context.gateway)?;
        blocking(move || progress::read(&Kafka::connect(kafka_settings)?, &name)).await
    };
    match read.await {
        Ok(seen) => match seen.and_then(|p| p.position) {
            Some(record)
                if record.instance != *context.instance.0
                    && taken_over.is_some_and(|before| before.as_ref() != Some(&record)) =>
            {
                failure
            }
            _ => Failure {
                retry: true,
                ..failure
            },
        },
        // Not known who: the next attempt finds out, and waits for the lock as any other.
        Err(_) => Failure {
            retry: true,
            ..failure
        },
    }
}

/// Everything that [`pump::pump`] drives beside the stream.
pub(super) struct Flow {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) translator: Translator,
    pub(super) publisher: Publisher,
    pub(super) arenas: mpsc::Sender<onramp_event::Arena>,
    pub(super) back: mpsc::Receiver<onramp_event::Arena>,
    pub(super) history: History,
    /// What operators ask for meanwhile.
    pub(super) commands: mpsc::Receiver<Asked>,
    /// From where the log is streamed.
    pub(super) from: Position,
    /// The products that are left out until their tables' changes are held.
    pub(super) pending: Pending,
}

/// What is to be pumped, the log, and the position that was taken over.
type Started = (
    Flow,
    Box<dyn onramp_connector::Stream>,
    Option<PositionRecord>,
);

/// None where what was found at its beginning no longer holds at its end.
async fn start(all: &Arc<Context>) -> Result<Option<Started>, Failure> {
    let context = all;
    let gateway = &context.gateway;
    let name = gateway.name.value.clone();
    let board = &context.board;
    if context.published().is_empty() {
        return Err(Failure::stop(
            Kind::Configuration,
            Finding::error(
                &running::NOTHING_TO_PUBLISH,
                gateway.name.place(),
                "no product is active",
            )
            .remedy("set a product's status to active, or write drafts: true in the gateway file"),
        ));
    }

    let keys = protection::preflight(gateway)?;
    if let Some(hash) = &context.plan {
        board.set(Phase::Starting("holding the plan against what is there"));
        plan::insist(gateway, &keys, hash).await?;
    }

    board.set(Phase::Starting("connecting to Kafka"));
    let kafka_settings = settings::kafka(gateway)?;
    let kafka = blocking(move || Kafka::connect(kafka_settings)).await?;
    let (seen, waiting) = {
        let (kafka, name) = (kafka.clone(), name.clone());
        blocking(move || {
            progress::ensure_topic(&kafka, &name)?;
            let seen = progress::read(&kafka, &name)?;
            let timeout = kafka.transaction_timeout()?;
            Ok((seen, WaitingProducer::connect(&kafka, &name, timeout)?))
        })
        .await?
    };
    products::check(&context.gateway, seen.as_ref())?;
    protection::held_against(gateway, &keys, seen.as_ref())?;

    board.set(Phase::Starting("looking at the source"));
    let connector: Arc<dyn Connector> = Arc::new(Postgres::new(settings::source(
        gateway,
        &context.instance.0,
    )));
    let (found, unfound) = sources::found(gateway, connector.as_ref()).await?;
    let all = &all.of(found);
    let (context, gateway) = (all, &all.gateway);
    let mut described = connector.describe(&requests::idents(gateway)).await?;
    let tables = requests::tables(gateway, &described, seen.as_ref());
    let request = requests::request(&tables, seen.as_ref());
    let mut findings = connector.preflight(&request).await?;
    findings.extend(contracts::check_mappings(gateway, &described));
    findings.extend(unfound);
    report(findings)?;

    board.set(Phase::Starting("preparing the source"));
    let preparing = pending::prepare(board, connector.as_ref(), &request);
    let (prepared, lease) = match preparing.await {
        Ok(prepared) => (prepared, take_lock(context, connector.as_ref()).await?),
        // While another instance streams, its slot moves on behind our reading of progress: the
        // two are held against each other once nobody moves them any more.
        Err(failure) if slot_is_ahead(&failure) => {
            let lease = take_lock(context, connector.as_ref()).await?;
            let (kafka, name) = (kafka.clone(), name.clone());
            let now = blocking(move || progress::read(&kafka, &name)).await?;
            let request = requests::request(&tables, now.as_ref());
            let preparing = pending::prepare(board, connector.as_ref(), &request);
            (preparing.await?, lease)
        }
        Err(failure) => return Err(failure),
    };
    // Another instance may have taken tables in while this one waited for the lock.
    let (now, _) = sources::found(gateway, connector.as_ref()).await?;
    if sources::differ(gateway, &now) {
        return Ok(None);
    }
    let pending = Pending::new(
        context,
        connector.clone(),
        request,
        prepared.lacking,
        seen.as_ref(),
    );
    // From here on the attempt is about the others alone.
    let context = &pending.without(context);
    described.retain(|table| !pending.lacks(&table.name));

    board.set(Phase::Starting("publishing contracts"));
    let published = contracts::publish(context, &kafka, seen.as_ref()).await?;

    board.set(Phase::Starting("taking over from earlier producers"));
    let (producer, settled) = {
        let (kafka, name, seen) = (kafka.clone(), name.clone(), seen.clone());
        blocking(move || {
            let producer = waiting.take_over()?;
            let settled = progress::read_settled(&kafka, &name, seen.as_ref(), SETTLE_DEADLINE)?;
            Ok((producer, settled))
        })
        .await?
    };
    products::check(&all.gateway, settled.as_ref())?;
    let identity = connector.identity().await?;
    let from = match settled.as_ref().and_then(|p| p.position.as_ref()) {
        Some(record) => {
            // What was prepared may rest on an older reading: the slot is held against this one.
            let now = connector
                .prepare(&requests::request(&tables, settled.as_ref()))
                .await?;
            if pending.is_outdated(&now.lacking, settled.as_ref()) {
                return Ok(None);
            }
            Position(record.position.as_str().into())
        }
        None => prepared.from.clone(),
    };
    let plan = contracts::plan(
        context,
        keys,
        published,
        settled.as_ref(),
        &from,
        &described,
    )?;

    board.progress(plan.shown(settled.as_ref()));

    let (arenas, received) = mpsc::channel(ARENAS);
    let (give_back, back) = mpsc::channel(ARENAS + 2);
    let stream = lease
        .stream(
            &from,
            StreamLimits {
                batch_bytes: BATCH_BYTES,
                record_bytes: gateway.limits.chunk,
            },
        )
        .await?;
    let (tell_committed, committed) = watch::channel(None);
    let orders = Orders::default();
    let mut history = History::new(
        history::Parts {
            connector: connector.clone(),
            kafka: kafka.clone(),
            board: board.clone(),
            mappings: plan.mappings.clone(),
            keys: plan.keys.clone(),
            limits: row_limits(gateway),
            chunk_bytes: gateway.limits.chunk,
            changed_keys_bytes: gateway.limits.changed_keys,
            snapshot: gateway.snapshot,
            instance: context.instance.0.to_string(),
        },
        committed,
        orders.clone(),
    );
    let live = settled.as_ref().map(|p| p.live_rows.clone());
    history.start(plan.histories, &live.unwrap_or_default());
    let acknowledger = stream.acknowledger();
    let shown = board.clone();
    let publisher = Publisher::spawn(PublisherParts {
        kafka,
        producer,
        routes: plan.routes,
        origin: Origin {
            gateway: name,
            system: identity.system,
            branch: identity.branch,
            instance: context.instance.0.to_string(),
        },
        from: from.0.clone(),
        states: plan.states,
        notes: plan.notes,
        pinned: plan.pinned,
        arenas: received,
        back: give_back,
        on_commit: Box::new(move |committed| {
            let position = Position(committed.position.clone());
            acknowledger.acknowledge(&position);
            orders.committed(&committed.notes);
            // Nobody listens where no run is under way.
            let _ = tell_committed.send(Some(position));
            let lag_seconds = committed.source_commit_us.map_or(0.0, seconds_since);
            shown.committed(committed, lag_seconds);
        }),
    })?;
    tracing::info!(%from, "streaming begins");
    Ok(Some((
        Flow {
            connector,
            translator: Translator::new(plan.mappings, plan.keys, row_limits(gateway)),
            publisher,
            arenas,
            back,
            history,
            commands: context.commands.open(),
            from,
            pending,
        },
        stream,
        settled.and_then(|p| p.position),
    )))
}

/// A translator's bounds, by the file.
pub(crate) fn row_limits(gateway: &Gateway) -> RowLimits {
    RowLimits {
        row_bytes: gateway.limits.row,
        moved_keys_bytes: gateway.limits.moved_keys,
    }
}

/// How long ago a source transaction committed, by this machine's clock.
fn seconds_since(committed_at_us: i64) -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_us = now.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
    now_us.saturating_sub(committed_at_us).max(0) as f64 / 1e6
}

/// Logs what is worth knowing; errors refuse the start, all of them at once.
fn report(findings: Vec<Finding>) -> Result<(), Failure> {
    for finding in &findings {
        let (code, remedy) = (
            finding.code.id,
            finding.remedy.as_deref().unwrap_or_default(),
        );
        match finding.severity {
            Severity::Info => tracing::info!(code, remedy, "{}", finding.message),
            Severity::Warning => tracing::warn!(code, remedy, "{}", finding.message),
            Severity::Error => {}
        }
    }
    if !onramp_finding::any_error(&findings) {
        return Ok(());
    }
    let kind = if findings.iter().any(|f| f.code.id.starts_with("ONR-3")) {
        Kind::Configuration
    } else {
        Kind::Source
    };
    Err(Failure::all(kind, findings))
}

fn slot_is_ahead(failure: &Failure) -> bool {
    let ahead = |f: &Finding| f.code.id == source::SLOT_AHEAD.id;
    failure.findings.iter().any(ahead)
}

/// Takes the source's lock; as long as another has it, this instance is a standby.
async fn take_lock(
    context: &Context,
    connector: &dyn Connector,
) -> Result<Box<dyn Lease>, Failure> {
    loop {
        match connector.acquire(&context.instance).await? {
            Acquired::Lease(lease) => return Ok(lease),
            Acquired::Held(holder) => {
                context.board.set(Phase::Standby(holder));
                tokio::time::sleep(STANDBY_LOOKS_EVERY).await;
            }
        }
    }
}
