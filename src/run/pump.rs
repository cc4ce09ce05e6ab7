//! The way of the data: batches of the log in, arenas of events out, on one thread.
//!
//! An arena is handed over at the boundary of a source transaction once it holds enough, or when
//! the source is quiet; inside a source transaction only when it is full. The channel to the
//! publisher is bounded: while it is full nothing more is read, and the connection to the source
//! is kept alive by its own task.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use onramp_connector::{Batch, Item, Position, Stream};
use onramp_event::Arena;
use onramp_finding::Failure;
use onramp_finding::codes::running;
use onramp_publisher::Status as PublisherStatus;
use onramp_translator::Translator;
use tokio::sync::{mpsc, watch};

use super::attempt::{Context, Ended, Flow, blocking};
use super::history::History;
use super::history::command::Asked;
use crate::health::{Board, Phase};

/// An arena that holds this much is handed over at the next boundary.
const SOFT_BYTES: usize = 64 << 10;
/// An arena that holds this much is handed over wherever it is.
const HARD_BYTES: usize = 256 << 10;
/// How long a call waits for the log; an idle source's progress moves at this pace at most.
const WAIT: Duration = Duration::from_millis(500);
/// How often an idle source is asked how far its log goes, while a chunk of a table waits for that.
const NUDGE_EVERY: Duration = Duration::from_millis(5);
/// How often the log that the source keeps for us is measured.
const RETAINED_EVERY: Duration = Duration::from_secs(15);
const RETAINED_SOON: Duration = Duration::from_secs(2);

/// How old the news may be that publishing waits for Kafka.
const WAITING_SHOWN_EVERY: Duration = Duration::from_millis(250);

/// Pumps until told to stop, until something fails, or until a table's changes are held that were
/// not when it began.
pub(super) async fn pump(
    context: &Arc<Context>,
    flow: Flow,
    mut stream: Box<dyn Stream>,
    mut stop: watch::Receiver<bool>,
) -> Result<Ended, Failure> {
    let Flow {
        connector,
        translator,
        mut publisher,
        arenas,
        back,
        history,
        // Dropped: an operator is told that nothing was begun.
        commands,
        from,
        pending,
    } = flow;
    let (tell_joined, joined) = watch::channel(false);
    let pending = tokio::spawn(pending.watch(context.board.clone(), tell_joined));
    let retained = tokio::spawn(measure_log(context.board.clone(), connector));
    let waiting = tokio::spawn(show_waiting(
        context.board.clone(),
        publisher.status_reader(),
    ));
    let mut line = Line {
        translator,
        arenas,
        back,
        arena: Arena::default(),
        place: String::new(),
        history,
        commands,
        at: Some(from),
        joined,
        board: context.board.clone(),
    };
    let outcome = tokio::select! {
        ended = line.run(context, stream.as_mut()) => ended.map(|()| Ended::Anew),
        ended = publisher.finished() => {
            retained.abort();
            waiting.abort();
            pending.abort();
            return Err(match ended {
                Err(failure) => failure,
                Ok(()) => Failure::internal(&running::INTERNAL, "publishing ended by itself"),
            });
        }
        _ = stop.wait_for(|stop| *stop) => Ok(Ended::Stopped),
    };
    retained.abort();
    waiting.abort();
    pending.abort();
    // What was handed over is published whatever ended the reading: a row that stops the gateway
    // does not keep back the transactions before it.
    drop(line);
    match outcome {
        Ok(Ended::Stopped) => context.board.set(Phase::Draining),
        Ok(Ended::Anew) => context.board.set(Phase::Starting("anew, with more tables")),
        Err(_) => {}
    }
    match tokio::time::timeout(context.gateway.drain, publisher.finished()).await {
        Ok(Ok(())) => outcome,
        Ok(Err(failure)) => outcome.and(Err(failure)),
        Err(_) => {
            publisher.abandon();
            tracing::warn!(
                code = running::DRAIN_TIMED_OUT.id,
                "what was read could not be published in time; it is read again at the next start"
            );
            let _ = blocking(move || publisher.join()).await;
            outcome
        }
    }
}

/// The reading end: from the stream into arenas.
struct Line {
    translator: Translator,
    arenas: mpsc::Sender<Arena>,
    back: mpsc::Receiver<Arena>,
    arena: Arena,
    /// The place of the source transaction that was begun last, for failures.
    place: String,
    /// The runs over rows that were there already.
    history: History,
    /// What operators ask for.
    commands: mpsc::Receiver<Asked>,
    /// Where the log was read to, while no source transaction is open.
    at: Option<Position>,
    /// Becomes true when a table's changes are held that were not at the start.
    joined: watch::Receiver<bool>,
    board: Board,
}

