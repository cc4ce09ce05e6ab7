//! Products of several tables between which rows may move: which keys a source transaction has
//! written, and in which tables, so that the row that left one gives no tombstone where it stands in
//! another.
//!
//! At each commit a key stands in one table at most. Within a transaction it may stand in two: what
//! stands last is told by what is remembered here, and where that does not tell, or too much would
//! have to be remembered, the gateway stops. Nothing is remembered from one transaction to the next.

use std::collections::HashMap;

use onramp_event::RouteId;
use onramp_finding::{Code, codes::mapping};

/// What a key's entry takes beside its bytes, about: its places in a map that is half empty after it
/// grew, its bytes' and its tables' own allocations.
const ENTRY_BYTES: usize = 160;

/// What becomes of a row's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is published.
    Given,
    /// What stands in another table holds.
    Withheld,
}

/// All products' memories of the transaction that is open.
#[derive(Debug)]
pub(crate) struct Moves {
    limit_bytes: usize,
    /// What all products' memories take.
    bytes: usize,
    /// By route.
    memories: Vec<Memory>,
    /// Whether the transaction wrote anything of such a product.
    used: bool,
}

/// What one product's tables have been written with.
#[derive(Debug, Default)]
struct Memory {
    keys: HashMap<Box<[u8]>, Standing>,
    /// Tables of which keys were written that are not remembered, for want of room.
    beyond: Vec<u32>,
    /// How many keys stand in more than one table.
    doubled: usize,
    /// What a row has changed so far, for taking it back.
    undo: Vec<(Box<[u8]>, Option<Standing>)>,
}

/// Where a key stands, of what the transaction has written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    /// Tables, each with whether the key came into it in this transaction.
    tables: Vec<(u32, bool)>,
    /// The table whose row the last event was made of.
    told: u32,
}

impl Moves {
    pub(crate) fn new(limit_bytes: usize, routes: usize) -> Moves {
        Moves {
            limit_bytes,
            bytes: 0,
            memories: (0..routes).map(|_| Memory::default()).collect(),
            used: false,
        }
    }

    /// Another transaction: what the one before wrote is committed.
    pub(crate) fn begin(&mut self) {
        if std::mem::take(&mut self.used) {
            self.memories.fill_with(Memory::default);
            self.bytes = 0;
        }
    }

