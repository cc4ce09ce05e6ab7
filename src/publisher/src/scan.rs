//! Reading a product's topic for what it says of its keys: where its partitions end, and which keys
//! have no event behind a place.

use std::collections::HashSet;
use std::time::Instant;

use onramp_finding::{Failure, Place};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Kafka;
use crate::context::Watch;
use crate::publish::LOOK;
use crate::settings::refused;
use crate::trouble;

/// What a key takes in memory beside its bytes, roughly.
const ENTRY_BYTES: usize = 64;

/// A share of all keys: those whose hash, by `of`, is `part`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    part: u32,
    of: u32,
}

impl Share {
    /// All keys.
    pub const WHOLE: Share = Share { part: 0, of: 1 };

    fn has(self, key: &[u8]) -> bool {
        // FNV-1a: another hash than the one that spreads keys over partitions.
        let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
        });
        // Its bits are mixed once more: short keys differ in few of them.
        let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed >> 32) % u64::from(self.of) == u64::from(self.part)
    }

    /// Half of it; the other half follows.
    fn halved(self) -> Share {
        Share {
            part: self.part,
            of: self.of.saturating_mul(2),
        }
    }

    /// The share after it.
    fn next(self) -> Option<Share> {
        let part = self.part + 1;
        (part < self.of).then_some(Share { part, ..self })
    }
}

fn consumer(kafka: &Kafka) -> Result<BaseConsumer<Watch>, Failure> {
    let config = kafka.settings.reader(true);
    BaseConsumer::from_config_and_context(&config, kafka.watch().clone()).map_err(|e| refused(&e))
}

/// Where the partitions of a topic end for a read-committed consumer, by partition.
pub fn ends(kafka: &Kafka, topic: &str) -> Result<Vec<i64>, Failure> {
    ends_of(kafka, &consumer(kafka)?, topic)
}

fn ends_of(
    kafka: &Kafka,
    consumer: &BaseConsumer<Watch>,
    topic: &str,
) -> Result<Vec<i64>, Failure> {
    let failed = |e| {
        let place = Place::Kafka(format!("topic {topic}"));
        trouble::of(&e, "reading a topic's ends", place)
    };
    let patience = kafka.settings.patience;
    let metadata = consumer.fetch_metadata(Some(topic), patience);
    let metadata = metadata.map_err(failed)?;
    let count = metadata
        .topics()
        .first()
        .map_or(0, |t| t.partitions().len());
    (0..count as i32)
        .map(|partition| {
            let marks = consumer.fetch_watermarks(topic, partition, patience);
            Ok(marks.map_err(failed)?.1)
        })
        .collect()
}

/// The keys of a share whose last event lies before `ends` and is no tombstone, and the share that
/// is to be asked for next. No more than `limit_bytes` are held: where they would be, the share is
/// halved and begun again. Keys that `except`, another topic, has are none of them.
pub fn older(
    kafka: &Kafka,
    topic: &str,
    except: Option<&str>,
    ends: &[i64],
    mut share: Share,
    limit_bytes: usize,
) -> Result<(Vec<Vec<u8>>, Option<Share>), Failure> {
    let before = |partition: i32| ends.get(partition as usize).copied().unwrap_or(0);
    loop {
        let found = pass(kafka, topic, &before, share, limit_bytes)?;
        let excepted = match except {
            Some(except) => pass(kafka, except, &|_| i64::MAX, share, limit_bytes)?,
            None => Some(HashSet::new()),
        };
        match (found, excepted) {
            (Some(mut found), Some(excepted)) => {
                found.retain(|key| !excepted.contains(key));
                return Ok((found.into_iter().collect(), share.next()));
            }
            _ => share = share.halved(),
        }
    }
}

/// None where there are more keys than fit.
fn pass(
    kafka: &Kafka,
    topic: &str,
    before: &dyn Fn(i32) -> i64,
    share: Share,
    limit_bytes: usize,
) -> Result<Option<HashSet<Vec<u8>>>, Failure> {
    let doing = "reading a product's topic";
    let place = || Place::Kafka(format!("topic {topic}"));
    let consumer = consumer(kafka)?;
    let until = ends_of(kafka, &consumer, topic)?;
    let mut left: HashSet<i32> = (0..until.len() as i32)
        .filter(|p| until[*p as usize] > 0)
        .collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &left {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .map_err(|e| trouble::of(&e, doing, place()))?;
    }
    consumer
        .assign(&assignment)
        .map_err(|e| trouble::of(&e, doing, place()))?;
    let (mut found, mut bytes) = (HashSet::new(), 0);
    let mut quiet_since = Instant::now();
    while !left.is_empty() {
        match consumer.poll(LOOK) {
            Some(Ok(message)) => {
                quiet_since = Instant::now();
                let partition = message.partition();
                if message.offset() + 1 >= until[partition as usize] {
                    left.remove(&partition);
                }
                let key = message.key().unwrap_or_default();
                if message.offset() >= until[partition as usize] || !share.has(key) {
                    continue;
                }
                let live = message.offset() < before(partition) && message.payload().is_some();
                if live {
                    if found.insert(key.to_vec()) {
                        bytes += key.len() + ENTRY_BYTES;
                    }
                } else if found.remove(key) {
                    bytes -= key.len() + ENTRY_BYTES;
                }
                if bytes > limit_bytes {
                    return Ok(None);
                }
            }
            // A partition may end in markers, which no message shows.
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                quiet_since = Instant::now();
                left.remove(&partition);
            }
            Some(Err(error))
                if error.rdkafka_error_code()
                    == Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {}
            Some(Err(error)) => {
                let failure = trouble::of(&error, doing, place());
                if !failure.retry || quiet_since.elapsed() >= kafka.settings.patience {
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
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_every_key_once() {
        let mut all = Vec::new();
        let mut share = Some(Share::WHOLE.halved().halved());
        while let Some(now) = share {
            all.push(now);
            share = now.next();
        }
        assert_eq!(all.len(), 4);
        for n in 0..1000_u32 {
            let key = n.to_be_bytes();
            assert_eq!(all.iter().filter(|s| s.has(&key)).count(), 1);
        }
        for share in all {
            let many = (0..1000_u32).filter(|n| share.has(&n.to_string().into_bytes()));
            assert!((150..350).contains(&many.count()), "a fair share");
        }
    }

    #[test]
    fn a_halved_share_is_followed_by_the_rest() {
        let first = Share { part: 1, of: 4 };
        // Halved, part 1 of 8 and part 5 of 8 are what part 1 of 4 was.
        let keys: Vec<String> = (0..500).map(|n| format!("k{n}")).collect();
        let of = |s: Share| keys.iter().filter(|k| s.has(k.as_bytes())).count();
        assert_eq!(of(first), of(first.halved()) + of(Share { part: 5, of: 8 }));
    }
}
