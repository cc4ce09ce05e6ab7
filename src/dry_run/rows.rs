//! The rows that tables have: some, or all of them at the speed of a run's history, by as many
//! readers. What splits a table into ranges is history's own ([`ranges`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use onramp_connector::{Batch, Bound, ChunkLimits, ChunkRange, ChunkTable, Connector, TableReader};
use onramp_finding::codes::{running, source};
use onramp_finding::{Failure, Kind};
use onramp_language::Gateway;
use tokio::sync::{Mutex, oneshot};

use super::judge::{Judge, Looked};
use super::tally::Tally;
use crate::run::history::ranges::{self, Cursor, FIRST_PAUSE};

/// So long a reading that fails is tried again: a run has more time than whoever looks.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The first and the last of each table, by its key, so many in all.
    Sample(u32),
    /// Each.
    All,
}

/// A table with its products.
pub(super) struct Table {
    chunk: ChunkTable,
    pub(super) looked: Vec<Arc<Looked>>,
}

/// What was read of a table.
pub(super) struct ReadRows {
    /// By product, in the table's order.
    pub(super) tallies: Vec<Tally>,
    /// How many rows there are, roughly; None where the source has never counted.
    pub(super) about: Option<u64>,
    /// Whether every row was read.
    pub(super) all: bool,
    pub(super) seconds: f64,
}

/// How far a table is read, for whoever shows it.
#[derive(Debug, Default)]
pub(super) struct Far {
    pub(super) rows: AtomicU64,
    /// Zero where it is not known.
    pub(super) about: AtomicU64,
}

/// What all readings have in common.
pub(super) struct Parts {
    pub(super) connector: Arc<dyn Connector>,
    limits: ChunkLimits,
    readers: usize,
    /// What events' headers would have for the run's id: as long as one.
    run: String,
}

impl Parts {
    pub(super) fn new(gateway: &Gateway, connector: Arc<dyn Connector>, run: String) -> Parts {
        Parts {
            connector,
            limits: ranges::limits(gateway.snapshot.chunk_rows, gateway.limits.chunk),
            readers: gateway.snapshot.readers,
            run,
        }
    }
}

/// Sorts products by the table that they read together.
pub(super) fn tables(looked: &[Arc<Looked>]) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for one in looked {
        let described = &one.mapping.table;
        let columns = onramp_translator::columns(&one.product, described);
        let same = |t: &&mut Table| t.chunk.table == described.name;
        match tables.iter_mut().find(same) {
            Some(table) => {
                table.chunk.columns.extend(columns);
                table.chunk.columns.sort();
                table.chunk.columns.dedup();
                table.looked.push(one.clone());
            }
            None => tables.push(Table {
                chunk: ChunkTable {
                    table: described.name.clone(),
                    columns,
                    description: described.clone(),
                },
                looked: vec![one.clone()],
            }),
        }
    }
    tables
}

impl Table {
    pub(super) fn name(&self) -> String {
        self.chunk.table.to_string()
    }

    fn judges(&self, reads_all_back: bool) -> Vec<Judge> {
        let looked = self.looked.iter().cloned();
        looked.map(|l| Judge::new(l, reads_all_back)).collect()
    }
}

