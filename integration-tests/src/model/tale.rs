//! What was committed, in order, and whether a topic tells it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Event;

/// A key and its version; None is a delete.
pub(super) type Change = (i32, Option<i64>);

/// A committed transaction.
struct Commit {
    /// Its number in the table of marks, where a crash of the server may have undone it.
    mark: Option<i64>,
    changes: Vec<Change>,
}

/// What was committed.
#[derive(Default)]
pub(super) struct Tale {
    commits: Vec<Commit>,
    now: BTreeMap<i32, i64>,
    version: i64,
    /// The versions by which a row got another key, and the key that it had.
    moves: BTreeMap<i64, i32>,
}

/// What became of a key: its version, or that it went; and the version by which its row has another key.
pub(super) type Step = (Option<i64>, Option<i64>);

impl Tale {
    /// A version that was never written.
    pub(super) fn next_version(&mut self) -> i64 {
        self.version += 1;
        self.version
    }

    /// The keys that there are, and their versions.
    pub(super) fn now(&self) -> &BTreeMap<i32, i64> {
        &self.now
    }

    /// A row gets another key by a change of this version: two changes in a row.
    pub(super) fn moves(&mut self, from: i32, version: i64) {
        self.moves.insert(version, from);
    }

    /// The key that a row had before the change of this version gave it another.
    pub(super) fn moved_from(&self, version: i64) -> Option<i32> {
        self.moves.get(&version).copied()
    }

    /// What became of each key, in order.
    pub(super) fn steps(&self) -> BTreeMap<i32, Vec<Step>> {
        let mut steps: BTreeMap<i32, Vec<Step>> = BTreeMap::new();
        for commit in &self.commits {
            for (at, (key, version)) in commit.changes.iter().enumerate() {
                let by = commit.changes.get(at + 1).and_then(|(_, next)| *next);
                let by = by.filter(|by| version.is_none() && self.moved_from(*by) == Some(*key));
                steps.entry(*key).or_default().push((*version, by));
            }
        }
        steps
    }

    pub(super) fn committed(&mut self, mark: Option<i64>, changes: Vec<Change>) {
        apply(&mut self.now, &changes);
        self.commits.push(Commit { mark, changes });
    }

    /// The server was killed: of those with a mark these are left.
    pub(super) fn survived(&mut self, marks: &BTreeSet<i64>) {
        self.commits
            .retain(|commit| commit.mark.is_none_or(|mark| marks.contains(&mark)));
        self.now.clear();
        for commit in &self.commits {
            apply(&mut self.now, &commit.changes);
        }
    }

    /// Where the topic is not what was committed. Of each key it must tell the end of its history
    /// from some point on, without a gap; a snapshot event may repeat the state before it, once.
    pub(super) fn differs(&self, events: &[Event]) -> Option<String> {
        let mut shall: BTreeMap<i32, Vec<Option<i64>>> = BTreeMap::new();
        for (key, version) in self.commits.iter().flat_map(|c| &c.changes) {
            shall.entry(*key).or_default().push(*version);
        }
        let mut told: BTreeMap<i32, Vec<(bool, Option<i64>)>> = BTreeMap::new();
        for event in events {
            let Ok(key) = event.key.parse() else {
                return Some(format!("a key that was never written: {}", event.key));
            };
            let snapshot = event
                .headers
                .get("onramp_op")
                .is_some_and(|o| o == "snapshot");
            let version = event
                .value
                .as_ref()
                .map(|v| v["version"].as_i64().unwrap_or(-1));
            told.entry(key).or_default().push((snapshot, version));
        }
        let keys: BTreeSet<i32> = shall.keys().chain(told.keys()).copied().collect();
        keys.into_iter().find_map(|key| {
            let shall = shall.get(&key).map_or(&[][..], Vec::as_slice);
            let told = told.get(&key).map_or(&[][..], Vec::as_slice);
            wrong(told, shall).map(|why| {
                format!("key {key}: {why}; told (snapshot, version) {told:?}, committed {shall:?}")
            })
        })
    }
}

fn apply(now: &mut BTreeMap<i32, i64>, changes: &[Change]) {
    for (key, version) in changes {
        match version {
            Some(version) => now.insert(*key, *version),
            None => now.remove(key),
        };
    }
}

fn wrong(told: &[(bool, Option<i64>)], shall: &[Option<i64>]) -> Option<&'static str> {
    if told.iter().filter(|(snapshot, _)| *snapshot).count() > 1 {
        return Some("more than one snapshot event");
    }
    let mut states: Vec<Option<i64>> = Vec::new();
    for (snapshot, version) in told {
        if *snapshot && states.last() == Some(version) {
            continue;
        }
        states.push(*version);
    }
    if states.is_empty() {
        return match shall.last() {
            None | Some(None) => None,
            Some(Some(_)) => Some("never told"),
        };
    }
    (!shall.ends_with(&states)).then_some("not the end of its history without a gap")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_a_gap_and_a_double_are_found() {
        let shall = [Some(1), Some(2), None, Some(3)];
        let (snap, live) = (|v| (true, Some(v)), |v| (false, v));
        let fine: [&[(bool, Option<i64>)]; 4] = [
            &[snap(3)],
            &[snap(2), live(None), live(Some(3))],
            &[live(Some(2)), snap(2), live(None), live(Some(3))],
            &[live(None), live(Some(3)), snap(3)],
        ];
        for told in fine {
            assert_eq!(wrong(told, &shall), None, "{told:?}");
        }
        let bad: [&[(bool, Option<i64>)]; 7] = [
            &[],
            &[snap(2)],
            &[live(Some(3)), snap(2)],
            &[snap(1), live(None), live(Some(3))],
            &[live(Some(2)), live(Some(2)), live(None), live(Some(3))],
            &[snap(3), snap(3)],
            &[live(None), live(Some(3)), live(Some(4))],
        ];
        for told in bad {
            assert!(wrong(told, &shall).is_some(), "{told:?}");
        }
        assert_eq!(
            wrong(&[], &[Some(1), None]),
            None,
            "gone before anybody looked"
        );
    }
}
