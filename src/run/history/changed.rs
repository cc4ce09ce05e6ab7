//! The keys that live changes touched, in memory of a stated size.

use std::collections::HashMap;

use onramp_event::RouteId;

/// What an entry takes beside its key, roughly.
const ENTRY_BYTES: usize = 64;

/// For each product under way: its keys as published, and the transaction that changed each last.
pub(super) struct ChangedKeys {
    /// By route; None where no chunk is to come.
    routes: Vec<Option<HashMap<Box<[u8]>, u64>>>,
    bytes: usize,
    limit_bytes: usize,
    /// The highest number that was ever noted.
    highest: u64,
    /// Every transaction numbered below it may have been forgotten.
    floor: u64,
    /// Up to where was forgotten on purpose.
    forgotten: u64,
}

impl ChangedKeys {
    /// An empty memory that reaches back to `floor`.
    pub(super) fn new(limit_bytes: usize, floor: u64) -> ChangedKeys {
        ChangedKeys {
            routes: Vec::new(),
            bytes: 0,
            limit_bytes,
            highest: 0,
            floor,
            forgotten: 0,
        }
    }

    /// Remembers a product's keys from here on.
    pub(super) fn watch(&mut self, route: RouteId) {
        let at = usize::from(route.0);
        if self.routes.len() <= at {
            self.routes.resize_with(at + 1, || None);
        }
        self.routes[at].get_or_insert_default();
    }

    /// No chunk of this product is to come.
    pub(super) fn unwatch(&mut self, route: RouteId) {
        let known = self.routes.get_mut(usize::from(route.0));
        for (key, _) in known.and_then(Option::take).unwrap_or_default() {
            self.bytes -= key.len() + ENTRY_BYTES;
        }
    }

    /// Whether any product is watched.
    pub(super) fn watches(&self) -> bool {
        self.routes.iter().any(Option::is_some)
    }

    /// A reading counts only if it sees everything numbered below.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// A live change of this key. Where there is no room left everything is forgotten.
    pub(super) fn note(&mut self, route: RouteId, key: &[u8], number: u64) {
        let Some(Some(keys)) = self.routes.get_mut(usize::from(route.0)) else {
            return;
        };
        self.highest = self.highest.max(number);
        if let Some(known) = keys.get_mut(key) {
            *known = number;
            return;
        }
        keys.insert(key.into(), number);
        self.bytes += key.len() + ENTRY_BYTES;
        if self.bytes > self.limit_bytes {
            for keys in self.routes.iter_mut().flatten() {
                *keys = HashMap::new();
            }
            self.bytes = 0;
            self.floor = self.floor.max(self.highest + 1);
            tracing::info!(
                floor = self.floor,
                "more keys changed than limits.changed_keys holds: chunks are read again once they see those transactions"
            );
        }
    }

    /// The transaction that changed a key last, as far as remembered.
    pub(super) fn by(&self, route: RouteId, key: &[u8]) -> Option<u64> {
        let keys = self.routes.get(usize::from(route.0))?.as_ref()?;
        keys.get(key).copied()
    }

    /// Forgets what every reading from now on sees.
    pub(super) fn forget_below(&mut self, number: u64) {
        if number <= self.forgotten {
            return;
        }
        self.forgotten = number;
        let mut bytes = 0;
        for keys in self.routes.iter_mut().flatten() {
            keys.retain(|key, by| {
                let stays = *by >= number;
                bytes += if stays { key.len() + ENTRY_BYTES } else { 0 };
                stays
            });
        }
        self.bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: RouteId = RouteId(1);

    #[test]
    fn the_last_change_of_a_key_is_known_until_every_reading_sees_it() {
        let mut changed = ChangedKeys::new(1 << 20, 10);
        assert!(!changed.watches());
        changed.note(ORDERS, b"7", 12);
        assert_eq!(changed.by(ORDERS, b"7"), None, "nobody asked for it");
        changed.watch(ORDERS);
        changed.note(ORDERS, b"7", 12);
        changed.note(ORDERS, b"8", 13);
        changed.note(ORDERS, b"7", 14);
        assert_eq!(changed.by(ORDERS, b"7"), Some(14));
        changed.forget_below(14);
        assert_eq!(changed.by(ORDERS, b"7"), Some(14));
        assert_eq!(changed.by(ORDERS, b"8"), None);
        assert_eq!(changed.floor(), 10, "nothing was lost by that");
        changed.unwatch(ORDERS);
        assert_eq!((changed.by(ORDERS, b"7"), changed.bytes), (None, 0));
    }

    #[test]
    fn an_overflow_forgets_everything_and_raises_the_floor() {
        let mut changed = ChangedKeys::new(3 * (ENTRY_BYTES + 1), 10);
        changed.watch(ORDERS);
        for (number, key) in [(30, b"a"), (20, b"b"), (21, b"c")] {
            changed.note(ORDERS, key, number);
        }
        assert_eq!(changed.by(ORDERS, b"a"), Some(30));
        changed.note(ORDERS, b"d", 22);
        assert_eq!(changed.by(ORDERS, b"a"), None);
        assert_eq!(
            changed.floor(),
            31,
            "a reading must see the highest of them"
        );
        changed.note(ORDERS, b"a", 32);
        assert_eq!(changed.by(ORDERS, b"a"), Some(32));
    }
}
