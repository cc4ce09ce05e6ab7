//! Values that an update leaves out of the log: which columns can have them.
//!
//! PostgreSQL stores a value out of line (TOAST, "The Oversized-Attribute Storage Technique") when
//! its row is wider than some 2 kB, and an update that does not change such a value does not log it
//! either. Only a whole before image brings it back.

use onramp_connector::TableRequest;
use onramp_finding::codes::source as codes;
use onramp_finding::{Finding, Place};

use super::describe::{Leaf, Table};
use super::sql;

/// The toaster moves only values that are wider than a pointer with its padding, header included.
const SAFE_BYTES: i64 = 24;
const HEADER_BYTES: i64 = 4;

/// Whether a type's declared width keeps its values within their row.
pub(crate) fn narrow(oid: u32, typmod: i32) -> bool {
    const NUMERIC: u32 = 1700;
    const BPCHAR: u32 = 1042;
    const VARCHAR: u32 = 1043;
    let declared = i64::from(typmod) - HEADER_BYTES;
    if declared < 0 {
        return false;
    }
    match oid {
        // A character takes four bytes at most, in whatever encoding.
        BPCHAR | VARCHAR => HEADER_BYTES + declared * 4 <= SAFE_BYTES,
        // Two bytes for four digits, which the decimal point may split once more than they need;
        // four bytes at most for sign, scale and weight.
        NUMERIC => HEADER_BYTES + 4 + 2 * (((declared >> 16) + 6) / 4) <= SAFE_BYTES,
        _ => false,
    }
}

/// What to say of a table's mapped columns.
pub(super) fn judge(wanted: &TableRequest, table: &Table, push: &mut dyn FnMut(Finding)) {
    // Who accepted the stop needs no telling.
    if wanted.accept_left_out {
        return;
    }
    let columns: Vec<&str> = table
        .description
        .columns
        .iter()
        .filter(|c| c.may_be_left_out && wanted.columns.contains(&c.name))
        .map(|c| c.name.as_str())
        .collect();
    if columns.is_empty() {
        return;
    }
    let partitioned = table.kind == 'p';
    let place = || {
        Place::Source(format!(
            "table {}, columns {}",
            wanted.table,
            columns.join(", ")
        ))
    };
    let concerned = |in_use: bool| -> Vec<&Leaf> {
        let counts = |l: &&Leaf| l.has_toast && l.toast_in_use == in_use;
        // Of a partitioned table's changes the log does not say which partition they are in, so
        // that even a partition's own whole before image counts as its key alone.
        table
            .leaves
            .iter()
            .filter(counts)
            .filter(|l| partitioned || l.identity != 'f')
            .collect()
    };
    let full = |leaves: &[&Leaf]| {
        if partitioned {
            return "write unchanged_toast: stop in the product, or map the partitions instead of their root".to_owned();
        }
        let statements: Vec<String> = leaves
            .iter()
            .map(|l| format!("ALTER TABLE {} REPLICA IDENTITY FULL", sql::table(&l.name)))
            .collect();
        format!(
            "{} (each UPDATE and DELETE then logs the whole old row, so the log grows by the rows' width, and the statement takes a short ACCESS EXCLUSIVE lock), or write unchanged_toast: stop in the product",
            statements.join("; ")
        )
    };
    let reason = "an update that leaves such a value alone leaves it out of the log too, and the gateway would stop there";
    let (used, empty) = (concerned(true), concerned(false));
    if !used.is_empty() {
        push(
            Finding::error(
                &codes::TOAST,
                place(),
                "mapped columns may be stored out of line, and the table stores values so",
            )
            .because(reason)
            .remedy(full(&used)),
        );
    } else if !empty.is_empty() {
        push(
            Finding::warning(
                &codes::TOAST,
                place(),
                "mapped columns may one day be stored out of line",
            )
            .because(reason)
            .remedy(full(&empty)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_width_rules_it_out_or_not() {
        let numeric = |p: i32, s: i32| (p << 16 | s) + 4;
        for (oid, typmod, expected) in [
            (1043, 5 + 4, true),
            (1043, 6 + 4, false),
            (1042, 1 + 4, true),
            (1042, -1, false),
            (1700, numeric(12, 2), true),
            (1700, numeric(29, 3), true),
            (1700, numeric(30, 3), false),
            (1700, -1, false),
            (25, -1, false),
        ] {
            assert_eq!(narrow(oid, typmod), expected, "{oid} {typmod}");
        }
    }
}
