//! Which keys stand in two tables of a product whose rows may move: by hashes of a bounded number of
//! keys, and of the same part of all keys in each table where there are more.

use std::hash::{DefaultHasher, Hasher};

/// So many of a table's keys are remembered, 8 bytes each.
const MOST: usize = 512 << 10;
/// So many of all tables' are held against each other.
const MOST_TOGETHER: usize = 4 << 20;

/// A table's keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    hashes: Vec<u64>,
    /// One of two to this power of all keys are remembered.
    halved: u32,
}

/// Keys that stand in two tables.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Doubled {
    pub(super) keys: u64,
    /// Two of the tables, by their places.
    pub(super) tables: (usize, usize),
    /// One of so many keys was looked at.
    pub(super) one_of: u64,
}

impl Keys {
    pub(super) fn note(&mut self, key: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        let hash = hasher.finish();
        if is_kept(hash, self.halved) {
            self.hashes.push(hash);
            self.fit();
        }
    }

    /// Takes in what another reader remembers of the same table.
    pub(super) fn add(&mut self, other: Keys) {
        self.halve_to(other.halved);
        let halved = self.halved;
        let kept = other.hashes.into_iter().filter(|h| is_kept(*h, halved));
        self.hashes.extend(kept);
        self.fit();
    }

    fn fit(&mut self) {
        while self.hashes.len() > MOST {
            self.halve_to(self.halved + 1);
        }
    }

    fn halve_to(&mut self, halved: u32) {
        if halved > self.halved {
            self.halved = halved;
            self.hashes.retain(|hash| is_kept(*hash, halved));
        }
    }
}

/// By the highest bits, of which none tells the others.
fn is_kept(hash: u64, halved: u32) -> bool {
    hash.leading_zeros() >= halved
}

/// The keys that stand in more than one of these tables.
pub(super) fn doubled<'k>(tables: impl Iterator<Item = &'k Keys> + Clone) -> Option<Doubled> {
    let mut halved = tables.clone().map(|keys| keys.halved).max()?;
    let kept = |halved| {
        let all = tables.clone().enumerate();
        all.flat_map(move |(at, keys)| {
            let of_table = keys.hashes.iter().filter(move |h| is_kept(**h, halved));
            of_table.map(move |hash| (*hash, at))
        })
    };
    while kept(halved).count() > MOST_TOGETHER {
        halved += 1;
    }
    let mut all: Vec<(u64, usize)> = kept(halved).collect();
    all.sort_unstable();
    all.dedup();
    let mut found: Option<Doubled> = None;
    for of_key in all.chunk_by(|a, b| a.0 == b.0) {
        if let [(_, first), (_, second), ..] = of_key {
            let found = found.get_or_insert(Doubled {
                keys: 0,
                tables: (*first, *second),
                one_of: 1 << halved.min(63),
            });
            found.keys += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: std::ops::Range<u32>) -> Keys {
        let mut keys = Keys::default();
        for n in numbers {
            keys.note(&n.to_be_bytes());
        }
        keys
    }

    #[test]
    fn keys_of_two_tables_are_counted_once_each() {
        let tables = [keys(0..10), keys(10..20), keys(18..30)];
        let found = doubled(tables.iter()).unwrap();
        assert_eq!((found.keys, found.tables, found.one_of), (2, (1, 2), 1));
        assert_eq!(doubled(tables[..2].iter()), None);
    }

    #[test]
    fn of_more_keys_than_fit_the_same_part_is_compared() {
        let many = MOST as u32;
        let mut first = keys(0..many);
        first.add(keys(many..3 * many));
        assert!(first.hashes.len() <= MOST && first.halved >= 1);
        let tables = [first, keys(0..1000)];
        let found = doubled(tables.iter()).unwrap();
        // Of the thousand that stand in both, about as many as were looked at.
        let expected = 1000 / found.one_of;
        assert!(found.one_of >= 2);
        assert!(
            found.keys > expected / 2 && found.keys < expected * 2,
            "{}",
            found.keys
        );
    }
}
