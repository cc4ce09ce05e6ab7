//! A product file, read: every value with its place, so that any later fault can point at it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Field, Outbox, Payload, Protect, Spanned, Tables, UnknownType};

/// A product's full name: `commerce.orders.v2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductName {
    /// `commerce`.
    pub domain: String,
    /// `orders`.
    pub name: String,
    /// `2`.
    pub version: u32,
}

impl std::fmt::Display for ProductName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.v{}", self.domain, self.name, self.version)
    }
}

/// Where a product is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Published only where the gateway says `drafts: true`.
    Draft,
    /// Published.
    Active,
    /// Published; has a successor and a sunset.
    Deprecated,
    /// No longer published; its topic stays.
    Retired,
}

impl Status {
    /// The file's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Active => "active",
            Status::Deprecated => "deprecated",
            Status::Retired => "retired",
        }
    }

    /// Whether consumers may rely on such a product's contract.
    pub fn is_published(self) -> bool {
        matches!(self, Status::Active | Status::Deprecated)
    }
}

/// A level of schema compatibility, by the registry's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compatibility {
    None,
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

/// How a key's bytes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// One field: its text; several: a JSON array.
    String,
    /// Avro in the registry's framing.
    Avro,
}

/// What a row does that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The gateway stops before it.
    Stop,
    /// It goes to the product's quarantine topic.
    Quarantine,
}

/// What a TRUNCATE of the table does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTruncate {
    /// The gateway stops.
    Stop,
    /// It is passed over.
    Ignore,
}

/// What becomes of events that an older mapping gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMappingChange {
    /// Every row is published again.
    Backfill,
    /// They stay as they are.
    Keep,
}

/// What rows give that were there before a product of facts, or an outbox, was first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowsBefore {
    /// Nothing.
    #[default]
    None,
    /// The events of their insert, without a transaction.
    Insert,
}

/// What a product's readers may count on, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sla {
    /// `tier`: 1 is the most important.
    pub tier: Option<u8>,
    /// `freshness`: how old an event may be when it is published.
    pub freshness: Option<Duration>,
    /// `retention`: how long events stay.
    pub retention: Option<Retention>,
}

/// How long events stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// As long as the topic.
    Forever,
    /// So long.
    For(Duration),
}

/// What a product's events are.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `entity`: the latest state of a thing under its key.
    Entity {
        /// `fields`, in the file's order.
        fields: Vec<Field>,
    },
    /// `events`: facts that follow from how rows change.
    Events {
        /// `events`, in the file's order, which is that of the events that one change gives.
        events: Vec<EventType>,
    },
    /// `outbox`: events that the application writes.
    Outbox {
        /// Its columns, and what it does with other rows.
        outbox: Box<Outbox>,
        /// `events`, in the file's order.
        events: Vec<EventType>,
    },
}

/// One type of facts.
#[derive(Debug, Clone, PartialEq)]
pub struct EventType {
    /// Its name, which is its record's.
    pub name: Spanned<String>,
    /// `doc`.
    pub doc: Option<String>,
    /// `when`: which changes give it.
    pub when: Option<Spanned<String>>,
    /// `fields`, in the file's order; none where an outbox's payload is passed through.
    pub fields: Vec<Field>,
    /// An outbox's: what its payload is.
    pub payload: Option<Payload>,
}

impl EventType {
    /// What an application writes for it: `type`, or its name.
    pub fn written(&self) -> &str {
        let said = self.payload.as_ref().and_then(|p| p.r#type.as_deref());
        said.unwrap_or(&self.name)
    }
}

/// A record that a product's events are made of.
#[derive(Debug, Clone, Copy)]
pub struct Record<'p> {
    /// The type of facts; None of an entity, which has one record.
    pub event: Option<&'p EventType>,
    /// Its fields.
    pub fields: &'p [Field],
}

/// A product; a retired one may have no fields, no key, and a table whose names are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// `product`.
    pub name: Spanned<ProductName>,
    /// `kind`, with what belongs to it.
    pub kind: Kind,
    /// `status`.
    pub status: Status,
    /// `owner.team`.
    pub team: String,
    /// `owner.contact`.
    pub contact: String,
    /// `description`.
    pub description: String,
    /// `sla`.
    pub sla: Sla,
    /// `compatibility`.
    pub compatibility: Compatibility,
    /// `source.table` or `source.tables`.
    pub tables: Tables,
    /// `source.where`.
    pub filter: Option<Spanned<String>>,
    /// `key`: names of fields.
    pub key: Vec<Spanned<String>>,
    /// `key_format`.
    pub key_format: KeyFormat,
    /// `key_unique.reason`.
    pub key_unique: Option<Spanned<String>>,
    /// `on_error`.
    pub on_error: OnError,
    /// `on_truncate`.
    pub on_truncate: OnTruncate,
    /// `on_mapping_change`, where it is said.
    pub on_mapping_change: Option<OnMappingChange>,
    /// `history`, of facts and outboxes.
    pub rows_before: RowsBefore,
    /// `unchanged_toast: stop` was said.
    pub accept_unchanged_toast: bool,
}

