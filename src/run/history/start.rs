//! From runs in progress to tables that are open: which products read together, and S0.

use std::sync::Arc;

use onramp_connector::{ChunkTable, Connector, KeptLog, TableDescription};
use onramp_finding::codes::{mapping, running, source as codes};
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::Spanned;
use onramp_publisher::{HistoryRecord, Kafka, Stage, scan};
use onramp_translator::{Mapped, RowLimits, TableMapping, named_by};

use super::group::{Group, Opened};
use crate::health::Board;
use crate::run::attempt::blocking;

/// What every run of an attempt has in common.
pub(in crate::run) struct Parts {
    pub(in crate::run) connector: Arc<dyn Connector>,
    pub(in crate::run) kafka: Kafka,
    pub(in crate::run) board: Board,
    /// Every product's mapping, by table.
    pub(in crate::run) mappings: Vec<TableMapping>,
    /// The keys of protection.
    pub(in crate::run) keys: Vec<(String, Vec<u8>)>,
    /// `limits.row`, and what else bounds a translator.
    pub(in crate::run) limits: RowLimits,
    /// `limits.chunk`.
    pub(in crate::run) chunk_bytes: usize,
    /// `limits.changed_keys`.
    pub(in crate::run) changed_keys_bytes: usize,
    /// `snapshot`.
    pub(in crate::run) snapshot: onramp_language::Snapshot,
    /// This process.
    pub(in crate::run) instance: String,
}

impl Parts {
    /// A published product's mapping, of whichever of its tables.
    pub(super) fn mapped(&self, product: &str) -> Option<&Mapped> {
        Some(self.of(product).next()?.1)
    }

    /// A published product's mapping of the table that its run is to read next.
    fn next_of(&self, product: &str, run: &HistoryRecord) -> Option<(&TableMapping, &Mapped)> {
        let next = |mapping: &TableMapping| match run.left.first() {
            Some(table) => mapping.table.name.to_string() == *table,
            None => true,
        };
        self.of(product).find(|(mapping, _)| next(mapping))
    }

    /// A published product's tables.
    pub(super) fn tables_of(&self, product: &str) -> Vec<TableDescription> {
        let tables = self.of(product);
        tables.map(|(mapping, _)| mapping.table.clone()).collect()
    }

    /// A published product's mapping, with each of its tables'.
    fn of(&self, product: &str) -> impl Iterator<Item = (&TableMapping, &Mapped)> {
        self.mappings.iter().filter_map(move |mapping| {
            let of = |m: &&Mapped| m.product.name.value.to_string() == product;
            Some((mapping, mapping.products.iter().find(of)?))
        })
    }
}

/// Products of one table that stand at the same key, before their table is opened.
struct Together {
    table: ChunkTable,
    mapping: TableMapping,
    records: Vec<(String, HistoryRecord)>,
}

/// Opens the tables of runs whose products' keys are remembered already, and takes S0: everything
/// that had begun by then must have ended for a reading that counts.
pub(super) async fn open(
    parts: &Parts,
    mut records: Vec<(String, HistoryRecord)>,
) -> Result<Vec<Opened>, Failure> {
    for (product, record) in &mut records {
        if record.reconcile && record.topic_ends.is_empty() {
            // Before S0: whatever was published before these ends, every chunk sees.
            let (kafka, topic) = (parts.kafka.clone(), product.clone());
            record.topic_ends = blocking(move || scan::ends(&kafka, &topic)).await?;
        }
    }
    if let Some(kept) = parts.connector.kept_log().await? {
        parts.board.log(kept);
        crowded(&kept);
    }
    let floor = parts.connector.visibility().await?.next();
    let mut opened = Vec::new();
    for one in together(parts, &records) {
        opened.push(open_one(parts, one, floor).await?);
    }
    Ok(opened)
}

/// Sorts runs: products of one table that stand at the same key read it together.
fn together(parts: &Parts, records: &[(String, HistoryRecord)]) -> Vec<Together> {
    let mut all: Vec<Together> = Vec::new();
    for (name, record) in records {
        let Some((mapping, mapped)) = parts.next_of(name, record) else {
            // Retired since: nothing of it is published.
            continue;
        };
        let same = |t: &&mut Together| {
            let first = &t.records[0].1;
            let at = |r: &HistoryRecord| {
                let HistoryRecord {
                    run,
                    stage,
                    after,
                    filter,
                    key,
                    left,
                    ..
                } = r.clone();
                (run, stage, after, filter, key, left)
            };
            t.table.table == mapping.table.name && at(first) == at(record)
        };
        let columns = onramp_translator::columns(&mapped.product, &mapping.table);
        let mapped = narrowed(mapped, record.filter.as_deref());
        let record = (name.clone(), record.clone());
        match all.iter_mut().find(same) {
            Some(there) => {
                there.mapping.products.push(mapped);
                there.records.push(record);
                there.table.columns.extend(columns);
                there.table.columns.sort();
                there.table.columns.dedup();
            }
            None => all.push(Together {
                table: ChunkTable {
                    table: mapping.table.name.clone(),
                    columns,
                    description: mapping.table.clone(),
                },
                mapping: TableMapping {
                    table: mapping.table.clone(),
                    products: vec![mapped],
                },
                records: vec![record],
            }),
        }
    }
    all
}

