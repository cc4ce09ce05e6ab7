//! Reads one table over a connection of its own.

use async_trait::async_trait;
use onramp_connector::{
    Batch, Bound, Chunk, ChunkLimits, ChunkRange, ChunkTable, Item, Position, Span, TableEstimate,
    TableId, TableReader,
};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

use super::client::{Client, Copied, End, Texts, failure};
use super::copy::{self, Most, Rows};
use super::key::ROW;
use super::opening::{Opening, opening};
use super::shape::{self, Shape};
use crate::catalogue::session::Session;
use crate::stream::{Followed, Mapped, Numbers};
use crate::target::Target;
use crate::wire::{ServerError, WireError};

/// A batch's places are 32 bits wide; this keeps them so.
const BYTES_MAX: usize = 1 << 30;
/// So often may a table change before a chunk of it is given up for now.
const SHAPES_MAX: usize = 3;

/// The table of one reader.
pub(crate) struct Reader {
    target: Target,
    mapped: Mapped,
    numbers: Numbers,
    followed: Followed,
    table: ChunkTable,
    shape: Shape,
    /// What [`TableReader::key`] tells.
    key: Vec<String>,
    /// None before the first call, and after one that failed or was cancelled.
    client: Option<Client>,
    /// What a row of the last chunk took, so that the next asks for no more rows than it can take.
    row_bytes: Option<usize>,
}

impl Reader {
    /// Looks at the table; connects when it is first asked for something.
    pub(crate) async fn new(
        target: &Target,
        mapped: &Mapped,
        numbers: &Numbers,
        followed: &Followed,
        table: &ChunkTable,
    ) -> Result<Reader, Failure> {
        let shape = Shape::read(&Session::open(target).await?, table).await?;
        mapped.check(shape.oid, &table.table)?;
        if !shape.key.primary {
            tracing::info!(table = %table.table, index = shape.key.index_name,
                "read by a unique index: there is no primary key that will do");
        }
        Ok(Reader {
            target: target.clone(),
            mapped: mapped.clone(),
            numbers: numbers.clone(),
            followed: followed.clone(),
            table: table.clone(),
            key: shape.key.ordered(),
            shape,
            client: None,
            row_bytes: None,
        })
    }

    /// The connection, taken: whoever is done with it puts it back, and a call that ends otherwise
    /// leaves none behind.
    async fn client(&mut self) -> Result<Client, Failure> {
        match self.client.take() {
            Some(client) => Ok(client),
            None => Client::open(&self.target).await,
        }
    }

    fn failed(&self, error: WireError) -> Failure {
        failure(&self.target, error)
    }

    fn refused(&self, error: ServerError) -> Failure {
        match error.state.as_str() {
            // undefined_table, invalid_schema_name
            "42P01" | "3F000" => shape::gone(&self.table.table),
            _ => self.failed(WireError::Server(error)),
        }
    }

    /// Runs one statement that gives rows.
    async fn query(&mut self, sql: &str) -> Result<Vec<Texts>, Failure> {
        let mut client = self.client().await?;
        match client.run(sql).await.map_err(|error| self.failed(error))? {
            (rows, End::Done) => {
                self.client = Some(client);
                Ok(rows)
            }
            (_, End::Refused(error)) => Err(self.refused(error)),
            (_, End::Copying) => Err(self.strange("a COPY that nobody asked for")),
        }
    }

    fn strange(&self, what: &str) -> Failure {
        self.failed(WireError::Protocol(what.to_owned()))
    }

