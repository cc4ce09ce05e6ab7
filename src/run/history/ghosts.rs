//! Ghosts: keys whose last event says that there is such a thing, and the table no longer has it.
//!
//! When every row is published, a key of the topic that has no event behind the ends that were
//! noted when the run began is a ghost: whatever was published before those ends every chunk sees,
//! so its row, if there were one, would have been published again. Ghosts are looked for in passes,
//! each over the keys of one share, so that memory is bounded by configuration and not by the topic.
//! A pass ends in tombstones, less the keys that live changes touched since it began.

use onramp_connector::Position;
use onramp_event::{Arena, Origin, Record, RouteId, Span, Transaction, partition};
use onramp_publisher::{HistoryRecord, Kafka, scan};
use onramp_translator::Mapped;
use tokio::sync::{mpsc, watch};

use super::changed::ChangedKeys;
use super::pieces::Arrival;
use super::start::Parts;
use crate::run::attempt::blocking;

/// What a pass found.
pub(super) struct Pass {
    pub(super) product: String,
    found: Vec<Vec<u8>>,
    /// Where the next pass begins; None after the last.
    next: Option<scan::Share>,
}

/// What a search needs of the runs around it.
pub(super) struct Search<'s> {
    pub(super) index: usize,
    pub(super) parts: &'s Parts,
    pub(super) committed: &'s watch::Receiver<Option<Position>>,
    pub(super) arrive: &'s mpsc::UnboundedSender<Arrival>,
    pub(super) end: &'s watch::Sender<()>,
}

/// A product's ghosts, being looked for.
pub(super) struct Ghosts {
    product: String,
    quarantine: Option<String>,
    run: String,
    topic_ends: Vec<i64>,
    route: RouteId,
    partitions: i32,
    key_is_text: bool,
    limit_bytes: usize,
    share: scan::Share,
    /// How often the memory of changed keys had overflowed when the pass under way began.
    pass: Option<u64>,
    found: Option<Pass>,
}

impl Ghosts {
    pub(super) fn new(
        product: &str,
        record: &HistoryRecord,
        mapped: &Mapped,
        parts: &Parts,
    ) -> Ghosts {
        Ghosts {
            product: product.to_owned(),
            quarantine: mapped.product.quarantine_topic(),
            run: record.run.clone(),
            topic_ends: record.topic_ends.clone(),
            route: mapped.route,
            partitions: mapped.encoding.partitions,
            key_is_text: mapped.encoding.key_schema_id.is_none(),
            limit_bytes: parts.changed_keys_bytes,
            share: scan::Share::WHOLE,
            pass: None,
            found: None,
        }
    }

    pub(super) fn product(&self) -> &str {
        &self.product
    }

    pub(super) fn route(&self) -> RouteId {
        self.route
    }

    pub(super) fn arrived(&mut self, pass: Pass) {
        self.found = Some(pass);
    }

    /// Begins a pass, if none is under way: from here on the keys that live changes touch count.
    pub(super) fn search(
        &mut self,
        position: &Position,
        changed: &mut ChangedKeys,
        around: &Search<'_>,
    ) {
        if self.pass.is_some() {
            return;
        }
        changed.unwatch(self.route);
        changed.watch(self.route);
        self.pass = Some(changed.overflows());
        let kafka = around.parts.kafka.clone();
        let connector = around.parts.connector.clone();
        let (arrive, index) = (around.arrive.clone(), around.index);
        let (mut committed, mut end) = (around.committed.clone(), around.end.subscribe());
        let (product, ends) = (self.product.clone(), self.topic_ends.clone());
        let quarantine = self.quarantine.clone();
        let (share, limit, position) = (self.share, self.limit_bytes, position.clone());
        tokio::spawn(async move {
            let pass = async {
                // What was handed over before the pass must be in the topic that it reads.
                let there = |at: &Option<Position>| {
                    let at = at
                        .as_ref()
                        .and_then(|at| connector.compare(at, &position).ok());
                    matches!(at.flatten(), Some(o) if o.is_ge())
                };
                if committed.wait_for(there).await.is_err() {
                    return None;
                }
                Some(look(kafka, product, quarantine, ends, share, limit).await)
            };
            let pass = tokio::select! {
                pass = pass => pass,
                _ = end.changed() => None,
            };
            // Nobody listens where the attempt has ended.
            let _ = match pass {
                None => Ok(()),
                Some(Ok(pass)) => arrive.send(Arrival::Ghosts(index, pass)),
                Some(Err(failure)) => arrive.send(Arrival::Failed(failure)),
            };
        });
    }

    /// The tombstones of a pass that has ended, and whether it was the last; None where there is
    /// none.
    pub(super) fn release(&mut self, changed: &ChangedKeys) -> Option<(Arena, bool)> {
        let found = self.found.take()?;
        if self.pass.take() != Some(changed.overflows()) {
            // Changed keys were forgotten: this share is looked at again.
            return None;
        }
        let mut arena = Arena::default();
        let run = arena.push(self.run.as_bytes());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        arena.transactions.push(Transaction {
            replayed: None,
            origin: Origin::Snapshot,
            place: run,
            id: run,
            committed_at_us: now.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
        });
        for key in &found.found {
            if changed.by(self.route, key).is_some() {
                continue;
            }
            let span = arena.push(key);
            let ordinal = arena.records.len() as u64;
            arena.records.push(Record {
                route: self.route,
                r#type: 0,
                partition: partition(key, self.partitions),
                transaction: 0,
                ordinal,
                key: span,
                subject: if self.key_is_text {
                    span
                } else {
                    Span::default()
                },
                value: None,
                id: None,
                at_us: None,
                headers: Span::default(),
                row: Span::default(),
            });
        }
        tracing::info!(product = %self.product, tombstones = arena.records.len(), "keys that the table no longer has");
        match found.next {
            None => Some((arena, true)),
            Some(next) => {
                self.share = next;
                Some((arena, false))
            }
        }
    }
}

async fn look(
    kafka: Kafka,
    product: String,
    quarantine: Option<String>,
    ends: Vec<i64>,
    share: scan::Share,
    limit_bytes: usize,
) -> Result<Pass, onramp_finding::Failure> {
    let topic = product.clone();
    let (found, next) = blocking(move || {
        // A row in quarantine is there, though nothing was published of it.
        let except = quarantine.as_deref();
        scan::older(&kafka, &topic, except, &ends, share, limit_bytes)
    })
    .await?;
    Ok(Pass {
        product,
        found,
        next,
    })
}
