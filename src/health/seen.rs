//! What the run has told so far: plain data, and what follows from it when somebody looks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use onramp_connector::KeptLog;
use onramp_publisher::HistoryRecord;
use onramp_publisher::progress::Progress;
use serde::{Deserialize, Serialize};

/// News of the log come twice a second while it is read. Without any for so long nothing is read.
const READ_WITHIN: Duration = Duration::from_secs(3);
/// Boundaries that are remembered of what is on its way; it is fewer, since that way is bounded.
const BOUNDARIES: usize = 64;

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

/// A run over rows that were there already, as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct HistoryShown {
    /// What progress says of it.
    pub(crate) record: HistoryRecord,
    /// Rows that the source counted, roughly.
    pub(crate) rows_estimate: Option<u64>,
    /// Bytes that the source stores for them.
    pub(crate) bytes_estimate: Option<u64>,
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
            bytes_estimate: None,
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

    /// The log that the source will write in that time, at the rate at which it does.
    pub(crate) fn log_bytes(&self, log: Option<&LogShown>) -> Option<f64> {
        Some(self.seconds_left()? * log?.bytes_per_second?)
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

/// Products whose tables cannot be read yet, and why.
#[derive(Debug, Clone)]
pub(crate) struct HistoryWait {
    /// The products that read one table together.
    pub(crate) products: Vec<String>,
    /// The transactions that must end first, for people to read.
    pub(crate) open: Vec<String>,
    /// Since when.
    pub(crate) since: Instant,
}

impl HistoryWait {
    /// In a sentence. What a server called its sessions is not to act on who reads it.
    pub(crate) fn words(&self) -> String {
        let text = format!(
            "{} waits since {} s for what was open before it: {}",
            self.products.join(", "),
            self.since.elapsed().as_secs(),
            self.open.join("; ")
        );
        text.replace(char::is_control, " ")
    }
}

/// What was read and is on its way into Kafka.
#[derive(Debug, Clone, Default)]
pub(crate) struct OnItsWay {
    /// Since when something is that no commit covers; None where nothing is.
    since: Option<Instant>,
    /// Where commits may end that cover all of it.
    ends: VecDeque<Arc<str>>,
}

impl OnItsWay {
    /// Something is handed to the publisher; whether it holds events, and where it ends.
    pub(crate) fn handed_over(&mut self, events: bool, boundary: Option<&Arc<str>>) {
        if events {
            self.since.get_or_insert_with(Instant::now);
            self.ends.clear();
        }
        if self.since.is_some()
            && let Some(boundary) = boundary
        {
            if self.ends.len() == BOUNDARIES {
                self.ends.pop_front();
            }
            self.ends.push_back(boundary.clone());
        }
    }

    /// Everything up to a position is committed. What is younger is on its way since now at most.
    pub(crate) fn committed(&mut self, position: &Arc<str>) {
        if self.ends.contains(position) {
            *self = OnItsWay::default();
        } else if self.since.is_some() {
            self.since = Some(Instant::now());
        }
    }

    /// How long at least.
    fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// The log that the source keeps, as it was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogShown {
    pub(crate) kept: KeptLog,
    /// How fast it grows, once it was measured twice.
    pub(crate) bytes_per_second: Option<f64>,
    pub(crate) at: Instant,
}

/// What the run has told so far.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    /// Log that was not yet read, when that was, and what the source kept then.
    pub(crate) lag: Option<(u64, Instant, Option<u64>)>,
    pub(crate) log: Option<LogShown>,
    /// What the start or publishing waits for.
    pub(crate) waiting: Option<String>,
    /// The products that are left out for now.
    pub(crate) pending: Vec<PendingShown>,
    pub(crate) history_waits: Vec<HistoryWait>,
    pub(crate) history: BTreeMap<String, HistoryShown>,
    /// Products' runs that are on their way into Kafka, with the records that say so there.
    pub(crate) released: Vec<(String, String, HistoryShown)>,
    /// Progress as the last start found it, with what that start decided.
    pub(crate) progress: Option<Progress>,
    /// The position that was committed last, and when its last source transaction had, in
    /// microseconds since 1970.
    pub(crate) committed: Option<(Arc<str>, Option<i64>)>,
    /// From the source's commit to Kafka's, at the last commit.
    pub(crate) lag_seconds: Option<f64>,
    pub(crate) on_its_way: OnItsWay,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            phase: Phase::Starting("beginning"),
            lag: None,
            log: None,
            waiting: None,
            pending: Vec::new(),
            history_waits: Vec::new(),
            history: BTreeMap::new(),
            released: Vec::new(),
            progress: None,
            committed: None,
            lag_seconds: None,
            on_its_way: OnItsWay::default(),
        }
    }
}

impl Seen {
    /// How far the stream is behind, where that is known.
    ///
    /// While nothing is read, e.g. because publishing waits for Kafka, nobody tells: then it has
    /// grown by what the source keeps more than it did, since nothing is let go meanwhile.
    pub(crate) fn lag_bytes(&self) -> Option<u64> {
        let (bytes, at, kept_then) = self.lag?;
        if at.elapsed() < READ_WITHIN {
            return Some(bytes);
        }
        let grown = self.log?.kept.bytes.saturating_sub(kept_then?);
        Some(bytes + grown)
    }

    /// From the source's commit to Kafka's: at the last commit, or longer where what was read is
    /// waiting for longer.
    pub(crate) fn lag_seconds(&self) -> Option<f64> {
        let waits = self.on_its_way.age().as_secs_f64();
        Some(self.lag_seconds?.max(waits))
    }

    /// How long the reading of tables waits already.
    pub(crate) fn history_wait_seconds(&self) -> f64 {
        let ages = self.history_waits.iter().map(|w| w.since.elapsed());
        ages.max().unwrap_or_default().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: &str) -> Arc<str> {
        position.into()
    }

    #[test]
    fn what_is_on_its_way_grows_older_until_a_commit_covers_all_of_it() {
        let mut way = OnItsWay::default();
        way.handed_over(false, Some(&at("1")));
        assert!(way.since.is_none(), "a position alone waits for nobody");
        way.handed_over(true, None);
        way.handed_over(true, Some(&at("3")));
        let since = way.since.unwrap();
        way.committed(&at("2"));
        assert!(
            way.since.unwrap() >= since,
            "something is left, of unknown age"
        );
        way.handed_over(false, Some(&at("4")));
        way.committed(&at("4"));
        assert!(way.since.is_none() && way.ends.is_empty());
        way.committed(&at("5"));
        assert_eq!(way.age(), Duration::ZERO);
    }

    #[test]
    fn the_lag_grows_while_nothing_is_read() {
        let kept = |bytes| KeptLog {
            bytes,
            room_bytes: None,
            written_bytes: bytes,
        };
        let now = Instant::now();
        let log = |bytes| LogShown {
            kept: kept(bytes),
            bytes_per_second: None,
            at: now,
        };
        let mut seen = Seen {
            lag: Some((10, now, Some(100))),
            log: Some(log(160)),
            ..Seen::default()
        };
        assert_eq!(seen.lag_bytes(), Some(10), "news are news");
        seen.lag = now
            .checked_sub(READ_WITHIN * 2)
            .map(|then| (10, then, Some(100)));
        assert_eq!(seen.lag_bytes(), Some(70));
        seen.log = None;
        assert_eq!(seen.lag_bytes(), None, "not known is not guessed");
    }
}