    /// A table lost all its rows, of which the log names none.
    pub(crate) fn truncated(&mut self, route: RouteId, table: u32) -> Result<(), &'static Code> {
        let Some(memory) = self.memories.get_mut(usize::from(route.0)) else {
            return Ok(());
        };
        let stood = |standing: &Standing| standing.tables.iter().any(|(t, _)| *t == table);
        let of_table = memory.keys.iter().filter(|(_, standing)| stood(standing));
        let keys: Vec<_> = of_table.map(|(key, _)| key.clone()).collect();
        for key in keys {
            // None of it is a row's to take back.
            self.row(route);
            self.removed(route, &key, table)?;
        }
        Ok(())
    }

    /// The product of a key that stands in two tables now.
    pub(crate) fn doubled(&self) -> Option<RouteId> {
        let mut memories = self.used.then(|| self.memories.iter())?;
        let at = memories.position(|m| m.doubled > 0)?;
        u16::try_from(at).ok().map(RouteId)
    }

    /// A table has a row of this key, and `came`: it had none before, as far as is known.
    pub(crate) fn written(
        &mut self,
        route: RouteId,
        key: &[u8],
        table: u32,
        came: bool,
    ) -> Verdict {
        self.used = true;
        let Some(memory) = self.memories.get_mut(usize::from(route.0)) else {
            return Verdict::Given;
        };
        let room_bytes = self.limit_bytes.saturating_sub(self.bytes);
        let Some(mut standing) = memory.keys.get(key).cloned() else {
            if key.len() + ENTRY_BYTES > room_bytes {
                if !memory.beyond.contains(&table) {
                    memory.beyond.push(table);
                }
                return Verdict::Given;
            }
            let tables = vec![(table, came)];
            let standing = Standing {
                tables,
                told: table,
            };
            memory.set(key, Some(standing), &mut self.bytes);
            return Verdict::Given;
        };
        let of = standing.tables.iter().position(|(t, _)| *t == table);
        let elsewhere = |(t, came): &(u32, bool)| *t != table && *came;
        // A row that is copied to where it goes is often changed once more where it was.
        let withheld = !came && standing.tables.iter().any(elsewhere);
        match of {
            Some(at) => standing.tables[at].1 |= came,
            None => standing.tables.push((table, came)),
        }
        if !withheld {
            standing.told = table;
        }
        memory.set(key, Some(standing), &mut self.bytes);
        match withheld {
            true => Verdict::Withheld,
            false => Verdict::Given,
        }
    }

    /// A table no longer has a row of this key.
    pub(crate) fn removed(
        &mut self,
        route: RouteId,
        key: &[u8],
        table: u32,
    ) -> Result<Verdict, &'static Code> {
        let Some(memory) = self.memories.get_mut(usize::from(route.0)) else {
            return Ok(Verdict::Given);
        };
        if memory.beyond.iter().any(|t| *t != table) {
            return Err(&mapping::MOVES_FORGOTTEN);
        }
        let Some(mut standing) = memory.keys.get(key).cloned() else {
            return Ok(Verdict::Given);
        };
        standing.tables.retain(|(t, _)| *t != table);
        let rest = !standing.tables.is_empty();
        let told = standing.tables.iter().any(|(t, _)| *t == standing.told);
        if rest && !told {
            return Err(&mapping::MOVE_UNCLEAR);
        }
        memory.set(key, rest.then_some(standing), &mut self.bytes);
        match rest {
            true => Ok(Verdict::Withheld),
            false => Ok(Verdict::Given),
        }
    }

    /// What follows belongs to another row.
    pub(crate) fn row(&mut self, route: RouteId) {
        if let Some(memory) = self.memories.get_mut(usize::from(route.0)) {
            memory.undo.clear();
        }
    }

    /// Takes back what the row has changed.
    pub(crate) fn back(&mut self, route: RouteId) {
        let Some(memory) = self.memories.get_mut(usize::from(route.0)) else {
            return;
        };
        let mut undo = std::mem::take(&mut memory.undo);
        for (key, before) in undo.drain(..).rev() {
            memory.put(&key, before, &mut self.bytes);
        }
    }
}

impl Memory {
    fn set(&mut self, key: &[u8], standing: Option<Standing>, bytes: &mut usize) {
        let before = self.put(key, standing, bytes);
        self.undo.push((key.into(), before));
    }

