//! What probes and dashboards see: /live, /ready, /caught-up, /metrics.
//!
//! Read-only, and independent of source, broker and registry: /live says that the process runs,
//! whatever else is down.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_publisher::progress::Progress;
use onramp_publisher::{HistoryRecord, Stage};
use serde::{Deserialize, Serialize};

/// Behind by no more than this counts as caught up.
const CAUGHT_UP_BYTES: u64 = 1 << 20;
/// Old news is no news.
const LAG_KNOWN_FOR: Duration = Duration::from_secs(30);

/// What the gateway does at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// On the way to streaming: what it does there.
    Starting(&'static str),
    /// Another instance streams; this one takes over when it ends.
    Standby(String),
    /// Changes flow.
    Streaming,
    /// Something failed and is tried again.
    Retrying(String),
    /// Told to stop; what was read is being published.
    Draining,
}

/// What is shown; shared between the run and the server.
#[derive(Clone)]
pub(crate) struct Board {
    inner: Arc<Mutex<Seen>>,
    metrics: PrometheusHandle,
}

/// A run over rows that were there already, as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct HistoryShown {
    /// What progress says of it.
    pub(crate) record: HistoryRecord,
    /// Rows that the source counted, roughly.
    pub(crate) rows_estimate: Option<u64>,
    /// Rows since this process took it up.
    pub(crate) rows_in_this_run: u64,
    /// When that was.
    pub(crate) since: Instant,
}

impl HistoryShown {
    /// One that nothing is known of but what progress says.
    pub(crate) fn of(record: HistoryRecord) -> HistoryShown {
        HistoryShown {
            record,
            rows_estimate: None,
            rows_in_this_run: 0,
            since: Instant::now(),
        }
    }

    /// The rate since this process took it up.
    pub(crate) fn rows_per_second(&self) -> f64 {
        self.rows_in_this_run as f64 / self.since.elapsed().as_secs_f64().max(0.001)
    }

    /// How long it will take, as far as the source's count and the rate tell.
    pub(crate) fn seconds_left(&self) -> Option<f64> {
        let rate = self.rows_per_second();
        let left = self.rows_estimate?.saturating_sub(self.record.rows);
        (rate > 0.0).then(|| left as f64 / rate)
    }
}

/// A product that is left out until its table can be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingShown {
    /// The product.
    pub(crate) product: String,
    /// Its table.
    pub(crate) table: String,
    /// The transactions that have it locked, or what is wrong with it.
    pub(crate) why: String,
}

impl Phase {
    /// One word for it, and more about it.
    pub(crate) fn words(&self) -> (&'static str, Option<String>) {
        match self {
            Phase::Starting(what) => ("starting", Some((*what).to_owned())),
            Phase::Standby(holder) => ("standby", Some(format!("{holder} streams"))),
            Phase::Streaming => ("streaming", None),
            Phase::Retrying(why) => ("retrying", Some(why.clone())),
            Phase::Draining => ("draining", None),
        }
    }
}

/// What the run has told so far.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    pub(crate) lag: Option<(u64, Instant)>,
    /// What the start or publishing waits for.
    pub(crate) waiting: Option<String>,
    /// The products that are left out for now.
    pub(crate) pending: Vec<PendingShown>,
    pub(crate) history_waits: Option<String>,
    pub(crate) history: BTreeMap<String, HistoryShown>,
    /// Progress as the last start found it, with what that start decided.
    pub(crate) progress: Option<Progress>,
    /// The position that was committed last, and when its last source transaction had, in
    /// microseconds since 1970.
    pub(crate) committed: Option<(Arc<str>, Option<i64>)>,
}

impl Seen {
    /// How far the stream is behind, where that is known.
    pub(crate) fn lag_bytes(&self) -> Option<u64> {
        let (bytes, at) = self.lag?;
        (at.elapsed() < LAG_KNOWN_FOR).then_some(bytes)
    }
}

