//! Which products read their tables' rows, how they share the reading, and the readers' threads.

use std::sync::Arc;

use onramp_connector::{ChunkLimits, ChunkTable, Connector};
use onramp_finding::Failure;
use onramp_finding::codes::running;
use onramp_language::{Gateway, Spanned};
use onramp_publisher::{HistoryRecord, Stage};
use onramp_translator::{Mapped, TableMapping};
use tokio::sync::{mpsc, watch};

use super::changed::ChangedKeys;
use super::group::Group;
use super::pieces::Shared;
use super::reader::{Readers, read};
use super::{History, Run};
use crate::health::Board;

/// What the runs of an attempt begin with.
pub(in crate::run) struct Runs<'r> {
    pub(in crate::run) gateway: &'r Gateway,
    pub(in crate::run) connector: &'r Arc<dyn Connector>,
    pub(in crate::run) board: &'r Board,
    /// Every product's mapping, by table.
    pub(in crate::run) mappings: &'r [TableMapping],
    /// The keys of protection.
    pub(in crate::run) keys: &'r [(String, Vec<u8>)],
    /// The products' runs, by name.
    pub(in crate::run) records: Vec<(String, HistoryRecord)>,
}

/// Products of one table that stand at the same key, before their table is opened.
struct Together {
    table: ChunkTable,
    mapping: TableMapping,
    records: Vec<(String, HistoryRecord)>,
}

/// Begins or goes on with the runs that are not done; None where there is none.
///
/// To be called once the stream is open and before anything was read from it: keys are remembered
/// from the first batch on, and S0 is taken here.
pub(in crate::run) async fn start(runs: Runs<'_>) -> Result<Option<History>, Failure> {
    let together = together(&runs);
    if together.is_empty() {
        return Ok(None);
    }
    let floor = runs.connector.visibility().await?.next();
    let shared = Arc::new(Shared::default());
    shared.raise_floor(floor);
    let limits = &runs.gateway.limits;
    let mut changed = ChangedKeys::new(limits.changed_keys, floor);
    let mut groups = Vec::with_capacity(together.len());
    for (index, one) in together.into_iter().enumerate() {
        let group = open(&runs, one, index, floor).await?;
        for route in group.routes() {
            changed.watch(route);
        }
        groups.push(Arc::new(group));
    }
    let (arrivals, arrived) = mpsc::unbounded_channel();
    let (end, ended) = watch::channel(());
    let readers = Arc::new(Readers {
        connector: runs.connector.clone(),
        shared: shared.clone(),
        groups: groups.clone(),
        keys: runs.keys.to_vec(),
        row_bytes: limits.row,
        limits: ChunkLimits {
            rows: runs.gateway.snapshot.chunk_rows,
            bytes: limits.chunk,
            record_bytes: limits.chunk,
        },
        arrivals,
        board: runs.board.clone(),
    });
    for number in 0..runs.gateway.snapshot.readers {
        thread(number, readers.clone(), ended.clone())?;
    }
    Ok(Some(History {
        connector: runs.connector.clone(),
        changed,
        arrivals: arrived,
        shared,
        runs: groups
            .into_iter()
            .map(|group| Run {
                next: group.begins.clone(),
                group,
                waiting: std::collections::HashMap::new(),
                done: false,
            })
            .collect(),
        _end: end,
    }))
}

fn thread(
    number: usize,
    readers: Arc<Readers>,
    mut ended: watch::Receiver<()>,
) -> Result<(), Failure> {
    let no_thread = |e: std::io::Error| {
        Failure::internal(&running::INTERNAL, format!("no thread to read tables: {e}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(no_thread)?;
    std::thread::Builder::new()
        .name(format!("history-{number}"))
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = read(&readers) => {}
                    // Its sender is gone: so is the attempt.
                    _ = ended.changed() => {}
                }
            });
        })
        .map_err(no_thread)?;
    Ok(())
}

/// Sorts the runs that are not done: products of one table that stand at the same key read it
/// together.
fn together(runs: &Runs<'_>) -> Vec<Together> {
    let mut all: Vec<Together> = Vec::new();
    for (name, record) in &runs.records {
        if record.stage == Stage::Done {
            continue;
        }
        let of = |m: &&Mapped| m.product.name.value.to_string() == *name;
        let Some((mapping, mapped)) = runs
            .mappings
            .iter()
            .find_map(|mapping| Some((mapping, mapping.products.iter().find(of)?)))
        else {
            // Retired since: nothing of it is published.
            continue;
        };
        let same = |t: &&mut Together| {
            let first = &t.records[0].1;
            t.table.table == mapping.table.name
                && (&first.run, &first.after, &first.filter, &first.key)
                    == (&record.run, &record.after, &record.filter, &record.key)
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
async fn open(
    runs: &Runs<'_>,
    mut one: Together,
    index: usize,
    floor: u64,
) -> Result<Group, Failure> {
    let mut table = runs.connector.table_reader(&one.table).await?;
    let estimate = table.estimate().await?;
    for (product, record) in &mut one.records {
        if record.after.is_some() && record.key != table.key() {
            tracing::warn!(%product, "the table's key changed: its rows are read from the start");
            record.after = None;
        }
        record.key = table.key().to_vec();
        let rows = estimate.rows.unwrap_or_default();
        metrics::gauge!("onramp_history_rows_estimate", "product" => product.clone())
            .set(rows as f64);
        metrics::gauge!("onramp_history_rows", "product" => product.clone())
            .set(record.rows as f64);
        metrics::gauge!("onramp_history_running", "product" => product.clone()).set(1.0);
        tracing::info!(
            %product,
            table = %one.table.table,
            rows,
            bytes = estimate.bytes,
            run = record.run,
            goes_on = record.after.is_some(),
            "history begins"
        );
    }
    Ok(Group::new(
        index,
        one.table,
        one.mapping,
        one.records,
        floor,
        estimate.rows,
    ))
}
