//! Waiting on Kafka without silence and without end.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use onramp_finding::codes::kafka as codes;
use onramp_finding::codes::running::INTERNAL;
use onramp_finding::{Failure, Finding, Kind, Place};

use crate::producer::TransactionalProducer;
use crate::publish::{LOOK, Shared, locked};

/// Waiting on Kafka: told to whoever asks, and bounded by the transaction's time-out.
pub(crate) struct Waits<'a> {
    shared: &'a Shared,
    producer: &'a TransactionalProducer,
    since: Instant,
    allowed: Duration,
    waiting: Option<Instant>,
    told: bool,
}

impl<'a> Waits<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        producer: &'a TransactionalProducer,
        since: Instant,
        allowed: Duration,
    ) -> Self {
        Waits {
            shared,
            producer,
            since,
            allowed,
            waiting: None,
            told: false,
        }
    }

    /// Something was taken: a wait, if one was on, is over.
    #[inline]
    pub(crate) fn anew(&mut self) {
        if self.told {
            self.done();
        }
        self.waiting = None;
    }

    pub(crate) fn done(&mut self) {
        if self.told {
            self.told = false;
            locked(&self.shared.status).waiting = None;
            tracing::info!("Kafka takes events again");
        }
    }

    pub(crate) fn full(&mut self) -> Result<(), Failure> {
        self.wait("Kafka takes no events: the client's queue is full")
    }

    pub(crate) fn commit(&mut self) -> Result<(), Failure> {
        self.wait("a commit is not answered")
    }

    fn wait(&mut self, why: &'static str) -> Result<(), Failure> {
        if self.shared.stop.load(Ordering::Relaxed) {
            return Err(Failure::internal(&INTERNAL, "asked to stop"));
        }
        if let Some(failure) = self.producer.background() {
            return Err(failure);
        }
        let waiting = self.waiting.get_or_insert_with(Instant::now).elapsed();
        if waiting >= Duration::from_secs(1) && !self.told {
            self.told = true;
            let last = self.producer.watch().seen().last;
            let text = last.map_or(why.to_owned(), |last| format!("{why} ({last})"));
            tracing::warn!(reason = text, "waiting for Kafka");
            locked(&self.shared.status).waiting = Some(text);
        }
        // A transaction that merely takes long is told elsewhere, between two arenas; one that
        // stands still is the brokers' trouble, and passes.
        let still = (self.allowed / 4).min(Duration::from_secs(60));
        if waiting >= still || (waiting >= LOOK && self.since.elapsed() >= self.allowed) {
            let stalled = Finding::error(&codes::STALLED, Place::Nowhere, why)
                .because(codes::STALLED.reason)
                .remedy(codes::STALLED.remedy);
            return Err(Failure::retry(Kind::Broker, stalled));
        }
        Ok(())
    }
}