    /// The conditions of a range, as a WHERE clause.
    fn within(&self, range: &ChunkRange) -> Result<String, Failure> {
        let key = &self.shape.key;
        let after = range.after.as_ref().map(|bound| key.behind(bound));
        let until = range.until.as_ref().map(|bound| key.up_to(bound));
        let mut conditions = Vec::new();
        for condition in [after, until].into_iter().flatten() {
            conditions.push(condition.ok_or_else(|| shape::key_changed(&self.table.table))?);
        }
        Ok(match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        })
    }

    /// A chunk's whole transaction. The lock comes before the first snapshot: what TRUNCATE or a
    /// rewrite does to the rows is no matter of snapshots, so neither may come between. The
    /// insert position comes after it: every commit that is seen lies before.
    fn statements(&self, range: &ChunkRange, rows: u32) -> Result<String, Failure> {
        let Shape {
            from,
            columns,
            mark_sql,
            key,
            ..
        } = &self.shape;
        let within = self.within(range)?;
        Ok(format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             LOCK TABLE {from} IN ACCESS SHARE MODE;
             SELECT {};
             COPY (SELECT {columns} FROM {from} AS {ROW}{within} ORDER BY {} LIMIT {})
               TO STDOUT (FORMAT binary);
             COMMIT",
            opening(mark_sql),
            key.order(),
            u64::from(rows) + 1,
        ))
    }

    /// Looks at the table again, since it is not what it was.
    async fn reshape(&mut self) -> Result<(), Failure> {
        let shape = Shape::read(&Session::open(&self.target).await?, &self.table).await?;
        self.mapped.check(shape.oid, &self.table.table)?;
        if shape.oid != self.shape.oid {
            return Err(self.replaced());
        }
        // A key of other types or another order has other places, even under the same names.
        if shape.key.columns != self.shape.key.columns {
            return Err(shape::key_changed(&self.table.table));
        }
        self.shape = shape;
        Ok(())
    }

    fn replaced(&self) -> Failure {
        let table = &self.table.table;
        Failure::stop(
            Kind::Source,
            Finding::error(
                &codes::TABLE_MOVED,
                Place::Source(format!("table {table}")),
                format!("{table} is another table than it was at the start"),
            )
            .because(codes::TABLE_MOVED.reason)
            .remedy(codes::TABLE_MOVED.remedy),
        )
    }

    fn too_large(&self, bytes: usize, limit: usize) -> Failure {
        let table = &self.table.table;
        Failure::stop(
            Kind::Data,
            Finding::error(
                &codes::RECORD_TOO_LARGE,
                Place::Source(format!("table {table}")),
                format!("a row of {table} takes {bytes} bytes; {limit} are allowed"),
            )
            .because(codes::RECORD_TOO_LARGE.reason)
            .remedy(codes::RECORD_TOO_LARGE.remedy),
        )
    }

    /// One try. None where the table turned out to be another than it was.
    async fn chunk(
        &mut self,
        range: &ChunkRange,
        most: Most,
        batch: &mut Batch,
    ) -> Result<Option<Chunk>, Failure> {
        let asked = self.ask_rows(most);
        let statements = self.statements(range, asked)?;
        let mut client = self.client().await?;
        let answer = client.run(&statements).await;
        let (rows, end) = answer.map_err(|error| self.failed(error))?;
        if rows.is_empty() {
            return match end {
                End::Refused(error) => Err(self.refused(error)),
                _ => Err(self.strange("a transaction without an answer")),
            };
        }
        let strange = || self.strange("a position in the log");
        let opening = Opening::read(&rows, &self.followed, strange)?;
        self.numbers.reached(opening.visibility.next());
        // Before anything that an altered table may have caused is taken for an error.
        if opening.mark.as_deref() != Some(&self.shape.mark) {
            return Ok(None);
        }
        match end {
            End::Copying => {}
            End::Refused(error) => return Err(self.refused(error)),
            End::Done => return Err(self.strange("a transaction without its rows")),
        }
        let columns = self.shape.layout.columns.len() as u16;
        let mut copied = Rows::new(
            columns,
            Most {
                rows: asked,
                ..most
            },
        );
        let room = most.bytes + most.record_bytes;
        let end = client.copy(&mut copied, room, batch).await;
        let full = match end.map_err(|error| self.failed(error))? {
            Copied::Exhausted => {
                self.client = Some(client);
                false
            }
            Copied::Full => {
                let drained = client.drain(most.bytes).await;
                if drained.map_err(|error| self.failed(error))? {
                    self.client = Some(client);
                }
                true
            }
            Copied::TooLarge(bytes) => return Err(self.too_large(bytes, most.record_bytes)),
            Copied::Refused(error) => return Err(self.refused(error)),
        };
        self.row_bytes = copied.bytes.checked_div(copied.rows as usize);
        let last = match copied.last {
            Some(last) if full => Some(self.place_of(last, batch).await?),
            _ => None,
        };
        Ok(Some(Chunk {
            visibility: opening.visibility,
            passed: Position(opening.passed.to_string().into()),
            last,
            rows: copied.rows,
        }))
    }

    /// How many rows to ask for: what the server sends past a limit is thrown away.
    fn ask_rows(&self, most: Most) -> u32 {
        let Some(row_bytes) = self.row_bytes else {
            return most.rows;
        };
        let fitting = most.bytes / row_bytes.max(1);
        let rows = fitting + fitting / 8 + 1;
        most.rows.min(u32::try_from(rows).unwrap_or(u32::MAX))
    }

    /// The key of a row in the batch, in the texts that the server itself gives to its values.
    async fn place_of(&mut self, row: Span, batch: &Batch) -> Result<Bound, Failure> {
        let mut values = Vec::new();
        for (column, place) in self.shape.key.columns.iter().zip(&self.shape.key_places) {
            let mut cells = Vec::new();
            let read = copy::read(batch.slice(row), &[*place], &mut cells);
            match (read, cells.first()) {
                (Ok(()), Some(onramp_connector::Cell::Raw(bytes))) => {
                    values.push((column.oid, *bytes));
                }
                _ => return Err(self.strange("a row without its key")),
            }
        }
        let sql = format!("SELECT {}", self.shape.key.parameters());
        let mut client = self.client().await?;
        let answer = client.texts(&sql, &values).await;
        match answer.map_err(|error| self.failed(error))? {
            (rows, End::Done) => {
                self.client = Some(client);
                self.bound_of(rows)?
                    .ok_or_else(|| self.strange("a key without a text"))
            }
            (_, End::Refused(error)) => Err(self.refused(error)),
            (_, End::Copying) => Err(self.strange("a COPY that nobody asked for")),
        }
    }

    fn bound_of(&self, rows: Vec<Texts>) -> Result<Option<Bound>, Failure> {
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let texts: Option<Vec<String>> = row.into_iter().collect();
        match texts {
            Some(texts) if texts.len() == self.key.len() => Ok(Some(Bound(texts))),
            _ => Err(self.strange("a key that is null")),
        }
    }
}

