//! History: the rows that tables had already, read in chunks and published among live changes.
//!
//! A commit is in the log before any reader can see it, and for as long as you like where a standby
//! is to confirm it. So positions alone would step back in time at the seam, and visibility decides:
//!
//! 1. Keys that streamed transactions change are remembered from the first batch on ([`changed`]).
//!    Then S0 is taken. A chunk counts only if everything that had begun at S0 has ended for its own
//!    reading: what is not remembered is seen.
//! 2. A chunk is published once the stream has passed the log's end as it was after the chunk's
//!    reading was arranged, less every key whose last streamed transaction the reading did not see.
//! 3. Where the memory overflows what it held is forgotten, and chunks that may not have seen it are
//!    read again.
//!
//! Readers ([`reader`]) have threads and connections of their own. Released chunks go the way of all
//! events, between two source transactions, with their progress in the same Kafka transaction.
//! Nothing is written to the source.

mod changed;
mod group;
mod pieces;
mod reader;
mod start;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use onramp_connector::{Bound, Connector, Position, Visibility};
use onramp_event::{Arena, Origin};
use onramp_finding::Failure;
use onramp_publisher::Stage;
use tokio::sync::{mpsc, watch};

use changed::ChangedKeys;
use group::Group;
use pieces::{Arrival, ReadChunk, Shared};
pub(super) use start::{Runs, start};

/// The runs of this attempt, on the thread of the stream.
pub(super) struct History {
    connector: Arc<dyn Connector>,
    changed: ChangedKeys,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    shared: Arc<Shared>,
    /// By group.
    runs: Vec<Run>,
    /// Ends the readers when it goes.
    _end: watch::Sender<()>,
}

/// A group's chunks on their way.
struct Run {
    group: Arc<Group>,
    /// Read, and not yet released, by the place where each begins. Chunks are a chain, each
    /// beginning where another ended, and by nothing else: one that is read again may end earlier
    /// than it did, so that numbers given to it and those behind it would come twice.
    waiting: HashMap<Option<Bound>, ReadChunk>,
    /// Where the chunk begins that is released next.
    next: Option<Bound>,
    done: bool,
}

impl History {
    /// Whether any run is under way.
    pub(super) fn active(&self) -> bool {
        self.runs.iter().any(|run| !run.done)
    }

    /// Remembers the keys of the events from `first` on: live changes that a chunk may lack.
    pub(super) fn remember(&mut self, arena: &Arena, first: usize) {
        if !self.changed.watches() {
            return;
        }
        for record in &arena.records[first..] {
            if let Origin::Log(number) = arena.transactions[record.transaction as usize].origin {
                self.changed
                    .note(record.route, arena.slice(record.key), number);
            }
        }
        self.shared.raise_floor(self.changed.floor());
    }

    /// Waits for the next chunk, or for a reader's failure. Cancelling it loses nothing.
    pub(super) async fn arrived(&mut self) -> Result<(), Failure> {
        match self.arrivals.recv().await {
            Some(Arrival::Chunk(chunk)) => {
                let run = &mut self.runs[chunk.group.index];
                run.waiting.insert(chunk.begins(), *chunk);
                Ok(())
            }
            Some(Arrival::Failed(failure)) => Err(failure),
            // The readers have ended: everything was read.
            None => std::future::pending().await,
        }
    }

    /// Whether a chunk waits for the stream to come further.
    pub(super) fn waits(&self) -> bool {
        self.runs
            .iter()
            .any(|run| run.waiting.contains_key(&run.next))
    }

    /// The events of the next chunk that may be published where the stream stands, its progress in
    /// the last arena; None where none may.
    pub(super) fn release(&mut self, position: &Position) -> Result<Option<Vec<Arena>>, Failure> {
        for index in 0..self.runs.len() {
            if let Some(arenas) = self.release_of(index, position)? {
                self.forget();
                return Ok(Some(arenas));
            }
        }
        Ok(None)
    }

    fn release_of(
        &mut self,
        index: usize,
        position: &Position,
    ) -> Result<Option<Vec<Arena>>, Failure> {
        let run = &mut self.runs[index];
        let Some(chunk) = run.waiting.get(&run.next) else {
            return Ok(None);
        };
        let floor = self.changed.floor().max(run.group.floor);
        if chunk.read.visibility.horizon() < floor {
            // What was forgotten may be newer than what it read.
            if let Some(chunk) = run.waiting.remove(&run.next) {
                chunk.again();
            }
            return Ok(None);
        }
        let passed = self.connector.compare(position, &chunk.read.passed)?;
        if !matches!(passed, Some(Ordering::Equal | Ordering::Greater)) {
            return Ok(None);
        }
        let Some(mut chunk) = run.waiting.remove(&run.next) else {
            return Ok(None);
        };
        for arena in &mut chunk.arenas {
            overtaken(arena, &self.changed, &*chunk.read.visibility);
        }
        run.next = chunk.reached();
        run.done = run.next.is_none();
        let notes = run.group.released(&chunk, run.done);
        if run.done {
            for route in run.group.routes() {
                self.changed.unwatch(route);
            }
        }
        let mut arenas = std::mem::take(&mut chunk.arenas);
        if arenas.is_empty() {
            arenas.push(Arena::default());
        }
        if let Some(last) = arenas.last_mut() {
            last.notes = notes;
        }
        Ok(Some(arenas))
    }

    /// Forgets keys whose transactions every reading from now on sees.
    fn forget(&mut self) {
        let seen = self.shared.seen_by_all();
        self.changed.forget_below(seen);
    }
}

/// Takes out the events of rows that a live change overtook.
fn overtaken(arena: &mut Arena, changed: &ChangedKeys, visibility: &dyn Visibility) {
    let bytes = &arena.bytes;
    arena.records.retain(|record| {
        let key = &bytes[record.key.start as usize..record.key.end as usize];
        changed
            .by(record.route, key)
            .is_none_or(|number| visibility.sees(number))
    });
}

/// What a run is at, when it has ended or not.
fn stage(done: bool) -> Stage {
    if done { Stage::Done } else { Stage::Reading }
}