impl Product {
    /// Its records, in the file's order.
    pub fn records(&self) -> Vec<Record<'_>> {
        match &self.kind {
            Kind::Entity { fields } => vec![Record {
                event: None,
                fields,
            }],
            Kind::Events { events } | Kind::Outbox { events, .. } => {
                let record = |event| Record::of(event);
                events.iter().map(record).collect()
            }
        }
    }

    /// The topic of its rows that cannot be translated; None where they stop the gateway.
    pub fn quarantine_topic(&self) -> Option<String> {
        let unknown = self.outbox().map(|outbox| outbox.unknown_type);
        let has_one =
            self.on_error == OnError::Quarantine || unknown == Some(UnknownType::Quarantine);
        has_one.then(|| format!("{}.quarantine", self.name.value))
    }

    /// What an outbox says beside its events.
    pub fn outbox(&self) -> Option<&Outbox> {
        match &self.kind {
            Kind::Outbox { outbox, .. } => Some(outbox),
            _ => None,
        }
    }

    /// Whether rows that were there before give events: always an entity's.
    pub fn reads_rows(&self) -> bool {
        self.is_entity() || self.tells_rows()
    }

    /// Whether it tells rows that were there before as inserts: `history: insert`.
    pub fn tells_rows(&self) -> bool {
        !self.is_entity() && self.rows_before == RowsBefore::Insert
    }

    /// Whether its topic keeps the latest state of each key, and is filled with what was there.
    pub fn is_entity(&self) -> bool {
        matches!(self.kind, Kind::Entity { .. })
    }
}

impl<'p> Record<'p> {
    fn of(event: &'p EventType) -> Record<'p> {
        Record {
            event: Some(event),
            fields: &event.fields,
        }
    }

    /// The key's fields, in the key's order.
    pub fn key(self, key: &'p [Spanned<String>]) -> impl Iterator<Item = &'p Field> {
        key.iter()
            .filter_map(move |key| self.fields.iter().find(|f| f.name.value == key.value))
    }
}

impl Product {
    /// What its fields ask for, nested ones too, in the file's order.
    pub fn protections(&self) -> Vec<&Spanned<Protect>> {
        let fields = self.records().into_iter().flat_map(|r| r.fields);
        let all = fields.flat_map(Field::with_all_within);
        all.flat_map(|(_, field)| &field.protect).collect()
    }

    /// Every field with its path; of facts behind their event's name.
    fn paths(&self) -> Vec<(String, &Field)> {
        fn of(record: Record<'_>) -> Vec<(String, &Field)> {
            let event = record.event.map(|event| event.name.value.as_str());
            let fields = record.fields.iter().flat_map(Field::with_all_within);
            let named = fields.map(|(path, field)| match event {
                Some(event) => (format!("{event}.{path}"), field),
                None => (path, field),
            });
            named.collect()
        }
        self.records().into_iter().flat_map(of).collect()
    }

    /// What protects each field that anything protects: `hmac` for `email`.
    pub fn protection_words(&self) -> BTreeMap<String, String> {
        let word = |(path, field): (String, &Field)| {
            let word = field.protect.as_deref().and_then(Protect::word)?;
            Some((path, word.to_owned()))
        };
        self.paths().into_iter().filter_map(word).collect()
    }

    /// The field of that path, where its values are published as they are and the file gives no
    /// reason for it.
    pub fn bare(&self, path: &str) -> Option<&Field> {
        let all = self.paths();
        let dropped = |(around, field): &(String, &Field)| {
            let within = path.strip_prefix(around.as_str());
            matches!(field.protect.as_deref(), Some(Protect::Drop))
                && within.is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        let (_, field) = all.iter().find(|(own, _)| own == path)?;
        (field.protect.is_none() && !all.iter().any(dropped)).then_some(*field)
    }

    /// The key's fields, in the key's order; every type of facts has them alike.
    pub fn key_fields(&self) -> impl Iterator<Item = &Field> {
        let first = self.records().into_iter().next();
        first.into_iter().flat_map(|record| record.key(&self.key))
    }

    /// The key fields that are pseudonyms, with the name of the HMAC key of each.
    pub fn key_pseudonyms(&self) -> BTreeMap<String, String> {
        let of = |field: &Field| match field.protect.as_deref() {
            Some(Protect::Hmac(key)) => Some((field.name.value.clone(), key.clone())),
            _ => None,
        };
        self.key_fields().filter_map(of).collect()
    }
}