impl Board {
    /// Installs the recorder of metrics; once a process.
    pub(crate) fn install() -> Result<Board, Failure> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(
                Matcher::Suffix("_seconds".into()),
                &[
                    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
                    60.0,
                ],
            )
            .map(|b| b.build_recorder());
        let recorder = recorder.map_err(|e| internal(&e.to_string()))?;
        let metrics = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|e| internal(&e.to_string()))?;
        describe();
        // From the start, so that the first error of a kind is a change that an alarm can see.
        for kind in Kind::ALL {
            metrics::counter!("onramp_errors_total", "kind" => kind.word()).increment(0);
        }
        Ok(Board {
            inner: Arc::new(Mutex::new(Seen {
                phase: Phase::Starting("beginning"),
                lag: None,
                waiting: None,
                pending: Vec::new(),
                history_waits: None,
                history: BTreeMap::new(),
                progress: None,
                committed: None,
            })),
            metrics,
        })
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Plain data, whole whatever happened to the thread that held it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the gateway does now; logged where it changed.
    pub(crate) fn set(&self, phase: Phase) {
        let mut seen = self.seen();
        if seen.phase == phase {
            return;
        }
        match &phase {
            Phase::Starting(what) => tracing::info!(what, "starting"),
            Phase::Standby(holder) => {
                tracing::info!(%holder, "standby: another instance holds the slot");
            }
            Phase::Streaming => tracing::info!("streaming"),
            Phase::Retrying(why) => tracing::warn!(%why, "trying again"),
            Phase::Draining => tracing::info!("draining"),
        }
        if phase != Phase::Streaming {
            seen.lag = None;
            seen.waiting = None;
        }
        seen.phase = phase;
    }

    /// How far the stream is behind.
    pub(crate) fn lag(&self, bytes: u64) {
        self.seen().lag = Some((bytes, Instant::now()));
    }

    /// What the start or publishing waits for.
    pub(crate) fn waiting(&self, why: Option<String>) {
        self.seen().waiting = why;
    }

    /// Which products are left out for now.
    pub(crate) fn pending(&self, pending: Vec<PendingShown>) {
        let of = |p: &PendingShown| metrics::gauge!("onramp_product_pending", "product" => p.product.clone());
        let mut seen = self.seen();
        seen.pending.iter().for_each(|p| of(p).set(0.0));
        pending.iter().for_each(|p| of(p).set(1.0));
        seen.pending = pending;
    }

    /// Which transactions the reading of tables waits for.
    pub(crate) fn history_waits(&self, why: Option<String>) {
        self.seen().history_waits = why;
    }

    /// How far a product's run is.
    pub(crate) fn history(&self, product: &str, shown: HistoryShown) {
        let of = |name: &'static str| metrics::gauge!(name, "product" => product.to_owned());
        of("onramp_history_rows").set(shown.record.rows as f64);
        of("onramp_history_rows_estimate").set(shown.rows_estimate.unwrap_or(0) as f64);
        of("onramp_history_rows_per_second").set(shown.rows_per_second());
        of("onramp_history_seconds_left").set(shown.seconds_left().unwrap_or(f64::NAN));
        let running = shown.record.stage != Stage::Done;
        of("onramp_history_running").set(f64::from(u8::from(running)));
        self.seen().history.insert(product.to_owned(), shown);
    }

    /// What this start found in progress, its own decisions with it.
    pub(crate) fn progress(&self, progress: Progress) {
        metrics::gauge!("onramp_gaps").set(progress.gaps.len() as f64);
        let mut seen = self.seen();
        seen.committed = None;
        seen.progress = Some(progress);
    }

    /// Everything up to a position is published.
    pub(crate) fn committed(&self, position: Arc<str>, source_commit_us: Option<i64>) {
        self.seen().committed = Some((position, source_commit_us));
    }

    /// Everything that was told.
    pub(crate) fn told(&self) -> Seen {
        self.seen().clone()
    }

    fn ready(&self) -> (StatusCode, String) {
        let seen = self.seen();
        match (&seen.phase, &seen.waiting) {
            (Phase::Streaming, Some(why)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("waiting for Kafka: {why}\n"),
            ),
            // The others stream: nobody is to be kept from them.
            (Phase::Streaming, None) => {
                let line =
                    |p: &PendingShown| format!("not yet {}: {} {}\n", p.product, p.table, p.why);
                let pending: String = seen.pending.iter().map(line).collect();
                (StatusCode::OK, format!("streaming\n{pending}"))
            }
            (Phase::Standby(holder), _) => (StatusCode::OK, format!("standby: {holder} streams\n")),
            (Phase::Starting(what), waiting) => {
                let waits = waiting.as_ref().map(|why| format!("; waits for {why}"));
                let waits = waits.unwrap_or_default();
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("starting: {what}{waits}\n"),
                )
            }
            (Phase::Retrying(why), _) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("trying again: {why}\n"),
            ),
            (Phase::Draining, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n".into()),
        }
    }

    fn caught_up(&self) -> (StatusCode, String) {
        let seen = self.seen();
        match (&seen.phase, seen.lag_bytes()) {
            (Phase::Streaming, Some(bytes)) => {
                let code = if bytes <= CAUGHT_UP_BYTES {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                (code, format!("{bytes} bytes behind\n"))
            }
            _ => (StatusCode::SERVICE_UNAVAILABLE, "not known\n".into()),
        }
    }
}

