//! Tables as the catalogue has them.

use std::collections::HashMap;
use std::sync::Arc;

use onramp_connector::{BeforeImage, Column, Ident, Index, TableDescription, ValueType};
use onramp_finding::Failure;
use tokio_postgres::types::ToSql;

use super::session::Session;
use super::toast;

/// A table with what only PostgreSQL has to say of it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) description: TableDescription,
    /// `pg_class.relkind`.
    pub(crate) kind: char,
    /// `pg_class.relpersistence`.
    pub(crate) persistence: char,
    /// The table itself, or every leaf of a partitioned one.
    pub(crate) leaves: Vec<Leaf>,
    /// Whether it has a primary key that new partitions inherit as their replica identity.
    pub(crate) has_primary_key: bool,
    /// The partitioned tables that it is a partition of, through all levels.
    pub(crate) ancestors: Vec<Ident>,
    /// Tables that inherit from it without being partitions.
    pub(crate) children: Vec<Ident>,
}

/// A table that stores rows.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) name: Ident,
    /// `pg_class.relkind`.
    pub(crate) kind: char,
    /// `pg_class.relpersistence`.
    pub(crate) persistence: char,
    /// `pg_class.relreplident`: d, i, f, n.
    pub(crate) identity: char,
    /// The identity's columns; empty for FULL, NOTHING and a lacking key.
    pub(crate) identity_columns: Vec<String>,
    /// Whether the server refuses updates for a generated column in the identity.
    pub(crate) generated_in_identity: bool,
    /// Whether it has a primary key fit to be the identity.
    pub(crate) has_primary_key: bool,
    /// An index fit to be the identity.
    pub(crate) candidate: Option<String>,
    /// Whether there is a TOAST relation: the declared widths let a row grow past its page's share.
    pub(crate) has_toast: bool,
    /// Whether the TOAST relation holds anything.
    pub(crate) toast_in_use: bool,
}

impl Leaf {
    /// Whether PostgreSQL lets the application update and delete once the table is published.
    pub(crate) fn usable(&self) -> bool {
        (self.identity == 'f' || !self.identity_columns.is_empty()) && !self.generated_in_identity
    }
}

// Rows are counted where they are stored: ANALYZE gives a root an estimate of its own.
const TABLE: &str = "
SELECT c.oid, c.relkind::text, c.relpersistence::text, obj_description(c.oid, 'pg_class'),
       (SELECT sum(l.reltuples) FILTER (WHERE l.reltuples >= 0)::int8 FROM pg_class l
         WHERE (l.oid = c.oid AND c.relkind <> 'p')
            OR l.oid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf)),
       ARRAY(SELECT an.nspname::text FROM pg_partition_ancestors(c.oid) WITH ORDINALITY p(oid, place)
               JOIN pg_class a ON a.oid = p.oid JOIN pg_namespace an ON an.oid = a.relnamespace
              WHERE p.oid <> c.oid ORDER BY p.place),
       ARRAY(SELECT a.relname::text FROM pg_partition_ancestors(c.oid) WITH ORDINALITY p(oid, place)
               JOIN pg_class a ON a.oid = p.oid
              WHERE p.oid <> c.oid ORDER BY p.place),
       ARRAY(SELECT hn.nspname::text FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhrelid
               JOIN pg_namespace hn ON hn.oid = h.relnamespace
              WHERE i.inhparent = c.oid AND NOT h.relispartition ORDER BY h.oid),
       ARRAY(SELECT h.relname::text FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhrelid
              WHERE i.inhparent = c.oid AND NOT h.relispartition ORDER BY h.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

// A domain's base is looked up through all its levels; an array of an enum is of its labels (`a`). From 18 on a NOT NULL that is not validated
// yet counts as none.
const COLUMNS: &str = "
WITH RECURSIVE base(attnum, typid, typmod) AS (
  SELECT a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a
   WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, t.typbasetype, CASE WHEN b.typmod = -1 THEN t.typtypmod ELSE b.typmod END
    FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd')
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.oid, b.typmod,
       CASE WHEN l.oid IS NULL THEN t.typtype::text ELSE 'a' END,
       a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid
             AND n.contype = 'n' AND NOT n.convalidated AND n.conkey = ARRAY[a.attnum]),
       col_description(a.attrelid, a.attnum), t.typstorage <> 'p',
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = coalesce(l.oid, t.oid)
              ORDER BY e.enumsortorder),
       a.attgenerated <> ''
  FROM pg_attribute a
  JOIN base b ON b.attnum = a.attnum
  JOIN pg_type t ON t.oid = b.typid AND t.typtype <> 'd'
  LEFT JOIN pg_type l ON l.oid = t.typelem AND l.typtype = 'e' AND t.typcategory = 'A'
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum";

