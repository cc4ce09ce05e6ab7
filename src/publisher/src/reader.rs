//! Reading a topic of one partition from an offset to its end, once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Kafka;
use crate::context::Watch;
use crate::settings::{KafkaSettings, refused};
use crate::trouble;

/// What a record of ours is bounded by; more is somebody else's.
const RECORD_BYTES: usize = 1 << 20;

/// A record, as read.
pub(crate) struct Entry<'a> {
    pub(crate) offset: i64,
    pub(crate) key: &'a [u8],
    /// None is a tombstone.
    pub(crate) value: Option<&'a [u8]>,
}

/// Whose records are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    Committed,
    Uncommitted,
}

/// A consumer for each isolation, made with the connection itself: to make one for each question
/// would cost a start a connection, a look for the leader and a leave-taking each time.
pub(crate) struct Readers {
    committed: Mutex<BaseConsumer<Watch>>,
    uncommitted: Mutex<BaseConsumer<Watch>>,
}

impl Readers {
    pub(crate) fn new(settings: &KafkaSettings, watch: &Watch) -> Result<Readers, Failure> {
        let consumer = |committed: bool| {
            let config = settings.reader(committed);
            BaseConsumer::from_config_and_context(&config, watch.clone())
                .map(Mutex::new)
                .map_err(|e| refused(&e))
        };
        Ok(Readers {
            committed: consumer(true)?,
            uncommitted: consumer(false)?,
        })
    }

    /// Hears what happened to consumers that are not in use, so that it does not pile up.
    pub(crate) fn listen(&self) {
        for consumer in [&self.committed, &self.uncommitted] {
            let Ok(consumer) = consumer.try_lock() else {
                continue;
            };
            // Without an assignment there is nothing but news of connections, which the context
            // has taken.
            while consumer.poll(Duration::ZERO).is_some() {}
        }
    }

    /// One read at a time: a consumer has one assignment.
    fn of(&self, isolation: Isolation) -> MutexGuard<'_, BaseConsumer<Watch>> {
        let consumer = match isolation {
            Isolation::Committed => &self.committed,
            Isolation::Uncommitted => &self.uncommitted,
        };
        // Each read begins with an assignment of its own, whatever the last one left.
        consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The partition's end: `Uncommitted` gives the high watermark, `Committed` the last stable
/// offset.
pub(crate) fn end(kafka: &Kafka, topic: &str, isolation: Isolation) -> Result<i64, Failure> {
    let consumer = kafka.readers().of(isolation);
    Ok(extent(kafka, &consumer, topic)?.1)
}

/// The partition's first offset and its end.
///
/// It also tells the client who leads the partition. A consumer that is given a partition whose
/// leader it does not know looks again only after half a second.
fn extent(
    kafka: &Kafka,
    consumer: &BaseConsumer<Watch>,
    topic: &str,
) -> Result<(i64, i64), Failure> {
    let started = Instant::now();
    loop {
        match consumer.fetch_watermarks(topic, 0, Duration::from_secs(5)) {
            Ok(extent) => return Ok(extent),
            Err(error) => {
                let place = Place::Kafka(format!("topic {topic}"));
                let failure = trouble::of(&error, "reading the topic's end", place);
                // A topic made just now may have no leader yet.
                let fresh = failure.retry || failure.findings[0].code == &codes::TOPIC_MISSING;
                if !fresh || started.elapsed() >= kafka.settings.patience {
                    return Err(trouble::explained(
                        failure,
                        kafka.watch(),
                        "reading its end",
                    ));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Reads every record from offset `from` to the end that is found, oldest first; the offset from
/// which a later reading goes on.
pub(crate) fn read(
    kafka: &Kafka,
    topic: &str,
    isolation: Isolation,
    from: i64,
    mut each: impl FnMut(&Entry<'_>) -> Result<(), Failure>,
) -> Result<i64, Failure> {
    let place = || Place::Kafka(format!("topic {topic}"));
    let doing = "reading a topic of the gateway's own";
    let consumer = kafka.readers().of(isolation);
    let (first, end) = extent(kafka, &consumer, topic)?;
    let mut next = from.max(first);
    if next >= end {
        return Ok(next);
    }
    let _assigned =
        Assigned::new(&consumer, topic, next).map_err(|e| trouble::of(&e, doing, place()))?;
    let mut quiet_since = Instant::now();
    loop {
        match consumer.poll(Duration::from_millis(250)) {
            Some(Ok(message)) => {
                quiet_since = Instant::now();
                let size = message.key_len() + message.payload_len();
                if size > RECORD_BYTES {
                    return Err(Failure::stop(
                        Kind::Broker,
                        Finding::error(
                            &codes::PROGRESS_DAMAGED,
                            place(),
                            format!("a record at offset {} is too large", message.offset()),
                        )
                        .remedy(codes::PROGRESS_DAMAGED.remedy),
                    ));
                }
                each(&Entry {
                    offset: message.offset(),
                    key: message.key().unwrap_or_default(),
                    value: message.payload(),
                })?;
                next = message.offset() + 1;
                if next >= end {
                    return Ok(next);
                }
            }
            // What is left up to the end are transactions' markers.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(next),
            // No group is joined, so that its rights do not matter.
            Some(Err(error))
                if error.rdkafka_error_code()
                    == Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {}
            Some(Err(error)) => {
                let failure = trouble::of(&error, doing, place());
                let fresh = failure.retry || failure.findings[0].code == &codes::TOPIC_MISSING;
                if !fresh || quiet_since.elapsed() >= kafka.settings.patience {
                    return Err(trouble::explained(failure, kafka.watch(), doing));
                }
            }
            None if quiet_since.elapsed() >= kafka.settings.patience => {
                let silent = trouble::failure(RDKafkaErrorCode::OperationTimedOut, doing, place());
                return Err(trouble::explained(silent, kafka.watch(), doing));
            }
            None => {}
        }
    }
}

/// A consumer's assignment, taken back in the end: a consumer that waits for its next read fetches
/// nothing.
struct Assigned<'a>(&'a BaseConsumer<Watch>);

impl<'a> Assigned<'a> {
    fn new(
        consumer: &'a BaseConsumer<Watch>,
        topic: &str,
        from: i64,
    ) -> Result<Assigned<'a>, KafkaError> {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, 0, Offset::Offset(from))?;
        consumer.assign(&assignment)?;
        Ok(Assigned(consumer))
    }
}

impl Drop for Assigned<'_> {
    fn drop(&mut self) {
        // The next read assigns anew, whatever becomes of this.
        let _ = self.0.unassign();
    }
}
