//! A product's rows and changes, put through its mapping as a run would: translated, encoded, read
//! back, counted. Nothing of it is published.

use std::sync::Arc;
use std::time::SystemTime;

use apache_avro::Schema;
use onramp_connector::{Batch, Change, Item, Operation, TableDescription};
use onramp_event::{Arena, Record, RouteId};
use onramp_finding::{Failure, Kind, Place};
use onramp_language::{Gateway, KeyFormat, Product};
use onramp_translator::{
    Encoding, Examiner, Mapped, RowFault, RowLimits, Stopped, TableMapping, Translator,
};
use serde_json::Value;

use super::fields::{FieldInfo, flat, keep_back};
use super::profile::FieldProfile;
use super::tally::{KEY_CHARS, SAMPLES, Sample, Tally};
use crate::read_back::{self, FRAME};
use crate::run::attempt::row_limits;
use crate::run::contracts::{header_bytes, route, types};

/// An arena that holds this much is emptied.
const ARENA_BYTES: usize = 256 << 10;
/// So many of a reader's first events are read back, where whole tables are read, and one of so many
/// behind them: to read an event takes several times as long as to write it.
const READ_BACK: u64 = 1000;

/// A product with everything that its judges share.
pub(super) struct Looked {
    pub(super) name: String,
    pub(super) product: Arc<Product>,
    pub(super) fields: Vec<FieldInfo>,
    pub(super) mapping: TableMapping,
    /// One a record.
    value_schemas: Vec<Option<Schema>>,
    key_schema: Option<Schema>,
    keys: Vec<(String, Vec<u8>)>,
    limits: RowLimits,
    /// Whether raw values may be shown.
    show_rows: bool,
}

impl Looked {
    pub(super) fn new(
        gateway: &Gateway,
        product: &Product,
        table: &TableDescription,
        keys: &[(String, Vec<u8>)],
        show_rows: bool,
    ) -> Looked {
        let name = product.name.value.to_string();
        let contract = onramp_translator::contract(product);
        // The ids that schemas will have are not known; they are as long as any.
        let ids = vec![1_000_000; contract.values.len()];
        let types = types(&contract, &ids, &name, &gateway.registry.url);
        let route = route(gateway, name.clone(), gateway.kafka.partitions, types);
        let product = Arc::new(product.clone());
        let mapped = Mapped {
            route: RouteId(0),
            product: product.clone(),
            // What fails is told as it fails.
            quarantine: None,
            rows: None,
            encoding: Encoding {
                value_schema_ids: vec![0; contract.values.len()],
                key_schema_id: Some(0),
                partitions: gateway.kafka.partitions,
                header_bytes: header_bytes(gateway.headers, &route),
            },
        };
        Looked {
            name,
            fields: flat(&product),
            mapping: TableMapping {
                table: table.clone(),
                products: vec![mapped],
            },
            value_schemas: contract
                .values
                .iter()
                .map(|value| Schema::parse_str(&value.schema).ok())
                .collect(),
            key_schema: contract
                .key_schema
                .as_ref()
                .and_then(|schema| Schema::parse_str(schema).ok()),
            product,
            keys: keys.to_vec(),
            limits: row_limits(gateway),
            show_rows,
        }
    }

    /// The fields that the key is made of.
    fn key_fields(&self) -> impl Iterator<Item = &FieldInfo> {
        let of_key = |f: &&FieldInfo| self.product.key.iter().any(|k| k.value == f.path);
        self.fields.iter().filter(of_key)
    }

    /// Where the file tells of a field; of `where`, or of the product as such.
    pub(super) fn place_of(&self, field: &str) -> Place {
        let named = self.fields.iter().find(|f| f.path == field);
        match (named, &self.product.filter) {
            (Some(field), _) => field.place.clone(),
            (None, Some(filter)) if field == "where" => filter.place(),
            _ => {
                let mut within = self.fields.iter().flat_map(|f| &f.within);
                let inner = within.find(|inner| inner.path == field);
                inner.map_or_else(|| self.product.name.place(), |inner| inner.place.clone())
            }
        }
    }

    /// Whether keys may be shown as the source has them.
    pub(super) fn shows_keys(&self) -> bool {
        self.show_rows || !self.key_fields().any(FieldInfo::is_kept_back)
    }

