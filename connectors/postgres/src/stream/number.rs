//! Transactions' numbers: the log names them by 32 bits, which come round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The highest number that the server is known to have reached, shared by whoever hears of one: the
/// log, and every snapshot.
///
/// A number of 32 bits is widened to the one nearest to it. That is exact as long as the two are
/// less than 2^31 apart: the slot's own catalogue horizon keeps the server from handing out numbers
/// further ahead of what the log still holds, and snapshots keep this one fresh where a log brings
/// nothing for long.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    /// The server has reached this number.
    pub(crate) fn reached(&self, number: u64) {
        self.0.fetch_max(number, Ordering::AcqRel);
    }

    /// The 64-bit number of a transaction in the log.
    pub(crate) fn widen(&self, xid: u32) -> u64 {
        let number = near(self.0.load(Ordering::Acquire), xid);
        self.reached(number);
        number
    }
}

/// The number with these low bits that lies nearest to another.
pub(crate) fn near(reference: u64, xid: u32) -> u64 {
    let ahead = xid.wrapping_sub(reference as u32).cast_signed();
    // Before the first round there is nothing: what seems to lie there is of the first.
    reference
        .checked_add_signed(ahead.into())
        .unwrap_or(xid.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_come_round_without_starting_over() {
        let numbers = Numbers::default();
        assert_eq!(numbers.widen(77), 77);
        numbers.reached(0x1_ffff_fff0);
        assert_eq!(numbers.widen(0xffff_fff1), 0x1_ffff_fff1);
        // The next epoch begins, and a transaction of the last one ends after it.
        assert_eq!(numbers.widen(5), 0x2_0000_0005);
        assert_eq!(numbers.widen(0xffff_fff2), 0x1_ffff_fff2);
        // Hearing of an old one takes nothing back.
        assert_eq!(numbers.widen(6), 0x2_0000_0006);
        assert_eq!(near(3, 0xffff_fff0), 0xffff_fff0);
    }

    proptest! {
        #[test]
        fn whatever_is_near_is_found(number in 1_u64 << 31.., ahead: i32) {
            if let Some(other) = number.checked_add_signed(ahead.into()) {
                prop_assert_eq!(near(number, other as u32), other);
            }
        }
    }
}
