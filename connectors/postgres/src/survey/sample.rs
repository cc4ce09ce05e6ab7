//! A few rows of a table, and never the whole of a large one.
//!
//! A table of few pages is read from its beginning, and where it has more rows than are wanted, from
//! all over. Of a larger one TABLESAMPLE SYSTEM reads pages
//! from all over it, so many as the rows need; where those hold nothing, a range of ctid reads the
//! first pages and ends there, however many dead rows they hold.

use std::time::Duration;

use onramp_connector::{
    Column, Ident, Sample, SampleLimits, Sampled, SampledColumn, SurveyedTable, ValueType,
};
use onramp_finding::Failure;
use tokio_postgres::Row;

use crate::catalogue::session::{Session, speaks_of_names};
use crate::catalogue::sql;

/// For what the catalogue answers, and may wait for a lock.
pub(super) const SHORT: SampleLimits = SampleLimits {
    rows: 1,
    statement: Duration::from_secs(5),
    lock: Duration::from_millis(500),
};

/// A table of no more pages is read from its beginning.
const SMALL_PAGES: i64 = 256;
/// The most pages that are sampled of a larger one, on average.
const SAMPLED_PAGES: f64 = 1024.0;
/// Rows of a page, where the server has not counted.
const ROWS_A_PAGE: f64 = 20.0;

// The pages as they are; a root's are those of its leaves. A size is asked for under a lock, which is
// why it is asked here.
const PAGES: &str = "
SELECT coalesce(sum(pg_relation_size(l.oid) / current_setting('block_size')::int8), 0)::int8,
       coalesce(sum(l.relpages) FILTER (WHERE l.reltuples >= 0), 0)::int8,
       coalesce(sum(l.reltuples) FILTER (WHERE l.reltuples >= 0), 0)::float8
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class l ON (l.oid = c.oid AND c.relkind <> 'p')
    OR l.oid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf)
 WHERE n.nspname = $1 AND c.relname = $2";

/// Samples a table.
pub(super) async fn take(
    session: &Session,
    table: &SurveyedTable,
    limits: &SampleLimits,
) -> Result<Sampled, Failure> {
    let described = &table.description;
    let columns = &described.columns;
    let wanted = limits.rows_of(columns.len());
    let pages = match bounded(session, limits, PAGES, &described.name).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(Sampled::Not(reason)),
    };
    let Some(pages) = pages.first() else {
        return Ok(Sampled::Not("the table is gone".into()));
    };
    let (all, counted, rows): (i64, i64, f64) = (pages.get(0), pages.get(1), pages.get(2));
    let small = all <= SMALL_PAGES;
    let statement = |from: &str| {
        format!(
            "SELECT {} FROM {} t {from} LIMIT {}",
            list(columns),
            sql::table(&described.name),
            // More than are wanted tell that these are not all, and are thinned out below: cut off,
            // the last pages would be missing.
            u64::from(wanted) * 2
        )
    };
    let first_pages = statement(&format!(
        "WHERE t.ctid < '({SMALL_PAGES},0)'::pg_catalog.tid"
    ));
    let asked = match small {
        true => statement(""),
        false => statement(&format!(
            "TABLESAMPLE SYSTEM ({:.6}) REPEATABLE (1)",
            percent(wanted, all, counted, rows)
        )),
    };
    let mut found = match unnamed(session, limits, &asked).await? {
        Ok(found) => found,
        Err(reason) => return Ok(Sampled::Not(reason)),
    };
    if found.is_empty() && !small {
        found = match unnamed(session, limits, &first_pages).await? {
            Ok(found) => found,
            Err(reason) => return Ok(Sampled::Not(reason)),
        };
    }
    let whole = small && found.len() <= wanted as usize;
    if small && !whole {
        // The first rows are the oldest: of few pages each can be looked at.
        let rows = rows.max(f64::from(wanted));
        let share = (150.0 * f64::from(wanted) / rows).clamp(0.01, 100.0);
        let spread = statement(&format!(
            "TABLESAMPLE BERNOULLI ({share:.6}) REPEATABLE (1)"
        ));
        if let Ok(spread) = unnamed(session, limits, &spread).await?
            && spread.len() * 2 >= wanted as usize
        {
            found = spread;
        }
    }
    let found = thinned(found, wanted as usize);
    Ok(Sampled::Rows(Sample {
        rows: found.len(),
        whole,
        columns: (columns.iter().enumerate())
            .map(|(at, described)| column(&found, at, described))
            .collect(),
    }))
}

/// So many of the rows, from all over them. Not each n-th: rows written in turns (a code a row, over
/// and over) would lose one of them.
fn thinned<T>(rows: Vec<T>, wanted: usize) -> Vec<T> {
    if rows.len() <= wanted {
        return rows;
    }
    let mut mixed: Vec<(u64, T)> = (0..).map(mixed).zip(rows).collect();
    mixed.sort_unstable_by_key(|(place, _)| *place);
    mixed.truncate(wanted);
    mixed.into_iter().map(|(_, row)| row).collect()
}

