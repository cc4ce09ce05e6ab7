//! From the log's description of a table to the layout that its rows are read by.
//!
//! The log names a column's type by number alone; enums and domains, and whether the table is
//! partitioned, are asked of the catalogue: once a table and session, never for a row.

use std::collections::HashMap;
use std::sync::Arc;

use onramp_connector::{BeforeImage, ColumnDecoder, Ident, TableLayout, ValueType};
use onramp_finding::Failure;

use super::message::Relation;
use super::tuple;
use crate::catalogue::describe;
use crate::catalogue::session::Session;
use crate::decode;
use crate::target::Target;

/// What a domain stands on, through all its levels, and an enum's labels, or those of the enum that
/// an array is of (`a`).
const TYPES: &str = "
WITH RECURSIVE base(asked, typid, typmod) AS (
  SELECT oid, oid, -1 FROM pg_type WHERE oid = ANY ($1)
  UNION ALL
  SELECT b.asked, t.typbasetype, CASE WHEN b.typmod = -1 THEN t.typtypmod ELSE b.typmod END
    FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd')
SELECT b.asked, t.oid, b.typmod, CASE WHEN l.oid IS NULL THEN t.typtype::text ELSE 'a' END,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = coalesce(l.oid, t.oid)
              ORDER BY e.enumsortorder)
  FROM base b JOIN pg_type t ON t.oid = b.typid AND t.typtype <> 'd'
  LEFT JOIN pg_type l ON l.oid = t.typelem AND l.typtype = 'e' AND t.typcategory = 'A'";

const KIND: &str = "SELECT relkind::text FROM pg_class WHERE oid = $1";

/// What a column's values decode to, and how.
pub(crate) type Decoding = (ValueType, ColumnDecoder);

/// How values of these columns (type and modifier) decode; None for a type that is not carried. One
/// answer for log and tables, so that a value is the same from both.
pub(crate) async fn decodings(
    session: &Session,
    columns: &[(u32, i32)],
) -> Result<Vec<Option<Decoding>>, Failure> {
    let asked: Vec<u32> = columns
        .iter()
        .filter(|(oid, typmod)| decode::column(*oid, *typmod).is_none())
        .map(|(oid, _)| *oid)
        .collect();
    let mut types = HashMap::new();
    if !asked.is_empty() {
        for row in session.query(TYPES, &[&asked]).await? {
            let decoding = match row.get::<_, &str>(3) {
                "e" => Some((describe::labels(&row, 4), decode::text as ColumnDecoder)),
                "a" => {
                    let list = ValueType::Array(Arc::new(describe::labels(&row, 4)));
                    Some((list, decode::list as ColumnDecoder))
                }
                "b" => decode::column(row.get(1), row.get(2)),
                _ => None,
            };
            types.insert(row.get::<_, u32>(0), decoding);
        }
    }
    let decoding = |&(oid, typmod): &(u32, i32)| {
        decode::column(oid, typmod).or_else(|| types.get(&oid).cloned().flatten())
    };
    Ok(columns.iter().map(decoding).collect())
}

/// Makes a table's layout, and says whether its rows may be stored in partitions.
pub(super) async fn layout(
    target: &Target,
    relation: &Relation<'_>,
) -> Result<(TableLayout, bool), Failure> {
    let session = Session::open(target).await?;
    let columns: Vec<(u32, i32)> = relation.columns.iter().map(|c| (c.oid, c.typmod)).collect();
    let decodings = decodings(&session, &columns).await?;
    let name = Ident {
        schema: relation.schema.to_owned(),
        table: relation.table.to_owned(),
    };
    let kind = session.query(KIND, &[&relation.oid]).await?;
    let kind: Option<&str> = kind.first().map(|row| row.get(0));
    // One that is gone by now may have been.
    let partitioned = kind.is_none_or(|kind| kind == "p");
    let before = if kind == Some("p") {
        // The leaf cannot be told from the log: what all leaves have is what counts.
        describe::tables(&session, std::slice::from_ref(&name))
            .await?
            .remove(&name)
            .map_or(BeforeImage::None, |table| table.description.before)
    } else {
        declared(relation)
    };
    let layout = assemble(relation, name, before, decodings);
    Ok((layout, partitioned))
}

/// What the table's own replica identity says.
fn declared(relation: &Relation<'_>) -> BeforeImage {
    let key: Vec<String> = relation
        .columns
        .iter()
        .filter(|c| c.key)
        .map(|c| c.name.to_owned())
        .collect();
    match relation.identity {
        b'f' => BeforeImage::Whole,
        b'd' | b'i' if !key.is_empty() => BeforeImage::Key(key),
        _ => BeforeImage::None,
    }
}

fn assemble(
    relation: &Relation<'_>,
    name: Ident,
    before: BeforeImage,
    decodings: Vec<Option<Decoding>>,
) -> TableLayout {
    let columns = relation
        .columns
        .iter()
        .zip(decodings)
        .map(|(column, decoding)| {
            let (value_type, decoder) =
                decoding.unwrap_or((ValueType::Unsupported, decode::unsupported));
            (column.name.to_owned(), value_type, decoder)
        })
        .collect();
    TableLayout {
        name,
        columns,
        before,
        read: tuple::read,
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::RelationColumn;
    use super::*;

    #[test]
    fn the_before_image_follows_the_replica_identity() {
        let column = |key, name| RelationColumn {
            key,
            name,
            oid: 23,
            typmod: -1,
        };
        let mut relation = Relation {
            oid: 1,
            schema: "s",
            table: "t",
            identity: b'd',
            columns: vec![column(true, "a"), column(false, "b")],
        };
        assert_eq!(declared(&relation), BeforeImage::Key(vec!["a".into()]));
        relation.identity = b'f';
        assert_eq!(declared(&relation), BeforeImage::Whole);
        relation.identity = b'n';
        assert_eq!(declared(&relation), BeforeImage::None);
        relation.identity = b'd';
        relation.columns.remove(0);
        assert_eq!(declared(&relation), BeforeImage::None);
    }

    #[test]
    fn a_type_that_is_not_carried_stands_in_the_table() {
        let columns = vec![RelationColumn {
            key: false,
            name: "p",
            oid: 600,
            typmod: -1,
        }];
        let relation = Relation {
            oid: 1,
            schema: "s",
            table: "t",
            identity: b'f',
            columns,
        };
        let name = Ident {
            schema: "s".into(),
            table: "t".into(),
        };
        let layout = assemble(&relation, name, BeforeImage::Whole, vec![None]);
        assert_eq!(layout.columns[0].1, ValueType::Unsupported);
        assert!((layout.columns[0].2)(b"x").is_err());
    }
}