    /// Whether a field's values may be shown as the source has them.
    pub(super) fn shows(&self, field: &FieldInfo) -> bool {
        self.show_rows || !field.is_kept_back()
    }

    fn key_of(&self, bytes: &[u8]) -> Option<String> {
        if !self.show_rows && self.key_fields().any(FieldInfo::is_kept_back_of_events) {
            return None;
        }
        match (self.product.key_format, &self.key_schema) {
            (KeyFormat::String, _) => Some(String::from_utf8_lossy(bytes).into_owned()),
            (KeyFormat::Avro, schema) => {
                let key = read_back::decode(schema.as_ref()?, bytes.get(FRAME..)?);
                key.ok().map(|key| key.to_string())
            }
        }
    }

    fn schema(&self, r#type: u16) -> Option<&Schema> {
        self.value_schemas.get(usize::from(r#type))?.as_ref()
    }

    /// An event as consumers would see it, less what is classified and not protected.
    fn event_of(&self, r#type: u16, bytes: &[u8]) -> Option<Value> {
        let datum = bytes.get(FRAME..)?;
        let mut event = read_back::decode(self.schema(r#type)?, datum).ok()?;
        if !self.show_rows {
            for field in &self.fields {
                if field.is_kept_back_of_events() {
                    let word = field.classification.as_deref().unwrap_or_default();
                    keep_back(&mut event, &field.path, word);
                }
                for inner in &field.within {
                    if let Some(word) = &inner.kept_back {
                        keep_back(&mut event, &inner.path, word);
                    }
                }
            }
        }
        Some(event)
    }
}

/// One reader's work on a product.
pub(super) struct Judge {
    pub(super) looked: Arc<Looked>,
    translator: Translator,
    examiner: Option<Examiner>,
    arena: Arena,
    /// Whether every event is read back.
    reads_all_back: bool,
    pub(super) tally: Tally,
}

impl Judge {
    pub(super) fn new(looked: Arc<Looked>, reads_all_back: bool) -> Judge {
        let mapping = vec![looked.mapping.clone()];
        Judge {
            translator: Translator::new(mapping, looked.keys.clone(), looked.limits),
            looked,
            examiner: None,
            arena: Arena::default(),
            reads_all_back,
            tally: Tally::default(),
        }
    }

    /// Rows that the table has, read in a run of this id.
    ///
    /// # Errors
    /// The table is no longer as the mapping was checked with.
    pub(super) fn rows(&mut self, batch: &Batch, run: &str) -> Result<(), Failure> {
        let now = SystemTime::UNIX_EPOCH.elapsed();
        let now_us = now.map_or(0, |since| since.as_micros() as i64);
        self.translator.begin_snapshot(run, now_us);
        self.items(batch)?;
        // Of facts each type has fields of its own, and which a row gives is told by its events.
        let Some(examiner) = self
            .examiner
            .as_mut()
            .filter(|_| self.looked.product.is_entity())
        else {
            return Ok(());
        };
        let fields = &mut self.tally.fields;
        if fields.is_empty() {
            fields.resize_with(self.looked.fields.len(), FieldProfile::default);
        }
        for item in &batch.items {
            if let Item::Change(Change {
                after: Some(row), ..
            }) = item
            {
                // A filter that fails was counted with the row.
                let _ = examiner.fields(batch, *row, |place, seen| {
                    if let Some(field) = fields.get_mut(place) {
                        field.see(&seen);
                    }
                });
            }
        }
        Ok(())
    }

    /// Changes that the log brings, of any table.
    ///
    /// # Errors
    /// As [`Judge::rows`].
    pub(super) fn changes(&mut self, batch: &Batch) -> Result<(), Failure> {
        self.items(batch)
    }

    fn items(&mut self, batch: &Batch) -> Result<(), Failure> {
        let mut next = 0;
        while next < batch.items.len() {
            // Until there are samples, one by one: an event does not tell the row it was made from.
            let end = match self.tally.samples.len() < SAMPLES {
                true => next + 1,
                false => batch.items.len(),
            };
            let items = next..end;
            let done = self
                .translator
                .apply(batch, items, &mut self.arena, ARENA_BYTES);
            let (after, fault) = match done {
                Ok(progress) => (progress.next, None),
                Err(Stopped::Row(fault)) => (fault.item + 1, Some(fault)),
                Err(Stopped::Table { findings, .. }) => {
                    return Err(Failure::all(Kind::Source, findings));
                }
            };
            self.count(batch, next..after)?;
            self.events(batch, next);
            if let Some(fault) = fault {
                self.fault(batch, &fault);
            }
            next = after;
        }
        Ok(())
    }

    /// Counts the rows of the product's table, and keeps the examiner fit for its layout.
    fn count(&mut self, batch: &Batch, items: std::ops::Range<usize>) -> Result<(), Failure> {
        for item in &batch.items[items] {
            let table = match item {
                Item::Layout(table) | Item::Truncate(table) => *table,
                Item::Change(change) => change.table,
                Item::Begin(_) | Item::Commit => continue,
            };
            let layout = batch.layout(table);
            let mapping = &self.looked.mapping;
            if layout.name != mapping.table.name {
                continue;
            }
            if self.examiner.as_ref().is_none_or(|e| !e.is_for(layout)) {
                let examiner = Examiner::new(layout, mapping, &self.looked.keys);
                let refused = |findings| Failure::all(Kind::Source, findings);
                self.examiner = Some(examiner.map_err(refused)?);
            }
            self.tally.read += u64::from(!matches!(item, Item::Layout(_)));
        }
        Ok(())
    }

    /// Takes the events out of the arena.
    fn events(&mut self, batch: &Batch, item: usize) {
        let arena = std::mem::take(&mut self.arena);
        let moves = self.looked.product.tables.moves;
        for record in &arena.records {
            if moves && record.value.is_some() {
                self.tally.keys.note(arena.slice(record.key));
            }
            match record.value {
                None => self.tally.tombstones += 1,
                Some(value) => {
                    self.tally.events += 1;
                    self.read_back(record.r#type, arena.slice(value));
                }
            }
            if self.tally.samples.len() < SAMPLES {
                let sample = self.sample(batch, item, &arena, record);
                self.tally.samples.push(sample);
            }
        }
        self.arena = arena;
        self.arena.recycle(ARENA_BYTES * 2);
    }

    fn read_back(&mut self, r#type: u16, event: &[u8]) {
        let number = self.tally.events;
        if !self.reads_all_back && number > READ_BACK && !number.is_multiple_of(READ_BACK) {
            return;
        }
        self.tally.read_back += 1;
        let same = match (self.looked.schema(r#type), event.get(FRAME..)) {
            (Some(schema), Some(datum)) => read_back::is_read_as_written(schema, datum),
            _ => false,
        };
        self.tally.read_otherwise += u64::from(!same);
    }

    fn sample(&mut self, batch: &Batch, item: usize, arena: &Arena, record: &Record) -> Sample {
        let (of, row) = match batch.items.get(item) {
            Some(Item::Change(change)) => {
                let is_log = matches!(
                    arena.transactions[record.transaction as usize].origin,
                    onramp_event::Origin::Log(_)
                );
                let of = match change.operation {
                    _ if !is_log => "row",
                    Operation::Insert => "insert",
                    Operation::Update => "update",
                    Operation::Delete => "delete",
                };
                (of, change.after.or(change.before))
            }
            _ => ("row", None),
        };
        let row = row.filter(|_| self.looked.show_rows);
        Sample {
            of,
            row: row
                .zip(self.examiner.as_ref())
                .map(|(row, examiner)| examiner.columns(batch, row)),
            key: self.looked.key_of(arena.slice(record.key)),
            event: record
                .value
                .and_then(|value| self.looked.event_of(record.r#type, arena.slice(value))),
        }
    }

    fn fault(&mut self, batch: &Batch, fault: &RowFault) {
        let shows_keys = self.looked.shows_keys();
        let Some(group) = self.tally.fails(fault).filter(|_| shows_keys) else {
            return;
        };
        if let (Some(Item::Change(change)), Some(examiner)) =
            (batch.items.get(fault.item), &mut self.examiner)
            && let Some(row) = change.after.or(change.before)
        {
            let key = examiner.key(batch, row);
            let short = key.map(|key| key.chars().take(KEY_CHARS).collect());
            group.keys.extend(short);
        }
    }
}
