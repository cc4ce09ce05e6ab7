//! What an operator is told: the phase, how far the log is published, each product with its run
//! over rows that were there already, and the gaps.
//!
//! One shape whoever tells it: the gateway that runs, from memory and without asking anybody, or
//! progress in Kafka alone where none answers. It is the answer of `GET /v1/status`, so what stands
//! in it keeps its name and meaning; docs/operating.md describes it.

use onramp_publisher::progress::{ProductStatus, Progress};
use onramp_publisher::{Cause, Stage, rfc3339};
use serde::{Deserialize, Serialize};

use crate::health::{HistoryShown, LogShown, PendingShown, Seen};

mod text;

pub(crate) use text::text;

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The gateway.
    pub(crate) gateway: String,
    /// Who tells it.
    pub(crate) told_by: Teller,
    /// Why the gateway itself does not, where progress does.
    pub(crate) not_answering: Option<String>,
    /// The process that streams, or wrote progress last.
    pub(crate) instance: Option<String>,
    /// `starting`, `standby`, `streaming`, `retrying`, `draining`; `unknown` where progress tells.
    pub(crate) phase: String,
    /// More about the phase: what a start does, whom a standby waits for, why it tries again.
    pub(crate) detail: Option<String>,
    /// Everything before it is published.
    pub(crate) position: Option<String>,
    /// When the last source transaction published had committed, RFC 3339.
    pub(crate) source_commit: Option<String>,
    /// Log that the source has and that is not read.
    pub(crate) lag_bytes: Option<u64>,
    /// What publishing waits for in Kafka, or a start at the source.
    pub(crate) waits_for: Option<String>,
    /// The transactions that the reading of tables waits for.
    pub(crate) history_waits_for: Option<String>,
    /// Each wait by itself.
    #[serde(default)]
    pub(crate) history_waits: Vec<WaitShown>,
    /// The log that the source keeps.
    #[serde(default)]
    pub(crate) log: Option<KeptShown>,
    /// The products, by name.
    pub(crate) products: Vec<ProductShown>,
    /// New products that are left out because their tables are locked; the others stream.
    #[serde(default)]
    pub(crate) pending: Vec<PendingShown>,
    /// Stretches of log that were lost, oldest first.
    pub(crate) gaps: Vec<GapShown>,
}

/// Tables that cannot be read before transactions end that were open when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaitShown {
    /// The products that read the table.
    pub(crate) products: Vec<String>,
    /// For how long already.
    pub(crate) seconds: f64,
    /// The transactions.
    pub(crate) transactions: Vec<String>,
}

/// The log that the source keeps for the gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptShown {
    /// How much.
    pub(crate) bytes: u64,
    /// How much more may be written before it is given up; null where nothing bounds it.
    pub(crate) room_bytes: Option<u64>,
    /// How fast it is written.
    pub(crate) bytes_per_second: Option<f64>,
}

/// Who tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Teller {
    /// The gateway that runs.
    Gateway,
    /// Progress in Kafka.
    Progress,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProductShown {
    /// Its name.
    pub(crate) product: String,
    /// `active` or `retired`.
    pub(crate) status: String,
    /// The position from which its changes are published.
    pub(crate) from: String,
    /// Its last run over rows that were there already.
    pub(crate) history: Option<RunShown>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunShown {
    /// Its id.
    pub(crate) run: String,
    /// Why it was begun: `new`, `mapping`, `command`, `recovery`.
    pub(crate) cause: Cause,
    /// `reading`, `reconciling`, `done`.
    pub(crate) stage: Stage,
    /// Of a product of several tables: those that are still to be read, in order; the first is being
    /// read.
    #[serde(default)]
    pub(crate) tables_left: Vec<String>,
    /// Rows read so far.
    pub(crate) rows: u64,
    /// Rows that the source counted, roughly.
    pub(crate) rows_estimate: Option<u64>,
    /// Bytes that the source stores for them.
    #[serde(default)]
    pub(crate) bytes_estimate: Option<u64>,
    /// How fast, since this process took it up; absent where it does not read.
    pub(crate) rows_per_second: Option<f64>,
    /// How long it will take at that rate.
    pub(crate) seconds_left: Option<f64>,
    /// The log that the source will write in that time.
    #[serde(default)]
    pub(crate) log_bytes: Option<f64>,
    /// The condition on rows, where only a part is published again.
    pub(crate) filter: Option<String>,
    /// Whether keys that the table no longer has get tombstones.
    pub(crate) reconcile: bool,
    /// Whether it was ended before every row was told, since the product's file no longer asks.
    #[serde(default)]
    pub(crate) given_up: bool,
}

/// A gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GapShown {
    /// Its number.
    pub(crate) number: u64,
    /// Up to here everything was published.
    pub(crate) from: String,
    /// From here on it is again.
    pub(crate) to: String,
    /// Why.
    pub(crate) reason: String,
    /// When it was recorded.
    pub(crate) when: String,
    /// The products whose rows were published again because of it.
    pub(crate) products: Vec<String>,
    /// The products of facts that went on without what was lost.
    pub(crate) accepted: Vec<String>,
}

