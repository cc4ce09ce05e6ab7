//! History: the rows that tables had already, read in chunks and published among live changes.
//!
//! A commit is in the log before any reader can see it, and for as long as you like where a standby
//! is to confirm it. So positions alone would step back in time at the seam, and visibility decides:
//!
//! 1. Keys that streamed transactions change are remembered ([`changed`]). Then S0 is taken
//!    ([`start`]). A chunk counts only if everything that had begun at S0 has ended for its own
//!    reading: what is not remembered is seen.
//! 2. A chunk is published once the stream has passed the log's end as it was after the chunk's
//!    reading was arranged, less every key that is remembered: its last streamed transaction was
//!    either not seen by the reading, and the chunk's row is older than what is published, or it was
//!    seen, and what is published is that row.
//!    Keys are remembered while a run waits for that, too: a reading that will count sees no more
//!    than what had ended when it began, and the transaction that is waited for keeps everything
//!    after it from being forgotten. To forget all the same raises the bar to what is open by then,
//!    and under steady writes a bar that moves with them is never reached; so only want of room does
//!    it, and where nothing was read yet nothing is read twice for it.
//! 3. Where the memory overflows what it held is forgotten, and chunks that may not have seen it are
//!    read again.
//! 4. Where a run reconciles, keys whose last event is older than the run get tombstones in the end
//!    ([`ghosts`]), unless a live change touched them meanwhile.
//!
//! All of this goes by the product's key, whatever order rows are read in: a chunk's row is never
//! older than what is published of its key. Where rows are read by another key than the product's,
//! a row that moves from among those that were read to among those that were not is read again. If
//! the change was forgotten by then its key is told by a second snapshot event, of the same id as the
//! first, that repeats what the change told. To prevent that would take a memory as large as the
//! table.
//!
//! Facts and outboxes with `history: insert` go by the table's rows instead, whose events are no states
//! that replace each other: each row that was there before gives its insert's events once. A chunk's row
//! is left out where the log has brought it since the product began, by an insert or under a new key
//! ([`live`], in progress too), for its events were told then; or where the log has taken it away
//! unseen by the chunk: whoever is gone before he is told gives none. Any other row is told as it was
//! read, which may be behind the facts of a change that the log brought meanwhile. Every row is in just
//! one chunk that is published, as long as its key stays: one that moves among those still to be read
//! counts as brought by the log.
//!
//! Readers ([`reader`]) have threads and connections of their own. Released chunks go the way of all
//! events, between two source transactions, with their progress in the same Kafka transaction.
//! Nothing is written to the source.

mod changed;
pub(crate) mod command;
pub(crate) mod decide;
mod ghosts;
mod group;
mod live;
mod orders;
mod pieces;
pub(crate) mod ranges;
mod reader;
mod remember;
mod replay;
mod start;
mod waits;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use onramp_connector::{Bound, Position};
use onramp_event::Arena;
use onramp_finding::Failure;
use onramp_publisher::{HistoryRecord, LiveRows, Stage};
use tokio::sync::{mpsc, watch};

use crate::health::HistoryShown;

use changed::ChangedKeys;
use ghosts::Ghosts;
use group::{Group, Opened, Records};
use live::Live;
pub(super) use orders::Orders;
use pieces::{Arrival, ReadChunk, Shared};
use reader::Readers;
use remember::overtaken;
use replay::Replaying;
pub(super) use start::Parts;
use waits::Waits;

/// The runs of this attempt, on the thread of the stream.
pub(super) struct History {
    parts: Arc<Parts>,
    changed: ChangedKeys,
    live: Live,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    arrive: mpsc::UnboundedSender<Arrival>,
    shared: Arc<Shared>,
    runs: Vec<Run>,
    /// Runs to begin once those under way are done.
    queue: Vec<(String, HistoryRecord)>,
    /// Whether tables are being opened.
    opening: bool,
    /// The runs whose tables are being opened.
    opened_by: Vec<(String, HistoryRecord)>,
    /// How many runs operators have asked for.
    commanded: u64,
    /// Those that are not yet known to be in progress.
    orders: Orders,
    replaying: Replaying,
    /// What is committed, for those who wait for it.
    committed: watch::Receiver<Option<Position>>,
    /// Ends every thread and task of a run when it goes.
    end: watch::Sender<()>,
}

/// A group's chunks on their way.
struct Run {
    group: Arc<Group>,
    records: Records,
    /// Read, and not yet released, by the place where each begins. Chunks are a chain, each
    /// beginning where another ended, and by nothing else: one that is read again may end earlier
    /// than it did, so that numbers given to it and those behind it would come twice.
    waiting: HashMap<Option<Bound>, ReadChunk>,
    /// Where the chunk begins that is released next.
    next: Option<Bound>,
    /// Live changes numbered below it do not count: every reading sees them. A run that reconciles
    /// has them published once more, behind the topic's ends that it noted before S0, lest they be
    /// taken for ghosts; any other spares consumers the same state twice.
    newer_from: u64,
    /// Whether every row is published.
    read: bool,
    /// Ghosts of its products that are being looked for, by product.
    ghosts: Vec<Ghosts>,
}