/// The product with a further condition on its rows.
fn narrowed(mapped: &Mapped, filter: Option<&str>) -> Mapped {
    let Some(filter) = filter else {
        return mapped.clone();
    };
    let mut product = (*mapped.product).clone();
    let own = product.filter.take();
    let value = match &own {
        Some(own) => format!("({}) && ({filter})", own.value),
        None => filter.to_owned(),
    };
    product.filter = Some(Spanned {
        value,
        file: product.name.file.clone(),
        span: own.map_or(product.name.span, |own| own.span),
    });
    Mapped {
        product: Arc::new(product),
        ..mapped.clone()
    }
}

/// Opens a table: its key and how much there is.
async fn open_one(parts: &Parts, mut one: Together, floor: u64) -> Result<Opened, Failure> {
    let mut table = parts.connector.table_reader(&one.table).await?;
    let mut estimate = table.estimate().await?;
    if let Some((product, record)) = one.records.first() {
        estimate.rows = whole_estimate(parts, product, record, estimate.rows);
    }
    let rows = estimate.rows.unwrap_or_default();
    let key = table.key().to_vec();
    for (product, record) in &mut one.records {
        if !record.secret.is_empty() && !named_by(&one.table.description, &key) {
            return Err(named_otherwise(product, &one.table));
        }
        if record.after.is_some() && record.key != key && !record.secret.is_empty() {
            return Err(rekeyed(product));
        }
        if record.after.is_some() && record.key != key {
            tracing::warn!(%product, "the table's key, or its order, changed: its rows are read from the start");
            record.after = None;
            record.rows = 0;
            // Its snapshot events have ids of their own: what was told before may be told again.
            record.run = format!("{}-rekeyed", parts.instance);
        }
        record.key.clone_from(&key);
        tracing::info!(
            %product,
            table = %one.table.table,
            rows,
            bytes = estimate.bytes,
            run = record.run,
            goes_on = record.after.is_some() || record.stage == Stage::Reconciling,
            "history begins"
        );
    }
    Ok(Opened {
        group: Group::new(one.table, one.mapping, floor),
        records: one.records,
        estimate,
    })
}

/// A row that moves among those that are read, and keeps its name, would be told twice.
fn named_otherwise(product: &str, table: &ChunkTable) -> Failure {
    let message = format!(
        "the rows of {} are read by other columns than they are told apart by",
        table.table
    );
    let finding = Finding::error(&mapping::ROWS_NAMELESS, Place::Nowhere, message)
        .because(mapping::ROWS_NAMELESS.reason)
        .remedy("give the table a primary key of plain columns, or write `history: none`")
        .of_product(product.to_owned());
    Failure::stop(Kind::Configuration, finding)
}

/// How far a run came means nothing under another key, and rows that are told once cannot be read from
/// the start.
fn rekeyed(product: &str) -> Failure {
    let message =
        format!("the table's key, or its order, changed while its rows were told to {product}");
    let finding = Finding::error(&running::HISTORY_LATE, Place::Nowhere, message)
        .because("how far the run came is told by that key: nobody knows which rows are left")
        .remedy("write `history: none`, or make it a new version, whose topic begins with the rows")
        .of_product(product.to_owned());
    Failure::stop(Kind::Configuration, finding)
}

/// The rows of a run, those of tables before and behind this one included.
fn whole_estimate(
    parts: &Parts,
    product: &str,
    record: &HistoryRecord,
    of_table: Option<u64>,
) -> Option<u64> {
    let mut rows = of_table?;
    for table in record.left.iter().skip(1) {
        let mut mappings = parts.of(product).map(|(mapping, _)| &mapping.table);
        let described = mappings.find(|described| described.name.to_string() == *table)?;
        rows += described.rows_estimate?;
    }
    let before = match (record.tables.is_empty(), &record.after) {
        (false, None) => record.rows,
        _ => 0,
    };
    Some(rows + before)
}

/// Says so where the log that is kept already leaves little room. The slot moves on during a run as
/// it does without one; but what is behind is read more slowly while rows are published too.
fn crowded(kept: &KeptLog) {
    let Some(room_bytes) = kept.room_bytes.filter(|room| *room < kept.bytes) else {
        return;
    };
    tracing::warn!(
        code = codes::LITTLE_ROOM.id,
        kept_bytes = kept.bytes,
        room_bytes,
        remedy = codes::LITTLE_ROOM.remedy,
        "history begins while the slot keeps more log than there is room left for"
    );
}