/// What each metric says, for whoever reads /metrics.
fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "onramp_rows_total",
        "Changed rows read from the log and committed."
    );
    describe_counter!(
        "onramp_events_total",
        "Events committed to Kafka, by product."
    );
    describe_counter!(
        "onramp_event_bytes_total",
        "Bytes of committed events, keys, values and headers, by product."
    );
    describe_counter!("onramp_commits_total", "Kafka transactions committed.");
    describe_counter!("onramp_aborts_total", "Kafka transactions aborted.");
    describe_counter!("onramp_errors_total", "Attempts that failed, by kind.");
    describe_histogram!(
        "onramp_commit_seconds",
        "How long the commit of a Kafka transaction took."
    );
    describe_gauge!(
        "onramp_transaction_open",
        "1 while a Kafka transaction is open."
    );
    describe_gauge!(
        "onramp_lag_bytes",
        "Log that the source has and that is not yet read."
    );
    describe_gauge!(
        "onramp_lag_seconds",
        "From the source's commit to Kafka's, for the last source transaction committed."
    );
    describe_gauge!(
        "onramp_history_rows",
        "Rows that were there already and are published, by product."
    );
    describe_gauge!(
        "onramp_history_rows_estimate",
        "Rows that the source counted, roughly, when the run began."
    );
    describe_gauge!(
        "onramp_history_rows_per_second",
        "How fast rows that were there already are published."
    );
    describe_gauge!(
        "onramp_history_seconds_left",
        "How long the run will take at this rate; not a number where that is not known."
    );
    describe_gauge!(
        "onramp_history_running",
        "1 while rows that were there already are being published."
    );
    describe_gauge!(
        "onramp_product_pending",
        "1 while a new product is left out because its table is locked."
    );
    describe_gauge!(
        "onramp_gaps",
        "Stretches of the source's log that were lost before they were published."
    );
    describe_gauge!(
        "onramp_source_retained_bytes",
        "Log that the source keeps for this gateway."
    );
}

/// Serves until the runtime ends. The address is bound when this returns.
pub(crate) async fn serve(board: Board, listen: SocketAddr) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|e| {
        Failure::stop(
            Kind::Configuration,
            Finding::error(
                &running::CANNOT_LISTEN,
                Place::Setting("health.listen".into()),
                format!("cannot listen on {listen}"),
            )
            .because(e.to_string())
            .remedy("name a free address in health.listen"),
        )
    })?;
    let upkeep = board.metrics.clone();
    let app = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route(
            "/ready",
            get(|State(board): State<Board>| async move { board.ready() }),
        )
        .route(
            "/caught-up",
            get(|State(board): State<Board>| async move { board.caught_up() }),
        )
        .route(
            "/metrics",
            get(|State(board): State<Board>| async move { board.metrics.render() }),
        )
        .with_state(board);
    tokio::spawn(async move {
        loop {
            // Histograms keep what was not yet rendered: without a scraper they would grow.
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the health server ended");
        }
    });
    Ok(())
}

fn internal(reason: &str) -> Failure {
    Failure::internal(
        &running::INTERNAL,
        format!("no recorder for metrics: {reason}"),
    )
}