#[async_trait]
impl TableReader for Reader {
    fn key(&self) -> &[String] {
        &self.key
    }

    async fn estimate(&mut self) -> Result<TableEstimate, Failure> {
        let sql = format!(
            "SELECT (sum(c.reltuples) FILTER (WHERE c.reltuples >= 0))::int8::text,
                    coalesce(sum(pg_table_size(c.oid)), 0)::int8::text
               FROM pg_class c
              WHERE c.oid IN (SELECT {0} UNION SELECT relid FROM pg_partition_tree({0}))
                AND c.relkind IN ('r', 'm')",
            self.shape.oid
        );
        let rows = self.query(&sql).await?;
        let number = |place: usize| {
            let text = rows.first()?.get(place)?.as_deref()?;
            text.parse::<u64>().ok()
        };
        Ok(TableEstimate {
            rows: number(0),
            bytes: number(1).unwrap_or(0),
        })
    }

    async fn bound(&mut self, after: Option<&Bound>, rows: u32) -> Result<Option<Bound>, Failure> {
        let range = ChunkRange {
            after: after.cloned(),
            until: None,
        };
        let sql = format!(
            "SELECT {} FROM {} AS {ROW}{} ORDER BY {} OFFSET {} LIMIT 1",
            self.shape.key.texts(),
            self.shape.from,
            self.within(&range)?,
            self.shape.key.order(),
            rows.max(1) - 1,
        );
        let found = self.query(&sql).await?;
        self.bound_of(found)
    }

    async fn before_last(&mut self, rows: u32) -> Result<Option<Bound>, Failure> {
        let key = &self.shape.key;
        let sql = format!(
            "SELECT {} FROM {} AS {ROW} ORDER BY {} OFFSET {rows} LIMIT 1",
            key.texts(),
            self.shape.from,
            key.order_from_the_end(),
        );
        let found = self.query(&sql).await?;
        self.bound_of(found)
    }

    async fn read(
        &mut self,
        range: &ChunkRange,
        limits: ChunkLimits,
        batch: &mut Batch,
    ) -> Result<Chunk, Failure> {
        let most = Most {
            rows: limits.rows.max(1),
            bytes: limits.bytes.min(BYTES_MAX),
            record_bytes: limits.record_bytes.min(BYTES_MAX),
        };
        for _ in 0..SHAPES_MAX {
            clear(batch, most.bytes);
            batch.tables.push(self.shape.layout.clone());
            batch.items.push(Item::Layout(TableId(0)));
            if let Some(chunk) = self.chunk(range, most, batch).await? {
                return Ok(chunk);
            }
            self.reshape().await?;
        }
        // It changes faster than it can be looked at; later it may not.
        Err(shape::key_changed(&self.table.table))
    }
}

/// Empties a batch; after a large row its memory is given back.
fn clear(batch: &mut Batch, usual_bytes: usize) {
    if batch.bytes.capacity() > usual_bytes.saturating_mul(2) {
        batch.bytes = Vec::new();
    }
    batch.bytes.clear();
    batch.items.clear();
    batch.tables.clear();
    batch.position = None;
    batch.lag_bytes = None;
    batch.more = false;
}
