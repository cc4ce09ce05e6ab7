//! How many rows would be read, and how long that takes, told by a sample of them.

use std::time::Instant;

use onramp_connector::{Batch, ChunkLimits, ChunkRange, ChunkTable};
use onramp_finding::Failure;
use onramp_language::{Gateway, Product};
use onramp_publisher::HistoryRecord;

use super::Rows;
use super::look::Source;
use crate::run::contracts;

/// What a run over the product's rows has before it; None where its table is not there. `sample` says
/// whether rows are read to tell their rate: one chunk of them, in a short read-only transaction.
pub(super) async fn expected(
    gateway: &Gateway,
    source: &Source,
    product: &Product,
    run: &HistoryRecord,
    sample: bool,
) -> Result<Option<Rows>, Failure> {
    let table = contracts::ident(product);
    let Some(description) = source.described.iter().find(|t| t.name == table) else {
        return Ok(None);
    };
    let wanted = ChunkTable {
        columns: onramp_translator::columns(product, description),
        table,
        description: description.clone(),
    };
    let mut reader = source.connector.table_reader(&wanted).await?;
    let estimate = reader.estimate().await?;
    let mut expected = Rows {
        table: wanted.table,
        rows: estimate.rows.map(|rows| rows.saturating_sub(run.rows)),
        bytes: estimate.bytes,
        seconds: None,
        reconcile: run.reconcile,
    };
    if sample {
        let limits = ChunkLimits {
            rows: gateway.snapshot.chunk_rows,
            bytes: gateway.limits.chunk,
            record_bytes: gateway.limits.row,
        };
        let (mut batch, begun) = (Batch::default(), Instant::now());
        let read = reader
            .read(&ChunkRange::default(), limits, &mut batch)
            .await?;
        let per_row = begun.elapsed().as_secs_f64() / f64::from(read.rows.max(1));
        // A sample that holds the whole table has counted it.
        if read.last.is_none() {
            expected.rows = Some(read.rows.into());
        }
        expected.seconds = expected.rows.map(|rows| rows as f64 * per_row);
    }
    Ok(Some(expected))
}
