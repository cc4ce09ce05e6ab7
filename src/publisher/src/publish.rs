//! The publisher as its caller has it: what it is made of, what it tells, how it ends. The work
//! itself is next door, in `work`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use onramp_event::{Arena, Route};
use onramp_finding::Failure;
use onramp_finding::codes::running::INTERNAL;
use tokio::sync::{mpsc, oneshot};

use crate::client::Kafka;
use crate::producer::TransactionalProducer;
use crate::progress::{ProductState, product_record};
use crate::topics::{Pinned, check_pinned};
use crate::work::Work;

/// How often a waiting thread looks around.
pub(crate) const LOOK: Duration = Duration::from_millis(250);

/// How often topics are looked at for having been replaced.
const PIN_CHECK: Duration = Duration::from_secs(5);

/// What stands in every position record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The gateway.
    pub gateway: String,
    /// The source's identity.
    pub system: String,
    /// The branch of its history.
    pub branch: String,
    /// This process.
    pub instance: String,
}

/// A committed Kafka transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Everything up to here is published; the source may forget it.
    pub position: Arc<str>,
    /// Events in it, progress not counted.
    pub events: u64,
    /// Their keys, values and headers.
    pub bytes: u64,
    /// Rows of the log behind it.
    pub rows: u64,
    /// When the last source transaction in it had committed, in microseconds since 1970.
    pub source_commit_us: Option<i64>,
    /// The records of progress in it, key and value, in order; the position's own is not counted.
    pub notes: Vec<(String, String)>,
    /// How long the commit itself took.
    pub took: Duration,
    /// How long the transaction was open, the commit included.
    pub open: Duration,
}

/// What a publisher is made of.
pub struct PublisherParts {
    /// The control client, for looking after topics.
    pub kafka: Kafka,
    /// The producer; it has fenced the others, and progress was read after that.
    pub producer: TransactionalProducer,
    /// The topics of this run, by [`onramp_event::RouteId`].
    pub routes: Arc<[Route]>,
    /// What stands in every position record.
    pub origin: Origin,
    /// The position after which the arenas begin.
    pub from: Arc<str>,
    /// Products' states that go into the first transaction.
    pub states: Vec<(String, ProductState)>,
    /// Further records of progress that go into the first transaction, key and value.
    pub notes: Vec<(String, String)>,
    /// The topics that must stay the ones they are.
    pub pinned: Vec<Pinned>,
    /// Events to publish. Closing it ends the publisher: what ends at a boundary is committed.
    pub arenas: mpsc::Receiver<Arena>,
    /// Where emptied arenas go; when it is full or closed they are dropped.
    pub back: mpsc::Sender<Arena>,
    /// Called on the publishing thread after each commit; quick, never blocks.
    pub on_commit: Box<dyn FnMut(&Committed) + Send>,
}

/// What the publisher does at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Why it waits on Kafka, when it does for longer than a second.
    pub waiting: Option<String>,
    /// Commits so far.
    pub commits: u64,
}

/// A running publishing thread.
pub struct Publisher {
    done: oneshot::Receiver<Result<(), Failure>>,
    shared: Arc<Shared>,
}

/// What the threads of a publisher share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    pub(crate) status: Mutex<Status>,
    /// What the watch over topics found.
    pub(crate) replaced: Mutex<Option<Failure>>,
    pub(crate) any_replaced: AtomicBool,
    /// Records of progress that are to be written soon, key and value.
    pub(crate) noted: Mutex<Vec<(String, String)>>,
    pub(crate) any_noted: AtomicBool,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Plain data, whole whatever happened to the thread that held it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Publisher {
    /// Starts the thread, and another that looks after the pinned topics.
    pub fn spawn(mut parts: PublisherParts) -> Result<Publisher, Failure> {
        let no_thread =
            |e: std::io::Error| Failure::internal(&INTERNAL, format!("no thread to publish: {e}"));
        parts.producer.attach(&parts.routes)?;
        let shared = Arc::new(Shared::default());
        let (tell, done) = oneshot::channel();
        let timer = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(no_thread)?;
        if !parts.pinned.is_empty() {
            let (shared, kafka) = (shared.clone(), parts.kafka.clone());
            let pinned = std::mem::take(&mut parts.pinned);
            std::thread::Builder::new()
                .name("kafka-topics".into())
                .spawn(move || look_after(&shared, &kafka, &pinned))
                .map_err(no_thread)?;
        }
        let mut work = Work::new(parts, timer, shared.clone());
        std::thread::Builder::new()
            .name("publisher".into())
            .spawn(move || {
                let ended = work.run();
                work.stopped();
                // Whoever waits gets it only once the producer is gone and can be followed.
                drop(work);
                let _ = tell.send(ended);
            })
            .map_err(no_thread)?;
        Ok(Publisher { done, shared })
    }

    /// Waits for its end: well after the arenas' channel was closed, or with the failure that
    /// ended it. The producer is gone by then. Cancelling it loses nothing.
    pub async fn finished(&mut self) -> Result<(), Failure> {
        match (&mut self.done).await {
            Ok(ended) => ended,
            Err(_) => Err(Failure::internal(&INTERNAL, "the publishing thread died")),
        }
    }

    /// The same for a thread that may block.
    pub fn join(self) -> Result<(), Failure> {
        match self.done.blocking_recv() {
            Ok(ended) => ended,
            Err(_) => Err(Failure::internal(&INTERNAL, "the publishing thread died")),
        }
    }

    /// Ends it now: what is not committed is aborted.
    pub fn abandon(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Puts a product's state into the next transaction, which is committed soon.
    ///
    /// When the publisher fails before that it is lost: the caller starts over from progress.
    pub fn note(&self, product: &str, state: &ProductState) {
        self.write(product_record(product, state));
    }

    /// The same for any record of progress, key and value.
    pub fn write(&self, note: (String, String)) {
        locked(&self.shared.noted).push(note);
        self.shared.any_noted.store(true, Ordering::Release);
    }

    /// What it does at the moment.
    pub fn status(&self) -> Status {
        locked(&self.shared.status).clone()
    }

    /// The same for somebody else to ask.
    pub fn status_reader(&self) -> Box<dyn Fn() -> Status + Send> {
        let shared = self.shared.clone();
        Box::new(move || locked(&shared.status).clone())
    }
}

/// Looks every few seconds whether the topics are still the ones that were pinned.
fn look_after(shared: &Shared, kafka: &Kafka, pinned: &[Pinned]) {
    let mut looked = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if looked.elapsed() < PIN_CHECK {
            continue;
        }
        looked = Instant::now();
        match check_pinned(kafka, pinned) {
            Ok(()) => {}
            Err(failure) if failure.retry => {
                tracing::debug!(%failure, "topics could not be looked at");
            }
            Err(failure) => {
                *locked(&shared.replaced) = Some(failure);
                shared.any_replaced.store(true, Ordering::Release);
                return;
            }
        }
    }
}