impl Run {
    fn done(&self) -> bool {
        self.read && self.ghosts.is_empty()
    }
}

/// Something to publish where the log stands.
pub(super) type Release = Vec<Arena>;

impl History {
    pub(super) fn new(
        parts: Parts,
        committed: watch::Receiver<Option<Position>>,
        orders: Orders,
    ) -> History {
        let (arrive, arrivals) = mpsc::unbounded_channel();
        History {
            changed: ChangedKeys::new(parts.changed_keys_bytes),
            live: Live::new(parts.changed_keys_bytes),
            parts: Arc::new(parts),
            arrivals,
            arrive,
            shared: Arc::default(),
            runs: Vec::new(),
            queue: Vec::new(),
            opening: false,
            opened_by: Vec::new(),
            commanded: 0,
            orders,
            replaying: Replaying::default(),
            committed,
            end: watch::channel(()).0,
        }
    }

    /// The runs of a start, before anything is streamed; `live` are the rows that progress knows of as
    /// brought by the log.
    pub(super) fn start(
        &mut self,
        records: Vec<(String, HistoryRecord)>,
        live: &BTreeMap<String, LiveRows>,
    ) {
        for (product, record) in records.iter().filter(|(_, r)| r.stage != Stage::Done) {
            if let Some(mapped) = self.parts.mapped(product)
                && !record.secret.is_empty()
            {
                let pages = live.get(product).cloned().unwrap_or_default();
                self.live.watch(mapped, pages);
            }
        }
        self.begin(records);
    }

    /// Begins runs, or goes on with them, as soon as those under way are done. To be called between
    /// two batches: keys are remembered from here on.
    pub(super) fn begin(&mut self, records: Vec<(String, HistoryRecord)>) {
        for (product, record) in records {
            let shown = HistoryShown::of(record.clone());
            self.parts.board.history(&product, shown);
            if record.stage != Stage::Done {
                self.queue.push((product, record));
            }
        }
        self.advance();
    }

    /// Whether there may be something to release.
    pub(super) fn active(&self) -> bool {
        self.runs_under_way() || self.replay_is_ready()
    }

    fn runs_under_way(&self) -> bool {
        self.opening || self.runs.iter().any(|run| !run.done())
    }

    fn advance(&mut self) {
        if self.runs_under_way() || self.queue.is_empty() {
            return;
        }
        self.runs.clear();
        let records = std::mem::take(&mut self.queue);
        for (product, _) in &records {
            if let Some(mapped) = self.parts.mapped(product) {
                self.changed.watch(mapped.route);
            }
        }
        self.opening = true;
        self.opened_by.clone_from(&records);
        let (parts, arrive) = (self.parts.clone(), self.arrive.clone());
        let mut end = self.end.subscribe();
        tokio::spawn(async move {
            let opened = tokio::select! {
                opened = start::open(&parts, records) => opened,
                _ = end.changed() => return,
            };
            // Nobody listens where the attempt has ended.
            let _ = arrive.send(match opened {
                Ok(opened) => Arrival::Opened(opened),
                Err(failure) => Arrival::Failed(failure),
            });
        });
    }

    fn opened(&mut self, opened: Vec<Opened>) -> Result<(), Failure> {
        self.opening = false;
        self.opened_by.clear();
        for (index, one) in opened.into_iter().enumerate() {
            let mut group = one.group;
            group.index = index;
            let first = one.records.first().map(|(_, record)| record);
            group.run = first.map_or_else(String::new, |r| r.run.clone());
            let after = first.and_then(|r| r.after.clone()).map(Bound);
            group.cursor.get_mut().after.clone_from(&after);
            let read = first.is_some_and(|r| r.stage != Stage::Reading);
            group.cursor.get_mut().exhausted = read;
            let board = self.parts.board.clone();
            let reconciles = one.records.iter().any(|(_, r)| r.reconcile);
            self.runs.push(Run {
                newer_from: if reconciles { group.floor } else { 0 },
                group: Arc::new(group),
                records: Records::new(one.records, one.estimate, board),
                waiting: HashMap::new(),
                next: after,
                read,
                ghosts: Vec::new(),
            });
            if read {
                self.look_for_ghosts(index);
            }
        }
        let readers = Arc::new(Readers {
            parts: self.parts.clone(),
            shared: self.shared.clone(),
            groups: self.runs.iter().map(|run| run.group.clone()).collect(),
            arrivals: self.arrive.clone(),
            waits: Waits::new(self.parts.board.clone()),
        });
        for number in 0..self.parts.snapshot.readers {
            reader::start(number, readers.clone(), self.end.subscribe())?;
        }
        self.advance();
        Ok(())
    }

