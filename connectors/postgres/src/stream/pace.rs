//! When to let bytes gather before the next read.
//!
//! A walsender writes to the socket once a row, and every read of ours that finds a single row
//! costs both sides more than the row does. On a thick flow a short rest after a short read makes
//! the whole path faster; on a thin one it would be latency for nothing.

use std::time::{Duration, Instant};

/// How long a rest is.
pub(super) const REST: Duration = Duration::from_micros(300);
/// Reads that follow each other within this belong to one flow.
const TOGETHER: Duration = Duration::from_micros(1500);
/// So many of them make it thick.
const THICK: u32 = 4;
/// A read with more than this has gathered enough by itself.
const SHORT_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<Instant>,
    together: u32,
    short: bool,
}

impl Pace {
    /// Takes note of a read.
    pub(super) fn read(&mut self, bytes: usize, now: Instant) {
        let near = self
            .last
            .is_some_and(|last| now.duration_since(last) < TOGETHER);
        self.together = if near {
            self.together.saturating_add(1)
        } else {
            0
        };
        self.short = bytes < SHORT_BYTES;
        self.last = Some(now);
    }

    /// Whether to rest before the next read.
    pub(super) fn rests(&self) -> bool {
        self.short && self.together >= THICK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thick_flow_rests_and_a_thin_one_does_not() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for n in 0..20 {
            pace.read(100, start + Duration::from_millis(5) * n);
            assert!(!pace.rests());
        }
        let start = start + Duration::from_secs(1);
        for n in 0..=THICK {
            assert!(!pace.rests());
            pace.read(100, start + Duration::from_micros(50) * n);
        }
        assert!(pace.rests());
        pace.read(SHORT_BYTES, start + Duration::from_millis(1));
        assert!(!pace.rests(), "a long read has gathered enough");
        pace.read(100, start + Duration::from_millis(9));
        assert!(!pace.rests(), "the flow is thin again");
    }
}