    /// Gives what stood there; `bytes` is what all take.
    fn put(
        &mut self,
        key: &[u8],
        standing: Option<Standing>,
        bytes: &mut usize,
    ) -> Option<Standing> {
        let doubled =
            |s: &Option<Standing>| usize::from(s.as_ref().is_some_and(|s| s.tables.len() > 1));
        let now = doubled(&standing);
        let before = match standing {
            Some(standing) => match self.keys.get_mut(key) {
                Some(there) => Some(std::mem::replace(there, standing)),
                None => {
                    *bytes += key.len() + ENTRY_BYTES;
                    self.keys.insert(key.into(), standing)
                }
            },
            None => {
                let gone = self.keys.remove(key);
                if gone.is_some() {
                    *bytes -= key.len() + ENTRY_BYTES;
                }
                gone
            }
        };
        self.doubled = self.doubled + now - doubled(&before);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: RouteId = RouteId(0);
    const K: &[u8] = b"7";

    fn moves() -> Moves {
        Moves::new(1 << 20, 1)
    }

    #[test]
    fn a_row_that_goes_over_gives_no_tombstone_in_whatever_order_its_parts_come() {
        let mut m = moves();
        assert_eq!(m.written(R, K, 1, true), Verdict::Given);
        assert_eq!(m.removed(R, K, 0), Ok(Verdict::Withheld));
        assert_eq!(m.doubled(), None);
        let mut m = moves();
        assert_eq!(
            m.removed(R, K, 0),
            Ok(Verdict::Given),
            "nothing else is known"
        );
        assert_eq!(m.written(R, K, 1, true), Verdict::Given);
        let mut m = moves();
        assert_eq!(m.written(R, K, 0, false), Verdict::Given);
        assert_eq!(m.written(R, K, 1, true), Verdict::Given);
        assert_eq!(m.written(R, K, 0, false), Verdict::Withheld, "its old home");
        assert_eq!(m.doubled(), Some(R));
        assert_eq!(m.removed(R, K, 0), Ok(Verdict::Withheld));
        assert_eq!(m.doubled(), None);
    }

    #[test]
    fn there_and_back_again_is_a_row() {
        let mut m = moves();
        m.written(R, K, 1, true);
        m.removed(R, K, 0).unwrap();
        m.written(R, K, 0, true);
        assert_eq!(m.removed(R, K, 1), Ok(Verdict::Withheld));
        assert_eq!(m.removed(R, K, 0), Ok(Verdict::Given));
        assert_eq!(m.doubled(), None);
    }

    #[test]
    fn a_table_that_is_truncated_keeps_no_key_from_standing_elsewhere() {
        let mut m = moves();
        m.written(R, K, 0, true);
        m.truncated(R, 0).unwrap();
        m.written(R, K, 1, true);
        assert_eq!(m.doubled(), None);
        m.written(R, b"8", 1, true);
        m.written(R, b"8", 0, true);
        let stopped = m.truncated(R, 0).unwrap_err();
        assert_eq!(stopped.id, mapping::MOVE_UNCLEAR.id);
    }

    #[test]
    fn what_a_remaining_row_holds_is_not_guessed() {
        let mut m = moves();
        m.written(R, K, 1, true);
        m.written(R, K, 0, true);
        let stopped = m.removed(R, K, 0).unwrap_err();
        assert_eq!(stopped.id, mapping::MOVE_UNCLEAR.id);
    }

    #[test]
    fn beyond_the_limit_only_what_may_be_wrong_stops() {
        let mut m = Moves::new(2 * (ENTRY_BYTES + 1), 1);
        for key in [b"1", b"2", b"3", b"4"] {
            m.written(R, key, 1, false);
        }
        assert_eq!(
            m.removed(R, b"4", 1),
            Ok(Verdict::Given),
            "of the same table"
        );
        assert_eq!(m.removed(R, b"1", 1), Ok(Verdict::Given));
        let stopped = m.removed(R, b"9", 0).unwrap_err();
        assert_eq!(stopped.id, mapping::MOVES_FORGOTTEN.id);
        m.begin();
        assert_eq!(m.removed(R, b"9", 0), Ok(Verdict::Given));
    }

    #[test]
    fn the_room_is_all_products_together_and_every_transactions_anew() {
        let mut m = Moves::new(2 * (ENTRY_BYTES + 1), 2);
        let other = RouteId(1);
        m.written(R, b"1", 1, true);
        m.written(other, b"1", 1, true);
        m.row(R);
        m.written(R, b"2", 1, true);
        assert!(m.removed(R, b"1", 0).is_err(), "2 may be any");
        assert_eq!(m.removed(other, b"1", 1), Ok(Verdict::Given));
        m.row(R);
        m.written(R, b"3", 1, true);
        m.back(R);
        m.written(other, b"4", 1, true);
        assert_eq!(m.removed(other, b"4", 0), Ok(Verdict::Withheld));
        for _ in 0..3 {
            m.begin();
            m.written(R, b"1", 1, true);
            m.written(other, b"2", 1, true);
            assert_eq!(m.removed(R, b"1", 0), Ok(Verdict::Withheld));
            assert_eq!(m.removed(other, b"2", 0), Ok(Verdict::Withheld));
        }
    }

    #[test]
    fn a_row_that_fails_leaves_no_trace() {
        let mut m = moves();
        m.written(R, b"1", 1, true);
        m.row(R);
        m.removed(R, b"1", 0).unwrap();
        m.written(R, b"1", 0, true);
        m.written(R, b"2", 0, true);
        m.back(R);
        assert_eq!(m.doubled(), None);
        assert_eq!(m.removed(R, b"2", 1), Ok(Verdict::Given));
        assert_eq!(m.removed(R, b"1", 0), Ok(Verdict::Withheld));
    }
}