const INDEXES: &str = "
SELECT i.relname::text, x.indisprimary, NOT x.indimmediate,
       x.indpred IS NULL AND x.indexprs IS NULL AND x.indisvalid
         AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = x.indrelid
              AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1]) AND NOT a.attnotnull),
       ARRAY(SELECT a.attname::text FROM unnest(x.indkey[0:x.indnkeyatts - 1]) WITH ORDINALITY k(n, o)
              JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.n ORDER BY k.o)
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
 WHERE x.indrelid = $1 AND x.indisunique AND x.indislive
 ORDER BY NOT x.indisprimary, i.relname";

// The identity's index by PostgreSQL's own rule (RelationGetIndexList): a deferrable key is none.
// A size is asked for under a lock, which TRUNCATE and VACUUM FULL would keep waiting for as long as
// they are open: then what the last VACUUM counted does, until the table can be locked itself.
const LEAVES: &str = "
SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, c.relreplident::text,
       ARRAY(SELECT a.attname::text FROM unnest(identity.keys) WITH ORDINALITY k(n, o)
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.n ORDER BY k.o),
       current_setting('server_version_num')::int4 >= 180000
         AND EXISTS (SELECT FROM pg_attribute g WHERE g.attrelid = c.oid AND g.attnum > 0
              AND NOT g.attisdropped AND g.attgenerated <> ''
              AND (c.relreplident = 'f' OR g.attnum = ANY (identity.keys))),
       EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary AND x.indisvalid
                 AND x.indimmediate),
       (SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
         WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid AND x.indimmediate
           AND x.indpred IS NULL AND x.indexprs IS NULL
           AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1])
                AND (NOT a.attnotnull OR a.attgenerated <> ''))
         ORDER BY i.relname LIMIT 1),
       c.reltoastrelid <> 0, CASE WHEN c.reltoastrelid = 0 THEN false
         WHEN EXISTS (SELECT FROM pg_locks o WHERE o.locktype = 'relation' AND o.granted
                AND o.mode = 'AccessExclusiveLock' AND o.relation = c.reltoastrelid
                AND o.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
           THEN EXISTS (SELECT FROM pg_class t WHERE t.oid = c.reltoastrelid AND t.relpages > 0)
         ELSE pg_relation_size(c.reltoastrelid) > 0 END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
       SELECT x.indkey[0:x.indnkeyatts - 1] AS keys FROM pg_index x
        WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate
          AND ((c.relreplident = 'd' AND x.indisprimary) OR (c.relreplident = 'i' AND x.indisreplident))
       ) identity ON true
 WHERE c.oid IN (SELECT relid FROM pg_partition_tree($1::oid) WHERE isleaf) OR (c.oid = $1 AND c.relkind <> 'p')
 ORDER BY 1, 2";

/// The numbers of the tables that there are.
pub(crate) async fn oids(session: &Session, names: &[Ident]) -> Result<Vec<(u32, Ident)>, Failure> {
    let mut found = Vec::new();
    for name in names {
        let asked = "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname = $1 AND c.relname = $2";
        let rows = session.query(asked, &[&name.schema, &name.table]).await?;
        found.extend(rows.iter().map(|row| (row.get(0), name.clone())));
    }
    Ok(found)
}

