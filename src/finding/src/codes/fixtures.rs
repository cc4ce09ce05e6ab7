//! What is found when mappings are tested.

use crate::Code;

/// A fixture's row that cannot be made.
pub static FIXTURE_ROW: Code = Code {
    id: "ONR-150",
    title: "fixture's row does not fit",
    reason: "The mapping reads a column that the row does not have, or the text is no value of the column's type.",
    example: "after: { ord_no: seven } # ord_no becomes a long",
    remedy: "Give every column that the mapping reads; say a column's type under `columns` where it is taken for another.",
};

/// A test of a mapping that failed.
pub static TEST_FAILED: Code = Code {
    id: "ONR-151",
    title: "test failed",
    reason: "The mapping gives other events than the fixture expects.",
    example: "expect: [] # and the row gives an event",
    remedy: "Mend the mapping; where the new events are right, `onramp test --update` writes them.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[&FIXTURE_ROW, &TEST_FAILED];
