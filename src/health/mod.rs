//! What probes and dashboards see: /live, /ready, /caught-up, /metrics.
//!
//! Read-only, and independent of source, broker and registry: /live says that the process runs,
//! whatever else is down.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use onramp_connector::KeptLog;
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_publisher::progress::Progress;
use onramp_publisher::{Committed, Stage};

mod meters;
mod seen;

pub(crate) use seen::{HistoryShown, HistoryWait, LogShown, PendingShown, Phase, Seen};

/// Behind by no more than this counts as caught up.
const CAUGHT_UP_BYTES: u64 = 1 << 20;

/// What is shown; shared between the run and the server.
#[derive(Clone)]
pub(crate) struct Board {
    inner: Arc<Mutex<Seen>>,
    metrics: PrometheusHandle,
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
        meters::describe();
        // From the start, so that the first error of a kind is a change that an alarm can see.
        for kind in Kind::ALL {
            metrics::counter!("onramp_errors_total", "kind" => kind.word()).increment(0);
        }
        Ok(Board {
            inner: Arc::default(),
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
            seen.history_waits.clear();
            seen.lag_seconds = None;
            seen.on_its_way = Default::default();
        }
        seen.phase = phase;
    }

    /// How far the stream is behind.
    pub(crate) fn lag(&self, bytes: u64) {
        let mut seen = self.seen();
        let kept = seen.log.map(|log| log.kept.bytes);
        seen.lag = Some((bytes, Instant::now(), kept));
    }

    /// The log that the source keeps, measured now.
    pub(crate) fn log(&self, kept: KeptLog) {
        let mut seen = self.seen();
        let rate = |before: &LogShown| {
            let grown = kept.written_bytes.checked_sub(before.kept.written_bytes)?;
            Some(grown as f64 / before.at.elapsed().as_secs_f64().max(0.001))
        };
        seen.log = Some(LogShown {
            kept,
            bytes_per_second: seen.log.as_ref().and_then(rate),
            at: Instant::now(),
        });
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

    /// Which products' tables cannot be read yet.
    pub(crate) fn history_waits(&self, waits: Vec<HistoryWait>) {
        self.seen().history_waits = waits;
    }

    /// Something is on its way into Kafka; whether it holds events, and where it ends.
    pub(crate) fn handed_over(&self, events: bool, boundary: Option<&Arc<str>>) {
        self.seen().on_its_way.handed_over(events, boundary);
    }

    /// How far a product's run is.
    pub(crate) fn history(&self, product: &str, shown: HistoryShown) {
        let of = |name: &'static str| metrics::gauge!(name, "product" => product.to_owned());
        of("onramp_history_rows").set(shown.record.rows as f64);
        of("onramp_history_rows_estimate").set(shown.rows_estimate.unwrap_or(0) as f64);
        of("onramp_history_bytes_estimate").set(shown.bytes_estimate.unwrap_or(0) as f64);
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
        seen.released.clear();
        seen.progress = Some(progress);
    }

    /// A product's run goes on into Kafka; it is shown once a commit holds this record of it.
    pub(crate) fn history_released(&self, product: &str, record: String, shown: HistoryShown) {
        let released = (product.to_owned(), record, shown);
        self.seen().released.push(released);
    }

    /// Something is published.
    pub(crate) fn committed(&self, committed: &Committed, lag_seconds: f64) {
        let mut seen = self.seen();
        seen.on_its_way.committed(&committed.position);
        // A commit without a newer source transaction says nothing of how late it was.
        let commit_us = committed.source_commit_us;
        let newer = seen
            .committed
            .as_ref()
            .is_none_or(|(_, us)| *us != commit_us);
        if newer || seen.lag_seconds.is_none() {
            seen.lag_seconds = Some(lag_seconds);
        }
        seen.committed = Some((committed.position.clone(), commit_us));
        let there = |(_, record, _): &mut (String, String, HistoryShown)| {
            committed.notes.iter().any(|(_, note)| note == record)
        };
        let published: Vec<_> = seen.released.extract_if(.., there).collect();
        drop(seen);
        for (product, _, shown) in published {
            self.history(&product, shown);
        }
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
                let mut text = String::from("streaming\n");
                for p in &seen.pending {
                    text.push_str(&format!("not yet {}: {} {}\n", p.product, p.table, p.why));
                }
                // A wait of the tables' reading holds up no change.
                for wait in &seen.history_waits {
                    text.push_str(&format!("history of {}\n", wait.words()));
                }
                (StatusCode::OK, text)
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

    /// What is measured, with what can only be told when somebody asks.
    fn render(&self) -> String {
        meters::set(&self.told());
        self.metrics.render()
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
            get(|State(board): State<Board>| async move { board.render() }),
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
