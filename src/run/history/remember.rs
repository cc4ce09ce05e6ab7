//! What is remembered of live changes, and what chunks are rid of because of it: see the head of the
//! module around.

use onramp_event::{Arena, Origin};
use onramp_finding::Failure;

use super::changed::ChangedKeys;
use super::live::Live;
use super::{History, Run};

impl History {
    /// Remembers the keys of the events from `first` on: live changes that a chunk may lack.
    pub(in crate::run) fn remember(
        &mut self,
        arena: &mut Arena,
        first: usize,
    ) -> Result<(), Failure> {
        self.live.note(arena)?;
        if !self.changed.watches() {
            arena.marks.clear();
            return Ok(());
        }
        let from = self.remembered_from();
        for mark in arena.marks.drain(..).filter(|mark| mark.gone) {
            if mark.number >= from {
                self.changed.note(mark.route, &mark.row, mark.number);
            }
        }
        for record in &arena.records[first..] {
            match arena.transactions[record.transaction as usize].origin {
                // Of rows that are told once the marks tell.
                _ if self.live.product(record.route).is_some() => {}
                Origin::Log(number) if number >= from => {
                    let key = arena.slice(record.key);
                    self.changed.note(record.route, key, number);
                }
                _ => {}
            }
        }
        self.shared.raise_floor(self.changed.floor());
        Ok(())
    }

    /// From which transaction on live changes count: those before S0 every reading sees, so that a
    /// backlog of the log costs no memory. While S0 is not known, or ghosts are looked for, all do.
    fn remembered_from(&self) -> u64 {
        let mut under_way = self.runs.iter().filter(|run| !run.done()).peekable();
        if self.opening || under_way.peek().is_none() {
            return 0;
        }
        let floor = |run: &Run| {
            if run.ghosts.is_empty() {
                run.group.floor
            } else {
                0
            }
        };
        under_way.map(floor).min().unwrap_or(0)
    }
}

/// Takes out the events of rows that a live change overtook, numbered `from` or above; of rows that are
/// told once those that the log brought or took away.
pub(super) fn overtaken(arena: &mut Arena, changed: &ChangedKeys, live: &Live, from: u64) {
    let bytes = &arena.bytes;
    arena.records.retain(|record| {
        if let Some(product) = live.product(record.route) {
            let row = &bytes[record.row.start as usize..record.row.end as usize];
            return !live.brought(product, row) && changed.by(product, row).is_none();
        }
        let key = &bytes[record.key.start as usize..record.key.end as usize];
        changed
            .by(record.route, key)
            .is_none_or(|number| number < from)
    });
}