/// Reads a table.
pub(super) async fn read(
    parts: &Arc<Parts>,
    table: Arc<Table>,
    rows: Rows,
    far: &Arc<Far>,
) -> Result<ReadRows, Failure> {
    let began = Instant::now();
    let mut reader = parts.connector.table_reader(&table.chunk).await?;
    let about = reader.estimate().await?.rows;
    far.about.store(about.unwrap_or(0), Ordering::Relaxed);
    let (tallies, all) = match rows {
        Rows::Sample(most) => sample(parts, &table, reader.as_mut(), most, far).await?,
        Rows::All => {
            drop(reader);
            (all(parts, &table, far).await?, true)
        }
    };
    Ok(ReadRows {
        tallies,
        about,
        all,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The first rows and the last ones; every one where there are no more.
async fn sample(
    parts: &Parts,
    table: &Table,
    reader: &mut dyn TableReader,
    most: u32,
    far: &Far,
) -> Result<(Vec<Tally>, bool), Failure> {
    let last = most / 2;
    // Old rows and new ones differ most.
    let ranges = match reader.bound(None, most).await? {
        None => vec![ChunkRange::default()],
        Some(_) => {
            let first = ChunkRange {
                after: None,
                until: reader.bound(None, most - last).await?,
            };
            let behind: Option<Bound> = match last {
                0 => None,
                last => reader.before_last(last).await?,
            };
            let rest = behind.map(|after| ChunkRange {
                after: Some(after),
                until: None,
            });
            std::iter::once(first).chain(rest).collect()
        }
    };
    let all = ranges == [ChunkRange::default()];
    let mut judges = table.judges(true);
    for range in ranges {
        piece(
            parts,
            reader,
            range,
            &mut judges,
            far,
            &AtomicBool::new(false),
        )
        .await?;
    }
    Ok((judges.into_iter().map(|j| j.tally).collect(), all))
}

/// Every row, by several readers, each with a thread, a connection and a runtime of its own.
async fn all(
    parts: &Arc<Parts>,
    table: &Arc<Table>,
    far: &Arc<Far>,
) -> Result<Vec<Tally>, Failure> {
    let cursor = Arc::new(Mutex::new(Cursor::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let order = Arc::new(AtomicU64::new(0));
    let mut readings = Vec::new();
    for number in 0..parts.readers {
        let (parts, table, far) = (parts.clone(), table.clone(), far.clone());
        let (cursor, stop, order) = (cursor.clone(), stop.clone(), order.clone());
        let (tell, told) = oneshot::channel();
        let internal =
            |e: std::io::Error| Failure::internal(&running::INTERNAL, format!("no thread: {e}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(internal)?;
        std::thread::Builder::new()
            .name(format!("rows-{number}"))
            .spawn(move || {
                let reading = share(&parts, &table, (&cursor, &order), &far, &stop);
                let read = runtime.block_on(reading);
                if read.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                // Whoever waited is gone with the command.
                let _ = tell.send(read);
            })
            .map_err(internal)?;
        readings.push(told);
    }
    let mut whole: Vec<Tally> = table.looked.iter().map(|_| Tally::default()).collect();
    let (mut failed, mut shares) = (None, Vec::new());
    for told in readings {
        let died = || Failure::internal(&running::INTERNAL, "a reader's thread died");
        match told.await.unwrap_or_else(|_| Err(died())) {
            Ok(share) => shares.push(share),
            Err(failure) => {
                failed.get_or_insert(failure);
            }
        }
    }
    // Whoever read the table's start comes first: its events and keys are shown.
    shares.sort_by_key(|(first, _)| *first);
    for (_, tallies) in shares {
        for (whole, tally) in whole.iter_mut().zip(tallies) {
            whole.add(tally);
        }
    }
    failed.map_or(Ok(whole), Err)
}

/// One reader's share of a table, with the number of its first range.
async fn share(
    parts: &Parts,
    table: &Table,
    (cursor, order): (&Mutex<Cursor>, &AtomicU64),
    far: &Far,
    stop: &AtomicBool,
) -> Result<(u64, Vec<Tally>), Failure> {
    let mut first = u64::MAX;
    let mut reader = parts.connector.table_reader(&table.chunk).await?;
    let mut judges = table.judges(false);
    while !stop.load(Ordering::Relaxed) {
        let mut cursor = cursor.lock().await;
        let mut patience = Patience::default();
        let range = loop {
            match cursor.hand_out(reader.as_mut(), parts.limits.rows).await {
                Ok(range) => break range,
                Err(failure) => patience.pause(failure).await?,
            }
        };
        first = first.min(order.fetch_add(1, Ordering::Relaxed));
        drop(cursor);
        let Some(range) = range else { break };
        piece(parts, reader.as_mut(), range, &mut judges, far, stop).await?;
    }
    Ok((first, judges.into_iter().map(|j| j.tally).collect()))
}

/// Reads a range whole: where a limit ends a chunk, the rest is the next one.
async fn piece(
    parts: &Parts,
    reader: &mut dyn TableReader,
    mut range: ChunkRange,
    judges: &mut [Judge],
    far: &Far,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let mut batch = Batch::default();
    let mut patience = Patience::default();
    while !stop.load(Ordering::Relaxed) {
        let chunk = match reader.read(&range, parts.limits, &mut batch).await {
            Ok(chunk) => {
                patience = Patience::default();
                chunk
            }
            Err(failure) => {
                patience.pause(failure).await?;
                continue;
            }
        };
        for judge in judges.iter_mut() {
            judge.rows(&batch, &parts.run)?;
        }
        far.rows.fetch_add(chunk.rows.into(), Ordering::Relaxed);
        match chunk.last {
            None => return Ok(()),
            Some(last) => range = ranges::rest(&range, last),
        }
    }
    Ok(())
}

/// With a reading that fails, and is tried again.
struct Patience {
    since: Option<Instant>,
    longer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            since: None,
            longer: FIRST_PAUSE,
        }
    }
}

impl Patience {
    async fn pause(&mut self, failure: Failure) -> Result<(), Failure> {
        let since = self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= PATIENCE {
            return Err(failure);
        }
        ranges::pause(failure, &mut self.longer).await
    }
}

/// Whether a failure means that the source is out of reach, and not that one table is unfit.
pub(super) fn is_out_of_reach(failure: &Failure) -> bool {
    let lost = [
        &source::UNREACHABLE,
        &source::NOT_LET_IN,
        &source::AUTHENTICATION,
        &source::TLS_UNUSABLE,
    ];
    failure.kind == Kind::Source && failure.findings.iter().any(|f| lost.contains(&f.code))
}