impl Line {
    /// Reads, translates and hands over; ends by a failure, or between two source transactions
    /// once a table has joined: none is read twice because of it, however large.
    async fn run(&mut self, context: &Context, stream: &mut dyn Stream) -> Result<(), Failure> {
        let mut batch = Batch::default();
        let mut told: Option<Position> = None;
        let mut kept: Option<Position> = None;
        loop {
            if *self.joined.borrow()
                && let Some(at) = self.at.clone()
            {
                self.hand_over_held(&at).await;
                return Ok(());
            }
            if !self.next(stream, &mut batch).await? {
                continue;
            }
            if let Some(bytes) = batch.lag_bytes {
                context.board.lag(bytes);
            }
            let ends = batch
                .items
                .iter()
                .rposition(|i| *i == Item::Commit)
                .map_or(0, |n| n + 1);
            self.translate(&batch, 0..ends).await?;
            self.at = batch.position.clone().or(self.at.take());
            // Where the arena ends: at this batch's boundary, or still at an earlier one that was
            // not handed over because more was to come.
            let earlier = kept.take();
            let position = batch.position.take().or(earlier);
            if let Some(position) = position
                && (ends > 0 || told.as_ref() != Some(&position))
            {
                if !batch.more || self.history.waits() || self.arena.bytes.len() >= SOFT_BYTES {
                    self.arena.boundary = Some(position.0.clone());
                    self.hand_over().await;
                    told = Some(position);
                } else if ends == batch.items.len() {
                    kept = Some(position);
                }
            }
            self.release(stream).await?;
            if ends < batch.items.len() {
                self.at = None;
            }
            self.translate(&batch, ends..batch.items.len()).await?;
        }
    }

    /// The next batch. False where a chunk of a table came instead.
    async fn next(&mut self, stream: &mut dyn Stream, batch: &mut Batch) -> Result<bool, Failure> {
        let history = &mut self.history;
        let joined_before = *self.joined.borrow();
        // A chunk that waits for the log's end is not kept waiting by an idle one.
        let wait = if history.waits() { NUDGE_EVERY } else { WAIT };
        tokio::select! {
            biased;
            () = has_joined(&mut self.joined), if !joined_before => Ok(false),
            arrived = history.arrived() => {
                arrived?;
                self.release(stream).await?;
                Ok(false)
            }
            Some(command) = self.commands.recv() => {
                self.command(command).await;
                Ok(false)
            }
            read = stream.next(batch, wait) => {
                read?;
                Ok(true)
            }
        }
    }

    /// Carries a command out: its record goes into the Kafka transaction that is filled now.
    async fn command(&mut self, asked: Asked) {
        let command = match asked {
            Asked::Run(command) => command,
            Asked::Replay(replay) => return self.history.replay(replay),
        };
        if let Some(note) = self.history.command(command) {
            self.arena.notes.push(note);
            if let Some(at) = self.at.clone() {
                self.arena.boundary = Some(at.0);
                self.hand_over().await;
            }
        }
    }

    /// Hands over the chunks that may be published where the log stands.
    async fn release(&mut self, stream: &dyn Stream) -> Result<(), Failure> {
        let Some(at) = self.at.clone().filter(|_| self.history.active()) else {
            return Ok(());
        };
        // One at a time: live changes come between.
        if let Some(arenas) = self.history.release(&at)? {
            // What is still held comes first: it is older.
            self.hand_over_held(&at).await;
            let last = arenas.len() - 1;
            for (n, arena) in arenas.into_iter().enumerate() {
                self.arena = arena;
                self.arena.boundary = (n == last).then(|| at.0.clone());
                self.hand_over().await;
            }
        } else if self.history.waits() {
            stream.nudge();
        }
        Ok(())
    }

    async fn translate(&mut self, batch: &Batch, items: Range<usize>) -> Result<(), Failure> {
        let mut next = items.start;
        while next < items.end {
            let first = self.arena.records.len();
            let done = self
                .translator
                .apply(batch, next..items.end, &mut self.arena, HARD_BYTES);
            self.history.remember(&mut self.arena, first)?;
            let done = done.map_err(|stopped| {
                self.remember_place(batch, items.start..stopped.item() + 1);
                stopped.failure(&self.place)
            })?;
            next = done.next;
            if next < items.end || self.arena.bytes.len() >= HARD_BYTES {
                self.hand_over().await;
            }
        }
        self.remember_place(batch, items);
        Ok(())
    }

    fn remember_place(&mut self, batch: &Batch, items: Range<usize>) {
        let begun = batch.items[items].iter().rev().find_map(|item| match item {
            Item::Begin(begin) => Some(begin.place),
            _ => None,
        });
        if let Some(place) = begun {
            self.place.clear();
            self.place
                .push_str(&String::from_utf8_lossy(batch.slice(place)));
        }
    }

    /// Hands over what is held, if anything is, while no source transaction is open.
    async fn hand_over_held(&mut self, at: &Position) {
        let held = &self.arena;
        if held.rows > 0 || !held.records.is_empty() || !held.notes.is_empty() {
            self.arena.boundary = Some(at.0.clone());
            self.hand_over().await;
        }
    }

    async fn hand_over(&mut self) {
        let empty = self.back.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.arena, empty);
        let events = !full.records.is_empty();
        self.board.handed_over(events, full.boundary.as_ref());
        if self.arenas.send(full).await.is_err() {
            // The publisher has ended, and says why by its own way.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until a table has joined.
async fn has_joined(joined: &mut watch::Receiver<bool>) {
    if joined.wait_for(|joined| *joined).await.is_err() {
        std::future::pending().await
    }
}

/// Says what publishing waits for, also while nothing is read because of it.
async fn show_waiting(board: Board, publishing: Box<dyn Fn() -> PublisherStatus + Send>) {
    loop {
        board.waiting(publishing().waiting);
        tokio::time::sleep(WAITING_SHOWN_EVERY).await;
    }
}

async fn measure_log(board: Board, connector: Arc<dyn onramp_connector::Connector>) {
    // Twice soon, since a rate needs two.
    let mut pause = RETAINED_SOON;
    loop {
        if let Ok(Some(kept)) = connector.kept_log().await {
            board.log(kept);
        }
        tokio::time::sleep(pause).await;
        pause = RETAINED_EVERY;
    }
}
