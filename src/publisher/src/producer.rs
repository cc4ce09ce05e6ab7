//! The transactional producer: one a gateway, discarded after any trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use onramp_event::Route;
use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::client::Kafka;
use crate::context::Watch;
use crate::native::{self, HeaderList, NativeError, Outgoing, Topic};
use crate::settings::refused;
use crate::{progress, trouble};

/// How long one native call waits before we look around.
const SLICE: Duration = Duration::from_millis(500);

/// How often a full queue is tried again: it drains thousands of events in that time.
const FULL_QUEUE_PAUSE: Duration = Duration::from_micros(300);

/// How long an abort may take; what is not aborted by then the next start's fencing aborts.
/// Short, since a gateway that was told to stop waits for it.
const ABORT_PATIENCE: Duration = Duration::from_secs(2);

/// A producer whose transactions are begun, and which fenced all earlier ones of its gateway.
pub struct TransactionalProducer {
    // Before the client: handles are given back while it lives.
    topics: Vec<Topic>,
    progress: Topic,
    /// Topic and product of each route.
    names: Vec<(String, String)>,
    client: Arc<BaseProducer<Watch>>,
    watch: Watch,
    polling: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
    /// How long a transaction may last.
    timeout: Duration,
}

impl std::fmt::Debug for TransactionalProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransactionalProducer")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A producer that is connected and has fenced nobody yet.
///
/// It is made well before it is needed: a client that looks for its coordinator in the moment of
/// connecting looks again only after half a second.
#[derive(Debug)]
pub struct WaitingProducer {
    producer: TransactionalProducer,
    patience: Duration,
}

impl WaitingProducer {
    /// Creates the producer `onramp_<gateway>`, whose transactions may last `timeout`.
    pub fn connect(
        kafka: &Kafka,
        gateway: &str,
        timeout: Duration,
    ) -> Result<WaitingProducer, Failure> {
        let patience = kafka.settings.patience;
        let producer = TransactionalProducer::create(kafka, gateway, timeout)?;
        // Whether it is answered, and in time, shows when the producer is needed.
        let client = producer.client.client();
        let _ = client.fetch_metadata(Some(&progress::topic(gateway)), patience);
        Ok(WaitingProducer { producer, patience })
    }

    /// Initialises transactions: every earlier producer of the gateway is fenced from here on,
    /// what it had open is aborted.
    pub fn take_over(self) -> Result<TransactionalProducer, Failure> {
        self.producer.init(self.patience)?;
        Ok(self.producer)
    }
}

impl TransactionalProducer {
    fn create(
        kafka: &Kafka,
        gateway: &str,
        timeout: Duration,
    ) -> Result<TransactionalProducer, Failure> {
        let watch = Watch::default();
        let id = format!("onramp_{gateway}");
        let config = kafka.settings.producer(&id, timeout);
        let client = BaseProducer::from_config_and_context(&config, watch.clone())
            .map_err(|e| refused(&e))?;
        let client = Arc::new(client);
        let topic = progress::topic(gateway);
        let progress = Topic::new(client.client(), &topic).ok_or_else(|| bad_name(&topic))?;
        let polling = Arc::new(AtomicBool::new(true));
        let poller = std::thread::Builder::new()
            .name("kafka-poll".into())
            .spawn({
                let (client, polling) = (client.clone(), polling.clone());
                move || {
                    while polling.load(Ordering::Relaxed) {
                        client.poll(Duration::from_millis(100));
                    }
                }
            })
            .map_err(|e| {
                Failure::internal(
                    &onramp_finding::codes::running::INTERNAL,
                    format!("no thread for Kafka's events: {e}"),
                )
            })?;
        Ok(TransactionalProducer {
            topics: Vec::new(),
            progress,
            names: Vec::new(),
            client,
            watch,
            polling,
            poller: Some(poller),
            timeout,
        })
    }

    fn init(&self, patience: Duration) -> Result<(), Failure> {
        let doing = "initialising transactions";
        let started = Instant::now();
        loop {
            let Err(error) = native::init(self.client.client(), SLICE) else {
                return Ok(());
            };
            // The coordinator may first have to end what an earlier producer left open.
            let waiting = error.retriable && self.watch.seen().refused.is_none();
            if !waiting || started.elapsed() >= patience.max(Duration::from_secs(30)) {
                return Err(self.explain(error, doing));
            }
        }
    }

    /// How long a transaction may last.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Takes handles of the routes' topics, so that no event is looked up by name.
    pub(crate) fn attach(&mut self, routes: &[Route]) -> Result<(), Failure> {
        self.topics.clear();
        for route in routes {
            let topic = Topic::new(self.client.client(), &route.topic);
            self.topics
                .push(topic.ok_or_else(|| bad_name(&route.topic))?);
        }
        self.names = routes
            .iter()
            .map(|r| (r.topic.clone(), r.product.clone()))
            .collect();
        Ok(())
    }

