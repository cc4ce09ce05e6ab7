//! The publishing thread: arenas in, Kafka transactions out.
//!
//! Many source transactions share a Kafka transaction and none is split: a Kafka transaction is
//! committed only where the last arena ended between two of them, and the position up to there is
//! committed with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use onramp_event::{Arena, Origin, Route};
use onramp_finding::codes::kafka as codes;
use onramp_finding::codes::running::INTERNAL;
use onramp_finding::{Failure, Finding, Kind, Place};
use tokio::sync::mpsc;

use crate::headers::{Headers, write_rfc3339};
use crate::meters::Meters;
use crate::open::Open;
use crate::producer::Event;
use crate::progress::{FORMAT, POSITION_KEY, PositionRecord, product_record};
use crate::publish::{Committed, LOOK, PublisherParts, Shared, locked};
use crate::waits::Waits;

/// How often progress is written where nothing else is.
const IDLE_PROGRESS: Duration = Duration::from_secs(10);

/// How long company is waited for when the flow is thick: a quiet gap, not an empty socket. The
/// server pauses while it decodes the next source transaction; taken for the end, each such pause
/// is a commit (docs/benchmark.md: 592 commits in place of 34, and half the throughput).
const COMPANY: Duration = Duration::from_millis(15);

/// From how many events on the flow counts as thick.
const THICK_EVENTS: u64 = 256;

/// What a recycled arena keeps of its memory.
const ARENA_BYTES: usize = 512 << 10;

/// The publishing thread's work.
pub(crate) struct Work {
    parts: PublisherParts,
    timer: tokio::runtime::Runtime,
    shared: Arc<Shared>,
    headers: Headers,
    meters: Meters,
    open: Option<Open>,
    /// Where the last arena ended, if between two source transactions and not yet committed.
    boundary: Option<Arc<str>>,
    /// Whether the last arena ended inside a source transaction.
    inside: bool,
    rows: u64,
    source_commit_us: Option<i64>,
    /// The records of progress in the open transaction, beside the position's.
    noted: Vec<(String, String)>,
    /// The position that was committed last, and when.
    written: Option<(Arc<str>, Instant)>,
}

enum Next {
    Arena(Arena),
    Nothing,
    Closed,
}

