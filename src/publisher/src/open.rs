//! The open Kafka transaction: what it holds, since when, and what is told where its time runs out.

use std::time::{Duration, Instant};

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

pub(crate) struct Open {
    pub(crate) since: Instant,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    looked: Instant,
    unattended: Duration,
}

impl Open {
    pub(crate) fn begun() -> Open {
        let now = Instant::now();
        Open {
            since: now,
            events: 0,
            bytes: 0,
            looked: now,
            unattended: Duration::ZERO,
        }
    }

    /// It is looked after, as it is between any two arenas.
    pub(crate) fn look(&mut self) {
        self.unattended = self.unattended.max(self.looked.elapsed());
        self.looked = Instant::now();
    }

    /// Whether time ran out because this process did not run: a paused container, a suspended
    /// machine. Its source transaction is not too long then; it fits the next time.
    pub(crate) fn stood_still(&self, allowed: Duration) -> bool {
        self.since.elapsed() >= allowed && self.unattended >= allowed / 2
    }

    pub(crate) fn aborted(&self) -> Failure {
        let message = format!(
            "this process stood still for {:.0} s while a transaction was open",
            self.unattended.as_secs_f64()
        );
        let finding = Finding::error(&codes::ABORTED, Place::Nowhere, message)
            .because(codes::ABORTED.reason)
            .remedy("look at what froze it: a paused container, a suspended machine, a CPU limit");
        Failure::retry(Kind::Broker, finding)
    }

    pub(crate) fn too_long(&self, after: &str, remedy: String) -> Failure {
        let seconds = self.since.elapsed().as_secs_f64().max(0.001);
        let message = format!(
            "a source transaction after position {after} is not published within {seconds:.0} s: {} events, {} bytes so far, {:.0} events/s",
            self.events,
            self.bytes,
            self.events as f64 / seconds
        );
        let finding = Finding::error(&codes::TOO_LONG, Place::Nowhere, message);
        Failure::stop(
            Kind::Broker,
            finding.because(codes::TOO_LONG.reason).remedy(remedy),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Duration = Duration::from_secs(40);

    fn open(for_seconds: u64, unattended_seconds: u64) -> Open {
        let ago = Duration::from_secs(for_seconds);
        Open {
            since: Instant::now().checked_sub(ago).unwrap(),
            unattended: Duration::from_secs(unattended_seconds),
            ..Open::begun()
        }
    }

    #[test]
    fn a_frozen_process_is_told_from_a_transaction_that_takes_too_long() {
        assert!(open(50, 45).stood_still(ALLOWED), "frozen");
        assert!(!open(50, 1).stood_still(ALLOWED), "busy all the time");
        assert!(!open(30, 25).stood_still(ALLOWED), "there is time left");
    }

    #[test]
    fn the_longest_time_between_two_looks_is_kept() {
        let mut open = open(50, 0);
        open.looked = Instant::now().checked_sub(Duration::from_secs(45)).unwrap();
        open.look();
        open.look();
        assert!(open.stood_still(ALLOWED));
    }
}
