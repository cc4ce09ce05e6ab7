//! Tables that nobody has mapped yet: what the catalogue has of them, and a few of their rows.
//!
//! What comes in: a connection. What never does: a statement that writes, one without a timeout, or
//! one that reads a large table as a whole. What goes out are facts; nothing is judged here.

mod checks;
mod sample;

use async_trait::async_trait;
use onramp_connector::{
    ForeignKey, Ident, ListedValues, SampleLimits, Sampled, SurveyedTable, Surveyor, Tables,
};
use onramp_finding::Failure;

use crate::catalogue::describe;
use crate::catalogue::session::Session;

/// A survey under way: one connection.
pub(crate) struct Survey {
    session: Session,
}

impl Survey {
    pub(crate) fn begin(session: Session) -> Survey {
        Survey { session }
    }
}

// What an extension made is not the application's.
const TABLES: &str = "
SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2";

// A partitioned table's key counts, those that its partitions have of it do not: their own table is
// the partition. A key that points to a partition is the key to its root.
const FOREIGN_KEYS: &str = "
SELECT fn.nspname::text, f.relname::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, o)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o)
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
 WHERE k.contype = 'f' AND NOT f.relispartition AND n.nspname = $1 AND c.relname = $2
 ORDER BY k.conname";

#[async_trait]
impl Surveyor for Survey {
    async fn tables(&mut self) -> Result<Tables, Failure> {
        let mut tables = Tables::default();
        for row in self.session.query(TABLES, &[]).await? {
            let name = Ident {
                schema: row.get(0),
                table: row.get(1),
            };
            match (row.get::<_, &str>(2), row.get::<_, &str>(3)) {
                ("r" | "p", "p") => tables.found.push(name),
                ("v", _) => tables.others.push((name, "a view")),
                ("m", _) => tables.others.push((name, "a materialised view")),
                ("f", _) => tables.others.push((name, "a foreign table")),
                (_, "u") => tables.others.push((name, "an unlogged table")),
                // Temporary ones are some session's own.
                _ => {}
            }
        }
        Ok(tables)
    }

    async fn table(&mut self, table: &Ident) -> Result<Option<SurveyedTable>, Failure> {
        let wanted = std::slice::from_ref(table);
        let Some(found) = describe::tables(&self.session, wanted).await?.remove(table) else {
            return Ok(None);
        };
        let asked: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&table.schema, &table.table];
        let rows = self.session.query(FOREIGN_KEYS, &asked).await?;
        let foreign_keys = rows.iter().map(|row| ForeignKey {
            table: Ident {
                schema: row.get(0),
                table: row.get(1),
            },
            columns: row.get(2),
            references: row.get(3),
        });
        Ok(Some(SurveyedTable {
            description: found.description,
            foreign_keys: foreign_keys.collect(),
            checks: self.listed(table).await?,
        }))
    }

    async fn sample(
        &mut self,
        table: &SurveyedTable,
        limits: &SampleLimits,
    ) -> Result<Sampled, Failure> {
        sample::take(&self.session, table, limits).await
    }
}

impl Survey {
    /// What check constraints list.
    async fn listed(&self, table: &Ident) -> Result<Vec<ListedValues>, Failure> {
        let limits = sample::SHORT;
        let Ok(rows) = sample::bounded(&self.session, &limits, checks::CHECKS, table).await? else {
            // Locked: their text is not to be had without a lock. A draft does without.
            return Ok(Vec::new());
        };
        let listed = rows.iter().filter_map(|row| {
            Some(ListedValues {
                column: row.get(0),
                values: checks::listed(row.get(1))?,
            })
        });
        Ok(listed.collect())
    }
}