/// A number that looks like none of its neighbours' (splitmix64), and is the same each time.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The share of pages that gives the rows, and half as many more: pages differ.
fn percent(wanted: u32, all: i64, counted: i64, rows: f64) -> f64 {
    let a_page = match counted > 0 && rows > 0.0 {
        true => (rows / counted as f64).max(0.01),
        false => ROWS_A_PAGE,
    };
    let pages = (f64::from(wanted) * 1.5 / a_page).clamp(8.0, SAMPLED_PAGES);
    (100.0 * pages / all.max(1) as f64).clamp(0.000_001, 100.0)
}

/// What is selected of each column: its text where that says something, else whether it is there.
fn list(columns: &[Column]) -> String {
    let one = |column: &Column| {
        let name = format!("t.{}", sql::identifier(&column.name));
        match has_text(column) {
            true => format!(
                "pg_catalog.substr({name}::pg_catalog.text, 1, {})",
                SampleLimits::CHARACTERS
            ),
            false => format!("CASE WHEN {name} IS NOT NULL THEN ''::pg_catalog.text END"),
        }
    };
    let all: Vec<String> = columns.iter().map(one).collect();
    match all.is_empty() {
        true => "''::pg_catalog.text".to_owned(),
        false => all.join(", "),
    }
}

/// Whether its values' text says something of what they mean.
fn has_text(column: &Column) -> bool {
    matches!(
        column.value_type,
        ValueType::Text | ValueType::Int(_) | ValueType::Decimal(_)
    )
}

fn column(rows: &[Row], at: usize, described: &Column) -> SampledColumn {
    let mut sampled = SampledColumn::default();
    let told = has_text(described);
    for row in rows {
        match row.get::<_, Option<String>>(at) {
            None => sampled.nulls += 1,
            Some(text) if told => sampled.texts.push(text),
            Some(_) => {}
        }
    }
    sampled
}

/// Asks about a table, read-only and within the limits; the inner error is the server's reason for
/// giving up, without a value.
pub(super) async fn bounded(
    session: &Session,
    limits: &SampleLimits,
    statement: &str,
    table: &Ident,
) -> Result<Result<Vec<Row>, String>, Failure> {
    within(session, limits, statement, Some(table)).await
}

async fn unnamed(
    session: &Session,
    limits: &SampleLimits,
    statement: &str,
) -> Result<Result<Vec<Row>, String>, Failure> {
    within(session, limits, statement, None).await
}

async fn within(
    session: &Session,
    limits: &SampleLimits,
    statement: &str,
    table: Option<&Ident>,
) -> Result<Result<Vec<Row>, String>, Failure> {
    let begin = format!(
        "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}",
        limits.statement.as_millis(),
        limits.lock.as_millis()
    );
    session.run(&begin).await.map_err(|e| session.refused(&e))?;
    let rows = match table {
        Some(table) => {
            session
                .try_query(statement, &[&table.schema, &table.table])
                .await
        }
        None => session.once(statement).await,
    };
    if session.is_open() {
        session
            .run("ROLLBACK")
            .await
            .map_err(|e| session.refused(&e))?;
    }
    let error = match rows {
        Ok(rows) => return Ok(Ok(rows)),
        Err(error) => error,
    };
    match error.as_db_error() {
        None => Err(session.refused(&error)),
        Some(db) => Ok(Err(reason(db.code().code(), db.message(), limits))),
    }
}

fn reason(state: &str, message: &str, limits: &SampleLimits) -> String {
    match state {
        "57014" => format!("it took longer than {:?}", limits.statement),
        "55P03" => format!("others hold a lock on it for longer than {:?}", limits.lock),
        "42501" => "the role may not read it: GRANT SELECT".to_owned(),
        state if speaks_of_names(state) => format!("{message} (SQLSTATE {state})"),
        state => {
            format!("SQLSTATE {state}; the server's log has the message, which may hold values")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{percent, thinned};

    #[test]
    fn rows_are_thinned_from_all_over_whatever_their_turns() {
        assert_eq!(thinned(vec![1, 2], 3), [1, 2]);
        for turns in 2..20 {
            let rows = thinned((0..1500).collect(), 1000);
            assert_eq!(rows.len(), 1000);
            for turn in 0..turns {
                let seen = rows.iter().filter(|row| *row % turns == turn).count();
                assert!(seen > 1000 / turns / 2, "{turn} of {turns}: {seen}");
            }
        }
    }

    #[test]
    fn a_large_table_is_sampled_by_so_many_pages_as_the_rows_need() {
        // 100 rows a page: 15 pages of 10 000.
        assert_eq!(percent(1000, 10_000, 10_000, 1_000_000.0), 0.15);
        // One row a page would need more than the most.
        assert_eq!(percent(10_000, 102_400, 102_400, 102_400.0), 1.0);
        // Never counted.
        assert_eq!(percent(1000, 7_500, 0, 0.0), 1.0);
    }
}
