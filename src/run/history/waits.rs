//! What the reading of tables waits for: told once when it begins, then ever more rarely, and shown
//! to whoever looks for as long as it lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::health::{Board, HistoryWait};

/// Shorter ones are not worth a word.
const TOLD_FROM: Duration = Duration::from_secs(1);

/// The waits of an attempt's readers, by the tables that they wait for.
pub(super) struct Waits {
    board: Board,
    by_group: Mutex<BTreeMap<usize, Wait>>,
}

/// A table that cannot be read yet.
struct Wait {
    shown: HistoryWait,
    readers: BTreeSet<usize>,
    /// How old it is when it is told next.
    told_at: Duration,
}

impl Waits {
    pub(super) fn new(board: Board) -> Waits {
        Waits {
            board,
            by_group: Mutex::default(),
        }
    }

    fn by_group(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Wait>> {
        // Plain data, whole whatever happened to the thread that held it.
        self.by_group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader waits since a moment, for these transactions.
    pub(super) fn waits(
        &self,
        group: usize,
        reader: usize,
        products: &[String],
        since: Instant,
        open: Vec<String>,
    ) {
        let mut all = self.by_group();
        let wait = all.entry(group).or_insert_with(|| Wait {
            shown: HistoryWait {
                products: products.to_vec(),
                open: Vec::new(),
                since,
            },
            readers: BTreeSet::new(),
            told_at: TOLD_FROM,
        });
        wait.readers.insert(reader);
        wait.shown.open = open;
        if wait.due() {
            tracing::info!(
                products = wait.shown.products.join(", "),
                waits_for = wait.shown.open.join("; "),
                seconds = wait.shown.since.elapsed().as_secs(),
                "history waits for transactions that were open before it"
            );
        }
        self.show(&all);
    }

    /// A reader waits no more.
    pub(super) fn over(&self, group: usize, reader: usize) {
        let mut all = self.by_group();
        let Some(wait) = all.get_mut(&group) else {
            return;
        };
        if !wait.readers.remove(&reader) {
            return;
        }
        if wait.readers.is_empty() {
            tracing::info!(
                products = wait.shown.products.join(", "),
                seconds = wait.shown.since.elapsed().as_secs(),
                "history waits no more"
            );
            all.remove(&group);
        }
        self.show(&all);
    }

    fn show(&self, all: &BTreeMap<usize, Wait>) {
        let shown = all.values().map(|wait| wait.shown.clone());
        self.board.history_waits(shown.collect());
    }
}

impl Wait {
    /// Whether it is old enough to be told; the next time at twice its age.
    fn due(&mut self) -> bool {
        let age = self.shown.since.elapsed();
        let due = age >= self.told_at;
        if due {
            self.told_at = age * 2;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_at_its_beginning_and_at_doubling_ages() {
        let now = Instant::now();
        let mut wait = Wait {
            shown: HistoryWait {
                products: Vec::new(),
                open: Vec::new(),
                since: now,
            },
            readers: BTreeSet::new(),
            told_at: TOLD_FROM,
        };
        let mut told = Vec::new();
        for age in 0..100 {
            wait.shown.since = now.checked_sub(Duration::from_secs(age)).unwrap_or(now);
            if wait.due() {
                told.push(age);
            }
        }
        // Each looks a moment later than the age says: twice that is past the even second.
        assert_eq!(told, [1, 3, 7, 15, 31, 63]);
    }
}
