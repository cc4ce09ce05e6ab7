//! What each metric says, for whoever reads /metrics, and those that are told when they are asked
//! for: an age that somebody had to report would stand still just when it matters.

use metrics::{describe_counter, describe_gauge, describe_histogram, gauge};

use super::Seen;

const COUNTERS: [(&str, &str); 8] = [
    (
        "onramp_rows_total",
        "Changed rows read from the log and committed.",
    ),
    (
        "onramp_events_total",
        "Events committed to Kafka, by product.",
    ),
    (
        "onramp_event_bytes_total",
        "Bytes of committed events, keys, values and headers, by product.",
    ),
    (
        "onramp_quarantined_total",
        "Rows that a product could not carry, committed to its quarantine topic.",
    ),
    (
        "onramp_quarantined_bytes_total",
        "Bytes of committed quarantine records, by product.",
    ),
    ("onramp_commits_total", "Kafka transactions committed."),
    ("onramp_aborts_total", "Kafka transactions aborted."),
    ("onramp_errors_total", "Attempts that failed, by kind."),
];

const GAUGES: [(&str, &str); 16] = [
    (
        "onramp_product_pending",
        "1 while a new product is left out because its table is locked.",
    ),
    (
        "onramp_transaction_open",
        "1 while a Kafka transaction is open.",
    ),
    (
        "onramp_lag_bytes",
        "Log that the source has and that is not yet read; while nothing is read it grows by what the source keeps more.",
    ),
    (
        "onramp_lag_seconds",
        "From the source's commit to Kafka's, at the last commit; more where what was read waits for longer.",
    ),
    (
        "onramp_gaps",
        "Stretches of the source's log that were lost before they were published.",
    ),
    (
        "onramp_source_retained_bytes",
        "Log that the source keeps for this gateway.",
    ),
    (
        "onramp_source_log_room_bytes",
        "Log that the source may still write before it gives up what it keeps; not a number where nothing bounds it.",
    ),
    (
        "onramp_source_log_bytes_per_second",
        "How fast the source writes log.",
    ),
    (
        "onramp_history_rows",
        "Rows that were there already and are published, by product.",
    ),
    (
        "onramp_history_rows_estimate",
        "Rows that the source counted, roughly, when the run began.",
    ),
    (
        "onramp_history_bytes_estimate",
        "Bytes that the source stores for them.",
    ),
    (
        "onramp_history_rows_per_second",
        "How fast rows that were there already are published.",
    ),
    (
        "onramp_history_seconds_left",
        "How long the run will take at this rate; not a number where that is not known.",
    ),
    (
        "onramp_history_log_bytes",
        "Log that the source will write in that time, at its rate; not a number where that is not known.",
    ),
    (
        "onramp_history_running",
        "1 while rows that were there already are being published.",
    ),
    (
        "onramp_history_wait_seconds",
        "How long the reading of tables waits for transactions that were open before it; the longest wait under way.",
    ),
];

/// Describes all of them, the publisher's too.
pub(super) fn describe() {
    for (name, says) in COUNTERS {
        describe_counter!(name, says);
    }
    for (name, says) in GAUGES {
        describe_gauge!(name, says);
    }
    describe_histogram!(
        "onramp_commit_seconds",
        "How long the commit of a Kafka transaction took."
    );
}

/// Sets those that depend on the moment.
pub(super) fn set(seen: &Seen) {
    gauge!("onramp_history_wait_seconds").set(seen.history_wait_seconds());
    if let Some(bytes) = seen.lag_bytes() {
        gauge!("onramp_lag_bytes").set(bytes as f64);
    }
    if let Some(seconds) = seen.lag_seconds() {
        gauge!("onramp_lag_seconds").set(seconds);
    }
    for (product, shown) in &seen.history {
        let of = |name: &'static str| gauge!(name, "product" => product.clone());
        of("onramp_history_rows_per_second").set(shown.rows_per_second());
        of("onramp_history_seconds_left").set(shown.seconds_left().unwrap_or(f64::NAN));
        let log = shown.log_bytes(seen.log.as_ref()).unwrap_or(f64::NAN);
        of("onramp_history_log_bytes").set(log);
    }
    let Some(log) = &seen.log else { return };
    gauge!("onramp_source_retained_bytes").set(log.kept.bytes as f64);
    let room = log.kept.room_bytes.map_or(f64::NAN, |bytes| bytes as f64);
    gauge!("onramp_source_log_room_bytes").set(room);
    if let Some(rate) = log.bytes_per_second {
        gauge!("onramp_source_log_bytes_per_second").set(rate);
    }
}
