//! What was counted of one product, by one reader or by all.

use onramp_finding::Code;
use onramp_translator::RowFault;
use serde_json::Value;

use super::keys::Keys;
use super::profile::FieldProfile;

/// So many events are shown.
pub(super) const SAMPLES: usize = 3;
/// So many keys of a group of rows that fail are shown.
pub(super) const KEYS: usize = 5;
/// So much of each is kept.
pub(super) const KEY_CHARS: usize = 200;

/// Rows that fail for one reason.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) code: &'static Code,
    /// `address.city`; `where`; empty for the row as such.
    pub(super) field: String,
    pub(super) column: Option<String>,
    pub(super) reason: String,
    pub(super) count: u64,
    /// Some of their keys, where they may be shown.
    pub(super) keys: Vec<String>,
}

impl Group {
    fn is_of(&self, code: &Code, field: &str, column: Option<&str>, reason: &str) -> bool {
        self.code == code
            && self.field == field
            && self.column.as_deref() == column
            && self.reason == reason
    }
}

/// An event as consumers would see it, and the row that it was made from.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// `row`, `insert`, `update`, `delete`.
    pub(super) of: &'static str,
    /// Columns and texts, where raw values may be shown.
    pub(super) row: Option<Vec<(String, Option<String>)>>,
    /// None where it is kept back.
    pub(super) key: Option<String>,
    /// None is a tombstone.
    pub(super) event: Option<Value>,
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Rows, or changes of the product's table.
    pub(super) read: u64,
    pub(super) events: u64,
    pub(super) tombstones: u64,
    pub(super) failing: u64,
    /// Events that were read back by their schema, and those of them that differed.
    pub(super) read_back: u64,
    pub(super) read_otherwise: u64,
    pub(super) groups: Vec<Group>,
    pub(super) samples: Vec<Sample>,
    pub(super) fields: Vec<FieldProfile>,
    /// Where rows may move between tables: which keys stand in this one.
    pub(super) keys: Keys,
}

impl Tally {
    /// A row fails; gives its group where one more key of it is wanted.
    pub(super) fn fails(&mut self, fault: &RowFault) -> Option<&mut Group> {
        self.failing += 1;
        let column = fault.column.as_deref();
        let group = self.group(fault.code, &fault.field, column, &fault.reason);
        group.count += 1;
        (group.keys.len() < KEYS).then_some(group)
    }

    fn group(
        &mut self,
        code: &'static Code,
        field: &str,
        column: Option<&str>,
        reason: &str,
    ) -> &mut Group {
        let found = |g: &Group| g.is_of(code, field, column, reason);
        let at = match self.groups.iter().position(found) {
            Some(at) => at,
            None => {
                self.groups.push(Group {
                    code,
                    field: field.to_owned(),
                    column: column.map(str::to_owned),
                    reason: reason.to_owned(),
                    count: 0,
                    keys: Vec::new(),
                });
                self.groups.len() - 1
            }
        };
        &mut self.groups[at]
    }

    /// Takes in what another reader counted.
    pub(super) fn add(&mut self, other: Tally) {
        self.read += other.read;
        self.events += other.events;
        self.tombstones += other.tombstones;
        self.failing += other.failing;
        self.read_back += other.read_back;
        self.read_otherwise += other.read_otherwise;
        for group in other.groups {
            let column = group.column.as_deref();
            let own = self.group(group.code, &group.field, column, &group.reason);
            own.count += group.count;
            own.keys.extend(group.keys);
            own.keys.truncate(KEYS);
        }
        self.keys.add(other.keys);
        self.samples.extend(other.samples);
        self.samples.truncate(SAMPLES);
        if self.fields.len() < other.fields.len() {
            self.fields
                .resize_with(other.fields.len(), FieldProfile::default);
        }
        for (own, other) in self.fields.iter_mut().zip(other.fields) {
            own.add(other);
        }
    }

    /// Rows that the product's `where` leaves out: each other one gives an event, or fails.
    pub(super) fn left_out(&self) -> u64 {
        self.read.saturating_sub(self.events + self.failing)
    }

    /// Groups, the largest first.
    pub(super) fn sorted(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by(|a, b| (b.count, &a.field, &a.reason).cmp(&(a.count, &b.field, &b.reason)));
        groups
    }
}