    /// Begins a transaction; does not wait.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        native::begin(self.client.client()).map_err(|e| self.explain(e, "beginning a transaction"))
    }

    /// Puts an event into the queue, waiting for room as long as `still` allows.
    #[inline]
    pub(crate) fn send(
        &self,
        route: usize,
        event: Event<'_>,
        still: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.enqueue(&self.topics[route], event, Some(route), still)
    }

    /// Puts a record of progress into the queue; an empty value takes the record away.
    pub(crate) fn send_progress(
        &self,
        key: &str,
        value: &str,
        still: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let event = Event {
            partition: 0,
            key: key.as_bytes(),
            value: Some(value.as_bytes()).filter(|value| !value.is_empty()),
            // Now, as the client has it.
            timestamp_ms: 0,
            headers: None,
        };
        self.enqueue(&self.progress, event, None, still)
    }

    #[inline]
    fn enqueue(
        &self,
        topic: &Topic,
        event: Event<'_>,
        route: Option<usize>,
        still: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let message = Outgoing {
            topic,
            partition: event.partition,
            key: event.key,
            value: event.value,
            timestamp_ms: event.timestamp_ms,
        };
        let mut headers = event.headers;
        loop {
            match native::produce(self.client.client(), &message, headers) {
                Ok(()) => return Ok(()),
                Err((RDKafkaErrorCode::QueueFull, back)) => {
                    headers = back;
                    still()?;
                    std::thread::sleep(FULL_QUEUE_PAUSE);
                }
                Err((code, _)) => {
                    let mut failure = self.explain_code(code, "publishing an event");
                    if let (Some(route), Some(finding)) = (route, failure.findings.first_mut()) {
                        finding.product.get_or_insert(self.names[route].1.clone());
                    }
                    return Err(failure);
                }
            }
        }
    }

    /// Commits, asking `still` every half second whether to go on waiting.
    pub(crate) fn commit(
        &self,
        still: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let Err(error) = native::commit(self.client.client(), SLICE) else {
                return Ok(());
            };
            if !error.retriable || error.abort || error.fatal {
                return Err(self.explain(error, "committing a transaction"));
            }
            still()?;
        }
    }

    /// Aborts what is open, as far as it goes: what is left open the next start's fencing ends.
    pub(crate) fn abort(&self) {
        let started = Instant::now();
        while started.elapsed() < ABORT_PATIENCE {
            match native::abort(self.client.client(), SLICE) {
                Ok(()) => return,
                Err(error) if error.retriable && !error.fatal => {}
                Err(error) => {
                    tracing::debug!(code = ?error.code, "transaction not aborted by its producer");
                    return;
                }
            }
        }
    }

    /// Trouble seen in the background, if any.
    pub(crate) fn background(&self) -> Option<Failure> {
        let fatal = self.client.client().fatal_error().is_some();
        (fatal || self.watch.any_undelivered())
            .then(|| self.explain_code(RDKafkaErrorCode::State, "publishing events"))
    }

    fn explain(&self, error: NativeError, doing: &str) -> Failure {
        self.explain_code(error.code, doing)
    }

    /// The cause behind a code: once something failed, every later call fails with less to say.
    fn explain_code(&self, code: RDKafkaErrorCode, doing: &str) -> Failure {
        if let Some((code, _)) = self.client.client().fatal_error() {
            return trouble::failure(code, doing, Place::Nowhere);
        }
        if let Some((topic, code)) = self.watch.seen().undelivered {
            let mut failure = trouble::failure(code, doing, Place::Kafka(format!("topic {topic}")));
            let product = self.names.iter().find(|(name, _)| *name == topic);
            if let (Some((_, product)), Some(finding)) = (product, failure.findings.first_mut()) {
                finding.product = Some(product.clone());
            }
            return failure;
        }
        trouble::explained(
            trouble::failure(code, doing, Place::Nowhere),
            &self.watch,
            doing,
        )
    }
}

impl Drop for TransactionalProducer {
    fn drop(&mut self) {
        self.polling.store(false, Ordering::Relaxed);
        if let Some(poller) = self.poller.take() {
            // It ends within one poll; a panic in it was ours to see, and is no reason for another.
            let _ = poller.join();
        }
    }
}

/// An event, ready to go.
pub(crate) struct Event<'a> {
    pub(crate) partition: i32,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp_ms: i64,
    pub(crate) headers: Option<HeaderList>,
}

fn bad_name(topic: &str) -> Failure {
    Failure::stop(
        Kind::Configuration,
        Finding::error(
            &codes::TOPIC_NOT_CREATED,
            Place::Kafka(format!("topic {topic}")),
            "no topic can have this name",
        ),
    )
}