impl RunShown {
    fn of(shown: &HistoryShown, log: Option<&LogShown>) -> RunShown {
        let record = &shown.record;
        let reads = record.stage == Stage::Reading && shown.rows_in_this_run > 0;
        RunShown {
            run: record.run.clone(),
            cause: record.cause,
            stage: record.stage,
            tables_left: record.left.clone(),
            rows: record.rows,
            rows_estimate: shown.rows_estimate,
            bytes_estimate: shown.bytes_estimate,
            rows_per_second: reads.then(|| shown.rows_per_second()),
            seconds_left: reads.then(|| shown.seconds_left()).flatten(),
            log_bytes: reads.then(|| shown.log_bytes(log)).flatten(),
            filter: record.filter.clone(),
            reconcile: record.reconcile,
            given_up: record.given_up,
        }
    }
}

/// What the gateway that runs tells.
pub(crate) fn of_gateway(gateway: &str, instance: &str, seen: &Seen) -> Status {
    let nothing = Progress::default();
    let mut status = of_progress(gateway, seen.progress.as_ref().unwrap_or(&nothing));
    let (phase, detail) = seen.phase.words();
    status.told_by = Teller::Gateway;
    status.instance = Some(instance.to_owned());
    status.phase = phase.to_owned();
    status.detail = detail;
    if let Some((position, commit)) = &seen.committed {
        status.position = Some(position.to_string());
        status.source_commit = commit.map(rfc3339).or(status.source_commit);
    }
    status.lag_bytes = seen.lag_bytes();
    status.waits_for = seen.waiting.clone();
    status.pending.clone_from(&seen.pending);
    let waits = seen.history_waits.iter();
    let mut open: Vec<&str> = waits.flat_map(|w| &w.open).map(String::as_str).collect();
    open.sort_unstable();
    open.dedup();
    status.history_waits_for = (!open.is_empty()).then(|| open.join("; "));
    let waits = seen.history_waits.iter().map(|wait| WaitShown {
        products: wait.products.clone(),
        seconds: wait.since.elapsed().as_secs_f64(),
        transactions: wait.open.clone(),
    });
    status.history_waits = waits.collect();
    status.log = seen.log.as_ref().map(|log| KeptShown {
        bytes: log.kept.bytes,
        room_bytes: log.kept.room_bytes,
        bytes_per_second: log.bytes_per_second,
    });
    for product in &mut status.products {
        if let Some(shown) = seen.history.get(&product.product) {
            product.history = Some(RunShown::of(shown, seen.log.as_ref()));
        }
    }
    status
}

/// What progress tells.
pub(crate) fn of_progress(gateway: &str, progress: &Progress) -> Status {
    let position = progress.position.as_ref();
    let products = progress.products.iter().map(|(name, state)| ProductShown {
        product: name.clone(),
        status: match state.status {
            ProductStatus::Active => "active".to_owned(),
            ProductStatus::Retired => "retired".to_owned(),
        },
        from: state.from.clone(),
        history: progress
            .histories
            .get(name)
            .map(|record| RunShown::of(&HistoryShown::of(record.clone()), None)),
    });
    let gaps = progress.gaps.iter().map(|(number, gap)| GapShown {
        number: *number,
        from: gap.from.clone(),
        to: gap.to.clone(),
        reason: gap.reason.clone(),
        when: gap.when.clone(),
        products: gap.products.clone(),
        accepted: gap.accepted.clone(),
    });
    Status {
        gateway: gateway.to_owned(),
        told_by: Teller::Progress,
        not_answering: None,
        instance: position.map(|p| p.instance.clone()),
        phase: "unknown".to_owned(),
        detail: None,
        position: position.map(|p| p.position.clone()),
        source_commit: position.and_then(|p| p.source_commit.clone()),
        lag_bytes: None,
        waits_for: None,
        history_waits_for: None,
        history_waits: Vec::new(),
        log: None,
        products: products.collect(),
        pending: Vec::new(),
        gaps: gaps.collect(),
    }
}