/// Describes the tables that there are.
pub(crate) async fn tables(
    session: &Session,
    names: &[Ident],
) -> Result<HashMap<Ident, Table>, Failure> {
    let mut found = HashMap::new();
    for name in names {
        if let Some(table) = table(session, name).await? {
            found.insert(name.clone(), table);
        }
    }
    Ok(found)
}

async fn table(session: &Session, name: &Ident) -> Result<Option<Table>, Failure> {
    let rows = session.query(TABLE, &[&name.schema, &name.table]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let oid: u32 = row.get(0);
    let asked: [&(dyn ToSql + Sync); 1] = [&oid];
    // Asked together, they share their round trips.
    let (unique, leaves, columns) = tokio::try_join!(
        session.query(INDEXES, &asked),
        session.query(LEAVES, &asked),
        session.query(COLUMNS, &asked),
    )?;
    let unique: Vec<Index> = unique
        .iter()
        .map(|r| Index {
            name: r.get(0),
            primary: r.get(1),
            deferrable: r.get(2),
            total: r.get(3),
            columns: r.get(4),
        })
        .collect();
    let leaves: Vec<Leaf> = leaves.iter().map(leaf).collect();
    let kind = letter(row.get(1));
    // Without a TOAST relation no row can be wide enough for any of its values to be left out. A
    // root without partitions does not say yet.
    let toasted = leaves.iter().any(|l| l.has_toast) || leaves.is_empty();
    let mut columns: Vec<Column> = columns.iter().map(column).collect();
    for column in &mut columns {
        column.may_be_left_out &= toasted;
    }
    Ok(Some(Table {
        kind,
        persistence: letter(row.get(2)),
        has_primary_key: unique.iter().any(|i| i.primary && !i.deferrable),
        ancestors: idents(row.get(5), row.get(6)),
        children: idents(row.get(7), row.get(8)),
        description: TableDescription {
            name: name.clone(),
            before: before_image(kind, &unique, &leaves),
            columns,
            unique,
            comment: row.get(3),
            rows_estimate: row
                .get::<_, Option<i64>>(4)
                .and_then(|n| u64::try_from(n).ok()),
        },
        leaves,
    }))
}

fn idents(schemas: Vec<String>, tables: Vec<String>) -> Vec<Ident> {
    schemas
        .into_iter()
        .zip(tables)
        .map(|(schema, table)| Ident { schema, table })
        .collect()
}

fn letter(text: &str) -> char {
    text.chars().next().unwrap_or(' ')
}

fn leaf(row: &tokio_postgres::Row) -> Leaf {
    Leaf {
        name: Ident {
            schema: row.get(0),
            table: row.get(1),
        },
        kind: letter(row.get(2)),
        persistence: letter(row.get(3)),
        identity: letter(row.get(4)),
        identity_columns: row.get(5),
        generated_in_identity: row.get(6),
        has_primary_key: row.get(7),
        candidate: row.get(8),
        has_toast: row.get(9),
        toast_in_use: row.get(10),
    }
}

/// The enum of the labels that an answer has at a place.
pub(crate) fn labels(row: &tokio_postgres::Row, at: usize) -> ValueType {
    ValueType::Enum(Arc::from(row.get::<_, Vec<String>>(at)))
}

fn column(row: &tokio_postgres::Row) -> Column {
    let (oid, typmod): (u32, i32) = (row.get(2), row.get(3));
    let type_name: String = row.get(1);
    // The log does not carry generated columns.
    let generated: bool = row.get(9);
    let value_type = match row.get::<_, &str>(4) {
        _ if generated => ValueType::Unsupported,
        "e" => labels(row, 8),
        "a" => ValueType::Array(Arc::new(labels(row, 8))),
        "b" => crate::decode::column(oid, typmod).map_or(ValueType::Unsupported, |c| c.0),
        _ => ValueType::Unsupported,
    };
    Column {
        name: row.get(0),
        type_name: if generated {
            format!("{type_name} generated")
        } else {
            type_name
        },
        // Judged by the type, not by the column's present STORAGE: rows may be older than that.
        may_be_left_out: row.get::<_, bool>(7) && !toast::narrow(oid, typmod),
        value_type,
        nullable: !row.get::<_, bool>(5),
        comment: row.get(6),
    }
}

/// What before images hold, whatever leaf a row is stored in: the log names the root alone where
/// changes are published through it, so a leaf with less decides for all, and leaves whose keys
/// differ have only the columns that all of them have. A partition attached later brings at least
/// the root's primary key.
fn before_image(kind: char, unique: &[Index], leaves: &[Leaf]) -> BeforeImage {
    if leaves.iter().any(|l| !l.usable()) {
        return BeforeImage::None;
    }
    if kind != 'p' {
        return match leaves.first() {
            Some(leaf) if leaf.identity == 'f' => BeforeImage::Whole,
            Some(leaf) => BeforeImage::Key(leaf.identity_columns.clone()),
            None => BeforeImage::None,
        };
    }
    let primary = unique
        .iter()
        .find(|i| i.primary && !i.deferrable)
        .map(|i| &i.columns);
    let narrowest = leaves
        .iter()
        .find(|l| l.identity != 'f')
        .map(|l| &l.identity_columns);
    let Some(mut common) = primary.or(narrowest).cloned() else {
        return BeforeImage::None;
    };
    for leaf in leaves.iter().filter(|l| l.identity != 'f') {
        common.retain(|c| leaf.identity_columns.contains(c));
    }
    if common.is_empty() {
        BeforeImage::None
    } else {
        BeforeImage::Key(common)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(identity: char, columns: &[&str]) -> Leaf {
        Leaf {
            name: Ident {
                schema: "s".into(),
                table: "t".into(),
            },
            kind: 'r',
            persistence: 'p',
            identity,
            identity_columns: columns.iter().map(|&c| c.to_owned()).collect(),
            generated_in_identity: false,
            has_primary_key: false,
            candidate: None,
            has_toast: false,
            toast_in_use: false,
        }
    }

    fn key(columns: &[&str]) -> BeforeImage {
        BeforeImage::Key(columns.iter().map(|&c| c.to_owned()).collect())
    }

    #[test]
    fn a_before_image_is_judged_by_the_leaves() {
        let primary = Index {
            name: "pk".into(),
            columns: vec!["a".into(), "b".into()],
            primary: true,
            deferrable: false,
            total: true,
        };
        let root = |leaves: &[Leaf]| before_image('p', std::slice::from_ref(&primary), leaves);
        assert_eq!(
            before_image('r', &[], &[leaf('f', &[])]),
            BeforeImage::Whole
        );
        assert_eq!(before_image('r', &[], &[leaf('i', &["a"])]), key(&["a"]));
        assert_eq!(before_image('r', &[], &[leaf('n', &[])]), BeforeImage::None);
        assert_eq!(root(&[]), key(&["a", "b"]));
        // Even where all are whole: one that is attached later need not be.
        assert_eq!(root(&[leaf('f', &[])]), key(&["a", "b"]));
        assert_eq!(root(&[leaf('f', &[]), leaf('i', &["b"])]), key(&["b"]));
        assert_eq!(
            root(&[leaf('i', &["a"]), leaf('i', &["b"])]),
            BeforeImage::None
        );
        assert_eq!(
            root(&[leaf('d', &["a", "b"]), leaf('n', &[])]),
            BeforeImage::None
        );
        assert_eq!(before_image('p', &[], &[leaf('i', &["a"])]), key(&["a"]));
    }
}