impl Work {
    pub(crate) fn new(
        parts: PublisherParts,
        timer: tokio::runtime::Runtime,
        shared: Arc<Shared>,
    ) -> Work {
        Work {
            headers: Headers::new(parts.kafka.settings.headers),
            meters: Meters::new(&parts.routes),
            timer,
            shared,
            open: None,
            boundary: None,
            inside: false,
            rows: 0,
            source_commit_us: None,
            noted: Vec::new(),
            written: None,
            parts,
        }
    }

    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        let ended = self.publish();
        if self.open.is_some() {
            self.parts.producer.abort();
            self.meters.aborted();
        }
        match ended {
            // Asked to stop: what was open is done again by whoever comes next.
            Err(_) if self.shared.stop.load(Ordering::Relaxed) => Ok(()),
            ended => ended,
        }
    }

    /// The other threads may end.
    pub(crate) fn stopped(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    fn publish(&mut self) -> Result<(), Failure> {
        loop {
            self.look_around()?;
            let next = match self.parts.arenas.try_recv() {
                Ok(arena) => Next::Arena(arena),
                Err(mpsc::error::TryRecvError::Disconnected) => Next::Closed,
                Err(mpsc::error::TryRecvError::Empty) => self.idle()?,
            };
            match next {
                Next::Arena(arena) => {
                    self.take(arena)?;
                    if self.full() || self.progress_due() == Some(Duration::ZERO) {
                        self.commit()?;
                    }
                }
                Next::Nothing => {}
                Next::Closed => {
                    return if self.inside { Ok(()) } else { self.finish() };
                }
            }
        }
    }

    /// The source ended: what is whole is committed, progress with it.
    fn finish(&mut self) -> Result<(), Failure> {
        if self.open.is_some() || self.unwritten() {
            self.commit()?;
        }
        Ok(())
    }

    /// Nothing is queued: commit, or wait.
    fn idle(&mut self) -> Result<Next, Failure> {
        let Some(open) = &self.open else {
            return match self.progress_due() {
                Some(Duration::ZERO) => {
                    self.commit()?;
                    Ok(Next::Nothing)
                }
                Some(left) => Ok(self.wait(left.min(LOOK))),
                None => Ok(self.wait(LOOK)),
            };
        };
        if self.inside {
            return Ok(self.wait(LOOK));
        }
        if open.events >= THICK_EVENTS {
            let next = self.wait(COMPANY);
            if !matches!(next, Next::Nothing) {
                return Ok(next);
            }
        }
        self.commit()?;
        Ok(Next::Nothing)
    }

    fn wait(&mut self, limit: Duration) -> Next {
        let arenas = &mut self.parts.arenas;
        let waited = self
            .timer
            .block_on(async { tokio::time::timeout(limit, arenas.recv()).await });
        match waited {
            Ok(Some(arena)) => Next::Arena(arena),
            Ok(None) => Next::Closed,
            Err(_) => Next::Nothing,
        }
    }

    /// How long until progress alone is written; None where it is not to be. On a source that is
    /// busy with other tables the queue may never be empty, and the log must still be let go.
    fn progress_due(&self) -> Option<Duration> {
        if self.open.is_some() || self.inside || !self.unwritten() {
            return None;
        }
        if self.states_wait() {
            return Some(Duration::ZERO);
        }
        let left = |(_, at): &(Arc<str>, Instant)| IDLE_PROGRESS.saturating_sub(at.elapsed());
        Some(self.written.as_ref().map_or(Duration::ZERO, left))
    }

    fn states_wait(&self) -> bool {
        !self.parts.states.is_empty()
            || !self.parts.notes.is_empty()
            || self.shared.any_noted.load(Ordering::Acquire)
    }

    /// Whether there is a position that progress does not have yet.
    fn unwritten(&self) -> bool {
        match (&self.boundary, &self.written) {
            (Some(now), Some((before, _))) => now != before || self.states_wait(),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Whether the open transaction is at a boundary and past a bound.
    fn full(&self) -> bool {
        let settings = &self.parts.kafka.settings;
        let Some(open) = &self.open else { return false };
        !self.inside
            && (open.since.elapsed() >= settings.commit_every
                || open.bytes >= settings.commit_bytes as u64)
    }

    /// Ends the work where something is wrong that nobody told yet.
    fn look_around(&mut self) -> Result<(), Failure> {
        if self.shared.stop.load(Ordering::Relaxed) {
            return Err(Failure::internal(&INTERNAL, "asked to stop"));
        }
        if self.shared.any_replaced.load(Ordering::Acquire)
            && let Some(failure) = locked(&self.shared.replaced).take()
        {
            return Err(failure);
        }
        if let Some(failure) = self.parts.producer.background() {
            return Err(failure);
        }
        let allowed = self.allowed();
        if let Some(open) = &mut self.open {
            open.look();
        }
        match &self.open {
            Some(open) if open.stood_still(allowed) => Err(open.aborted()),
            Some(open) if open.since.elapsed() >= allowed => {
                let after = self.written.as_ref().map_or(&self.parts.from, |(p, _)| p);
                let settings = &self.parts.kafka.settings;
                let remedy = settings.longer_than(self.parts.producer.timeout());
                Err(open.too_long(after, remedy))
            }
            _ => Ok(()),
        }
    }

    /// How long a transaction may be filled: the commit needs its share of the time-out.
    fn allowed(&self) -> Duration {
        self.parts.producer.timeout().mul_f64(0.9)
    }

    /// Takes an arena's events and records of progress into the open transaction.
    fn take(&mut self, mut arena: Arena) -> Result<(), Failure> {
        if !arena.records.is_empty() || !arena.notes.is_empty() {
            if self.open.is_none() {
                self.begin()?;
            }
            self.write_notes()?;
            self.produce(&mut arena)?;
            self.note(std::mem::take(&mut arena.notes))?;
        }
        // What is told late says nothing of how far the log was told.
        let of_log =
            |t: &&onramp_event::Transaction| t.origin != Origin::Snapshot && t.replayed.is_none();
        if let Some(transaction) = arena.transactions.iter().rfind(of_log) {
            self.source_commit_us = Some(transaction.committed_at_us);
        }
        self.rows += arena.rows;
        if arena.passed_over > 0 {
            tracing::warn!(
                updates = arena.passed_over,
                "rows of an outbox were updated, and their events stay as they were published"
            );
        }
        self.inside = arena.boundary.is_none();
        if arena.boundary.is_some() {
            self.boundary = arena.boundary.take();
        }
        arena.recycle(ARENA_BYTES);
        // Where nobody wants it back its memory is simply freed.
        let _ = self.parts.back.try_send(arena);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.parts.producer.begin()?;
        self.meters.begun();
        self.open = Some(Open::begun());
        self.write_notes()
    }

    /// Produces an arena's events, partition by partition: the order within each is kept, which is
    /// the one that consumers see. The client keeps a list of events a partition and walks it when
    /// it writes, when it is answered and when it frees; so its events lie together in memory
    /// (docs/benchmark.md: a quarter of all CPU).
    fn produce(&mut self, arena: &mut Arena) -> Result<(), Failure> {
        // Stable: events of a key come in their order.
        arena.records.sort_by_key(|r| (r.route.0, r.partition));
        let arena = &*arena;
        let limit = self.parts.kafka.settings.row_bytes;
        let since = self.open.as_ref().map_or_else(Instant::now, |o| o.since);
        let mut waits = Waits::new(&self.shared, &self.parts.producer, since, self.allowed());
        self.headers.next_arena();
        let (mut events, mut total) = (0, 0);
        for record in &arena.records {
            let index = usize::from(record.route.0);
            let Some(route) = self.parts.routes.get(index) else {
                return Err(Failure::internal(&INTERNAL, "an event of an unknown route"));
            };
            let (headers, header_bytes) = self.headers.build(route, arena, record);
            let key = arena.slice(record.key);
            let value = record.value.map(|span| arena.slice(span));
            let bytes = key.len() + value.map_or(0, <[u8]>::len) + header_bytes;
            let transaction = &arena.transactions[record.transaction as usize];
            if bytes > limit {
                let position = String::from_utf8_lossy(arena.slice(transaction.place));
                return Err(too_large(route, &position, bytes, limit));
            }
            let event = Event {
                partition: record.partition,
                key,
                value,
                // 0 would mean "now" to the client.
                timestamp_ms: record
                    .at_us
                    .unwrap_or(transaction.committed_at_us)
                    .div_euclid(1000)
                    .max(1),
                headers,
            };
            waits.anew();
            self.parts
                .producer
                .send(index, event, &mut || waits.full())?;
            // A mark in quarantine is no row that failed.
            if !route.quarantine || transaction.replayed.is_none() {
                self.meters.event(index, bytes);
            }
            events += 1;
            total += bytes as u64;
        }
        waits.done();
        if let Some(open) = &mut self.open {
            open.events += events;
            open.bytes += total;
        }
        Ok(())
    }

    /// What is to be written beside the position goes into the open transaction before any event
    /// that may be written about again: an older record never follows a newer one.
    fn write_notes(&mut self) -> Result<(), Failure> {
        if !self.states_wait() {
            return Ok(());
        }
        let mut notes: Vec<_> = std::mem::take(&mut self.parts.states)
            .iter()
            .map(|(name, state)| product_record(name, state))
            .collect();
        notes.append(&mut self.parts.notes);
        if self.shared.any_noted.swap(false, Ordering::AcqRel) {
            notes.append(&mut locked(&self.shared.noted));
        }
        self.note(notes)
    }

    /// Records of progress that belong to the events just produced.
    fn note(&mut self, notes: Vec<(String, String)>) -> Result<(), Failure> {
        let since = self.open.as_ref().map_or_else(Instant::now, |o| o.since);
        let mut waits = Waits::new(&self.shared, &self.parts.producer, since, self.allowed());
        for (key, value) in &notes {
            let producer = &self.parts.producer;
            producer.send_progress(key, value, &mut || waits.full())?;
        }
        waits.done();
        self.noted.extend(notes);
        Ok(())
    }

    /// Commits what is open, with the position of the last boundary; with nothing open progress
    /// alone.
    fn commit(&mut self) -> Result<(), Failure> {
        debug_assert!(!self.inside, "a source transaction is never split");
        let Some(position) = self.boundary.clone() else {
            return Err(Failure::internal(&INTERNAL, "a commit without a position"));
        };
        self.look_around()?;
        if self.open.is_none() {
            self.begin()?;
        }
        let (since, events, bytes) = match &self.open {
            Some(open) => (open.since, open.events, open.bytes),
            None => (Instant::now(), 0, 0),
        };
        let started = Instant::now();
        let value = self.position_record(&position);
        let timeout = self.parts.producer.timeout();
        self.write_notes()?;
        let mut waits = Waits::new(&self.shared, &self.parts.producer, since, timeout);
        let producer = &self.parts.producer;
        producer.send_progress(POSITION_KEY, &value, &mut || waits.full())?;
        waits.anew();
        producer.commit(&mut || waits.commit())?;
        waits.done();
        self.open = None;
        let committed = Committed {
            position: position.clone(),
            events,
            bytes,
            rows: std::mem::take(&mut self.rows),
            source_commit_us: self.source_commit_us,
            notes: std::mem::take(&mut self.noted),
            took: started.elapsed(),
            open: since.elapsed(),
        };
        self.meters.committed(committed.rows, committed.took);
        locked(&self.shared.status).commits += 1;
        self.written = Some((position, Instant::now()));
        (self.parts.on_commit)(&committed);
        Ok(())
    }

    fn position_record(&self, position: &str) -> String {
        let origin = &self.parts.origin;
        let record = PositionRecord {
            format: FORMAT,
            gateway: origin.gateway.clone(),
            position: position.to_owned(),
            system: origin.system.clone(),
            branch: origin.branch.clone(),
            instance: origin.instance.clone(),
            source_commit: self.source_commit_us.map(|us| {
                let mut text = Vec::with_capacity(32);
                write_rfc3339(&mut text, us);
                String::from_utf8(text).unwrap_or_default()
            }),
        };
        serde_json::to_string(&record).unwrap_or_default()
    }
}

fn too_large(route: &Route, position: &str, bytes: usize, limit: usize) -> Failure {
    Failure::stop(
        Kind::Data,
        Finding::error(
            &codes::TOO_LARGE,
            Place::Log {
                what: format!("product {}", route.product),
                position: position.to_owned(),
            },
            format!("an event takes {bytes} bytes, limits.row allows {limit}"),
        )
        .remedy(codes::TOO_LARGE.remedy)
        .of_product(&route.product),
    )
}
