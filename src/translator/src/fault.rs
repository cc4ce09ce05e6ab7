//! A row that cannot be carried as a product says.

use onramp_finding::{Code, Failure, Finding, Kind, Place};

/// Why a row gave no event: what to show, and never the row's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The stable code.
    pub code: &'static Code,
    /// The product.
    pub product: String,
    /// The table, e.g. `public.ordr_hdr`.
    pub table: String,
    /// The column, where one is to blame.
    pub column: Option<String>,
    /// The field's path, e.g. `address.city`; `where` for the filter; empty for the row as such.
    pub field: String,
    /// The byte of the field's expression where the failing part begins, where one failed.
    pub at: Option<u32>,
    /// Why.
    pub reason: String,
    /// The item of the batch that brought the row.
    pub item: usize,
}

impl RowFault {
    /// The failure that stops the gateway, with the row's position in the source's notation.
    pub fn failure(&self, position: &str) -> Failure {
        let column = self.column.as_deref();
        let what = match column {
            Some(column) => format!("table {}, column {column}", self.table),
            None => format!("table {}", self.table),
        };
        let mut message = self.code.title.to_owned();
        if !self.field.is_empty() {
            message.push_str(&format!(": field {}", self.field));
        }
        if let Some(at) = self.at {
            message.push_str(&format!(", at byte {at} of its expression"));
        }
        let place = Place::Log {
            what,
            position: position.to_owned(),
        };
        Failure::stop(
            Kind::Data,
            Finding::error(self.code, place, message)
                .because(self.reason.clone())
                .remedy(self.code.remedy)
                .of_product(self.product.clone()),
        )
    }
}

/// Why translating ended before its items did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// At a row; the arena holds the events of everything before it.
    Row(Box<RowFault>),
    /// At a table whose mapped columns are no longer as the mapping was checked with.
    Table {
        /// The item of the batch.
        item: usize,
        /// What is wrong; positions are the caller's to add.
        findings: Vec<Finding>,
    },
}

impl Stopped {
    /// The item of the batch at which it stopped.
    pub fn item(&self) -> usize {
        match self {
            Stopped::Row(fault) => fault.item,
            Stopped::Table { item, .. } => *item,
        }
    }

    /// The failure that stops the gateway, with the position in the source's notation.
    pub fn failure(&self, position: &str) -> Failure {
        match self {
            Stopped::Row(fault) => fault.failure(position),
            Stopped::Table { findings, .. } => {
                let mut findings = findings.clone();
                for finding in &mut findings {
                    if let Place::Source(what) = &finding.place {
                        finding.place = Place::Log {
                            what: what.clone(),
                            position: position.to_owned(),
                        };
                    }
                }
                Failure::all(Kind::Source, findings)
            }
        }
    }
}