    /// Waits for the next chunk, or for a failure. Cancelling it loses nothing.
    pub(super) async fn arrived(&mut self) -> Result<(), Failure> {
        match self.arrivals.recv().await {
            Some(Arrival::Chunk(chunk)) => {
                let run = &mut self.runs[chunk.group.index];
                run.waiting.insert(chunk.begins(), *chunk);
                Ok(())
            }
            Some(Arrival::Opened(opened)) => self.opened(opened),
            Some(Arrival::Ghosts(index, pass)) => {
                if let Some(ghosts) = self.ghosts_of(index, &pass.product) {
                    ghosts.arrived(pass);
                }
                Ok(())
            }
            Some(Arrival::Replay(read)) => {
                self.replay_read(read);
                Ok(())
            }
            Some(Arrival::Failed(failure)) => Err(failure),
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// Whether a chunk waits for the stream to come further.
    pub(super) fn waits(&self) -> bool {
        self.runs
            .iter()
            .any(|run| run.waiting.contains_key(&run.next))
    }

    /// What may be published where the stream stands, its progress in the last arena; None where
    /// nothing may.
    pub(super) fn release(&mut self, position: &Position) -> Result<Option<Release>, Failure> {
        if let Some(replayed) = self.release_replay() {
            return Ok(Some(replayed));
        }
        for index in 0..self.runs.len() {
            let mut released = self.release_chunk(index, position)?;
            if released.is_none() {
                released = self.release_ghosts(index, position);
            }
            if released.is_some() {
                // Ghosts are told by what changed since their search began: nothing of it may go.
                if self.runs.iter().all(|run| run.ghosts.is_empty()) {
                    self.changed.forget_below(self.shared.seen_by_all());
                }
                self.advance();
                return Ok(released);
            }
        }
        Ok(None)
    }

    fn release_chunk(
        &mut self,
        index: usize,
        position: &Position,
    ) -> Result<Option<Release>, Failure> {
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
        let passed = self.parts.connector.compare(position, &chunk.read.passed)?;
        if !matches!(passed, Some(Ordering::Equal | Ordering::Greater)) {
            return Ok(None);
        }
        let Some(mut chunk) = run.waiting.remove(&run.next) else {
            return Ok(None);
        };
        for arena in &mut chunk.arenas {
            overtaken(arena, &self.changed, &self.live, run.newer_from);
        }
        run.next = chunk.reached();
        run.read = run.next.is_none();
        let mut notes = run.records.released(&chunk, run.read);
        let all = run.records.all().iter();
        for (product, _) in all.filter(|(_, record)| record.stage == Stage::Done) {
            notes.append(&mut self.live.done(product));
        }
        let mut arenas = std::mem::take(&mut chunk.arenas);
        if arenas.is_empty() {
            arenas.push(Arena::default());
        }
        if let Some(last) = arenas.last_mut() {
            last.notes = notes;
        }
        if run.read {
            self.look_for_ghosts(index);
        }
        Ok(Some(arenas))
    }

    /// Every row of a run's table is published: products of more tables go on with the next, those that
    /// reconcile look for ghosts, the others are done.
    fn look_for_ghosts(&mut self, index: usize) {
        let run = &mut self.runs[index];
        for (product, record) in run.records.all() {
            let Some(mapped) = self.parts.mapped(product) else {
                continue;
            };
            if record.stage == Stage::Reading {
                // Another table of its is next, from an S0 of its own.
                self.queue.push((product.clone(), record.clone()));
                self.changed.unwatch(mapped.route);
            } else if record.stage == Stage::Reconciling {
                let ghosts = Ghosts::new(product, record, mapped, &self.parts);
                run.ghosts.push(ghosts);
            } else {
                self.changed.unwatch(mapped.route);
            }
        }
    }

    fn ghosts_of(&mut self, index: usize, product: &str) -> Option<&mut Ghosts> {
        let run = self.runs.get_mut(index)?;
        run.ghosts.iter_mut().find(|g| g.product() == product)
    }

    fn release_ghosts(&mut self, index: usize, position: &Position) -> Option<Release> {
        let run = &mut self.runs[index];
        let ghosts = run.ghosts.first_mut()?;
        ghosts.search(
            position,
            &mut self.changed,
            &ghosts::Search {
                index,
                parts: &self.parts,
                committed: &self.committed,
                arrive: &self.arrive,
                end: &self.end,
            },
        );
        let (mut arena, done) = ghosts.release(&self.changed)?;
        if done {
            let ghosts = run.ghosts.remove(0);
            arena.notes = run.records.reconciled(ghosts.product());
            self.changed.unwatch(ghosts.route());
        }
        Some(vec![arena])
    }
}
