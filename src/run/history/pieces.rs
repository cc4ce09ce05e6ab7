//! What goes between the readers' threads and the stream's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use onramp_connector::{Bound, Chunk, ChunkRange};
use onramp_event::Arena;
use onramp_finding::Failure;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::ghosts::Pass;
use super::group::{Group, Opened};
use super::replay;

/// A piece of a table to read.
#[derive(Clone)]
pub(super) struct Task {
    pub(super) group: Arc<Group>,
    pub(super) range: ChunkRange,
}

/// What a reader sends.
pub(super) enum Arrival {
    /// A chunk, encoded.
    Chunk(Box<ReadChunk>),
    /// The tables of runs that begin.
    Opened(Vec<Opened>),
    /// What a pass over a product's topic found, by the run's index.
    Ghosts(usize, Pass),
    /// What a replay read in quarantine.
    Replay(Result<Box<replay::Read>, Failure>),
    /// Reading cannot go on.
    Failed(Failure),
}

/// A chunk that was read and encoded. While it lives it counts against its reader's room.
pub(super) struct ReadChunk {
    pub(super) group: Arc<Group>,
    pub(super) range: ChunkRange,
    pub(super) read: Chunk,
    pub(super) arenas: Vec<Arena>,
    /// Back to its reader.
    pub(super) back: mpsc::UnboundedSender<Task>,
    pub(super) _room: OwnedSemaphorePermit,
    pub(super) _reading: Reading,
}

impl ReadChunk {
    /// The place where it begins: the one that the chunk before it reached.
    pub(super) fn begins(&self) -> Option<Bound> {
        self.range.after.clone()
    }

    /// The place that it reached, where the next one begins; None at the table's end.
    pub(super) fn reached(&self) -> Option<Bound> {
        self.read.last.clone().or_else(|| self.range.until.clone())
    }

    /// Has its reader read it once more: the task is there before the room is, so that it comes
    /// before any later piece.
    pub(super) fn again(self) {
        let task = Task {
            group: self.group,
            range: ChunkRange {
                after: self.range.after,
                // Where a limit ended it: the rest was handed out by its own.
                until: self.read.last.or(self.range.until),
            },
        };
        // A reader that has ended was told to.
        let _ = self.back.send(task);
    }
}

/// What every thread sees of the transactions.
#[derive(Default)]
pub(super) struct Shared {
    /// A reading counts only if it sees everything numbered below.
    floor: AtomicU64,
    /// The highest horizon of any reading so far.
    horizon: AtomicU64,
    /// Readings under way and chunks not yet released: the horizon that was known when each began,
    /// by a number of its own. Its own horizon is no lower.
    readings: Mutex<(u64, BTreeMap<u64, u64>)>,
}

impl Shared {
    pub(super) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    pub(super) fn raise_floor(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::AcqRel);
    }

    /// A reading saw everything numbered below.
    pub(super) fn saw(&self, horizon: u64) {
        self.horizon.fetch_max(horizon, Ordering::AcqRel);
    }

    /// Whether a reading from now on surely sees everything numbered below.
    pub(super) fn known(&self) -> u64 {
        self.horizon.load(Ordering::Acquire)
    }

    /// A reading begins now.
    pub(super) fn begin(self: &Arc<Self>) -> Reading {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let number = readings.0;
        readings.0 += 1;
        // Looked up within the lock: nobody forgets between the two.
        readings.1.insert(number, self.known());
        Reading {
            shared: self.clone(),
            number,
        }
    }

    /// Every reading under way, not yet released, or to come sees everything numbered below.
    pub(super) fn seen_by_all(&self) -> u64 {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let least = readings.1.values().min().copied();
        least.unwrap_or_else(|| self.known())
    }
}

/// A reading under way, until it is dropped.
pub(super) struct Reading {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let readings = &self.shared.readings;
        let mut readings = readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_forgotten_that_a_reading_under_way_may_lack() {
        let shared = Arc::new(Shared::default());
        shared.saw(10);
        assert_eq!(shared.seen_by_all(), 10);
        let early = shared.begin();
        shared.saw(20);
        let late = shared.begin();
        assert_eq!(shared.seen_by_all(), 10, "the early one may see no more");
        drop(early);
        assert_eq!(shared.seen_by_all(), 20);
        drop(late);
        shared.saw(15);
        assert_eq!(shared.seen_by_all(), 20, "what was seen stays seen");
    }
}
