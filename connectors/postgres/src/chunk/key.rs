//! The key that a table is read by: found in the catalogue, written as SQL.

use onramp_connector::Bound;
use onramp_finding::Failure;

use crate::catalogue::session::Session;
use crate::catalogue::sql;

/// A key column as SQL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyColumn {
    pub(super) name: String,
    /// Its type's number, and its name without a modifier.
    pub(super) oid: u32,
    type_name: String,
    /// The index's collation where it is not the column's.
    collation: Option<String>,
    /// By what its texts are ordered: a collation, whose it is, and its version here.
    order: Option<String>,
}

/// A unique index over columns that are never null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The index.
    pub(super) index: u32,
    pub(super) index_name: String,
    pub(super) primary: bool,
    pub(super) columns: Vec<KeyColumn>,
    /// The schema of the operators that the index is ordered by.
    operators: String,
    /// The collations by which the index may have been built otherwise than it is read, with how
    /// their versions differ.
    pub(super) outdated: Vec<String>,
}

/// What rows are called in every statement. Unqualified, a key column in ORDER BY would mean the
/// output column of its name, which is a text.
pub(super) const ROW: &str = "r";

// The comparisons have to be those that the index is ordered by: written by name alone, those of a
// type from an extension would be looked for in pg_catalog and another type's be found. A NOT NULL
// that is not validated yet (from 18 on) lets nulls stand. Texts are ordered by a collation of the
// system's library or of ICU, which another machine has in another version; what these columns are
// called changed from release to release, so they are looked up by name.
const INDEXES: &str = "
SELECT x.indexrelid, i.relname::text, x.indisprimary, a.attname::text, a.atttypid,
       format_type(a.atttypid, -1),
       CASE WHEN x.indcollation[k.n] NOT IN (0, a.attcollation)
            THEN format('%I.%I', cn.nspname, c.collname) END,
       n.nspname::text, x.indoption[k.n] & 1 = 1,
       p.opcdefault AND t.typsend <> 0 AND a.attnotnull AND o.oprname = '>'
         AND NOT EXISTS (SELECT FROM pg_constraint u WHERE u.conrelid = a.attrelid
              AND u.contype = 'n' AND NOT u.convalidated AND u.conkey = ARRAY[a.attnum]),
       CASE WHEN c.collprovider = 'd'
            THEN concat_ws(' ', 'collate default', db.datlocprovider,
                   coalesce(dbj ->> 'datlocale', dbj ->> 'daticulocale', db.datcollate),
                   dbj ->> 'daticurules', pg_database_collation_actual_version(db.oid))
            WHEN c.oid IS NOT NULL
            THEN concat_ws(' ', format('collate %I.%I', cn.nspname, c.collname), c.collprovider,
                   coalesce(cj ->> 'colllocale', cj ->> 'colliculocale', c.collcollate),
                   cj ->> 'collicurules', pg_collation_actual_version(c.oid))
       END,
       CASE WHEN c.collprovider = 'd' AND db.datcollversion <> pg_database_collation_actual_version(db.oid)
            THEN format('the database''s own is of version %s here, and was of %s',
                   pg_database_collation_actual_version(db.oid), db.datcollversion)
            WHEN c.collprovider <> 'd' AND c.collversion <> pg_collation_actual_version(c.oid)
            THEN format('%I.%I is of version %s here, and was of %s', cn.nspname, c.collname,
                   pg_collation_actual_version(c.oid), c.collversion)
       END
  FROM pg_index x
 CROSS JOIN (SELECT d.oid, d.datlocprovider::text, d.datcollate::text, d.datcollversion,
                    to_jsonb(d) AS dbj
               FROM pg_database d WHERE d.datname = current_database()) db
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
 CROSS JOIN generate_series(0, x.indnkeyatts - 1) k(n)
  JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k.n]
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_opclass p ON p.oid = x.indclass[k.n]
  JOIN pg_amop s ON s.amopfamily = p.opcfamily AND s.amoplefttype = p.opcintype
       AND s.amoprighttype = p.opcintype AND s.amopstrategy = 5 AND s.amoppurpose = 's'
  JOIN pg_operator o ON o.oid = s.amopopr
  JOIN pg_namespace n ON n.oid = o.oprnamespace
  LEFT JOIN pg_collation c ON c.oid = x.indcollation[k.n]
  LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
  LEFT JOIN LATERAL (SELECT to_jsonb(c) AS cj) cs ON true
 WHERE x.indrelid = $1 AND x.indisunique AND x.indisvalid AND x.indislive AND x.indimmediate
   AND x.indpred IS NULL AND x.indexprs IS NULL
 ORDER BY NOT x.indisprimary, x.indnkeyatts, i.relname, x.indexrelid, k.n";

/// One column of an index, and whether the index can be followed for its sake.
struct Candidate {
    operators: String,
    descending: bool,
    fit: bool,
}

/// The key of a table: the primary key, else the narrowest index that will do.
pub(super) async fn find(session: &Session, table: u32) -> Result<Option<Key>, Failure> {
    let rows = session.query(INDEXES, &[&table]).await?;
    let mut keys: Vec<(Key, Vec<Candidate>)> = Vec::new();
    for row in &rows {
        let (index, candidate) = (row.get(0), candidate(row));
        if keys.last().is_none_or(|(key, _)| key.index != index) {
            let key = Key {
                index,
                index_name: row.get(1),
                primary: row.get(2),
                columns: Vec::new(),
                operators: candidate.operators.clone(),
                outdated: Vec::new(),
            };
            keys.push((key, Vec::new()));
        }
        if let Some((key, candidates)) = keys.last_mut() {
            key.columns.push(KeyColumn {
                name: row.get(3),
                oid: row.get(4),
                type_name: row.get(5),
                collation: row.get(6),
                order: row.get(10),
            });
            key.outdated.extend(row.get::<_, Option<String>>(11));
            candidates.push(candidate);
        }
    }
    // A row comparison has one operator and one direction for all of its columns.
    let usable = |(key, candidates): &(Key, Vec<Candidate>)| {
        candidates.iter().all(|c| {
            c.fit && c.operators == key.operators && c.descending == candidates[0].descending
        })
    };
    Ok(keys.into_iter().find(usable).map(|(key, _)| key))
}

fn candidate(row: &tokio_postgres::Row) -> Candidate {
    Candidate {
        operators: row.get(7),
        descending: row.get(8),
        fit: row.get(9),
    }
}

impl Key {
    /// The columns' names, in the key's order.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|c| c.name.clone()).collect()
    }

    /// Each column with what its order rests on, in words that stay the same as long as that does.
    pub(super) fn ordered(&self) -> Vec<String> {
        let words = |column: &KeyColumn| {
            let order = column.order.as_ref();
            let order = order.map_or_else(String::new, |order| format!(" {order}"));
            format!("{} {}{order}", column.name, column.type_name)
        };
        self.columns.iter().map(words).collect()
    }

    /// What ORDER BY takes.
    pub(super) fn order(&self) -> String {
        self.ordered_by("")
    }

    /// The same from the last row on.
    pub(super) fn order_from_the_end(&self) -> String {
        self.ordered_by(" DESC")
    }

    fn ordered_by(&self, direction: &str) -> String {
        self.list(|column| {
            let collation = column.collation.as_ref();
            let collation = collation.map_or_else(String::new, |name| format!(" COLLATE {name}"));
            let column = sql::identifier(&column.name);
            format!("{ROW}.{column}{collation}{direction}")
        })
    }

    /// A key's texts, as a select list.
    pub(super) fn texts(&self) -> String {
        self.list(|column| format!("{ROW}.{}::text", sql::identifier(&column.name)))
    }

    /// The same of values given as parameters.
    pub(super) fn parameters(&self) -> String {
        let places = 1..=self.columns.len();
        let texts: Vec<String> = places.map(|n| format!("${n}::text")).collect();
        texts.join(", ")
    }

    /// The condition that a row's key is behind a place.
    pub(super) fn behind(&self, bound: &Bound) -> Option<String> {
        self.compared(">", bound)
    }

    /// The condition that a row's key is not behind a place.
    pub(super) fn up_to(&self, bound: &Bound) -> Option<String> {
        self.compared("<=", bound)
    }

    /// None where the place is not one of this key.
    fn compared(&self, operator: &str, bound: &Bound) -> Option<String> {
        if bound.0.len() != self.columns.len() {
            return None;
        }
        let mut values = bound.0.iter();
        let place = self.list(|column| {
            let text = values.next().map(String::as_str).unwrap_or_default();
            format!("{}::{}", sql::literal(text), column.type_name)
        });
        Some(format!(
            "({}) OPERATOR({}.{operator}) ({place})",
            self.order(),
            sql::identifier(&self.operators)
        ))
    }

    fn list(&self, one: impl FnMut(&KeyColumn) -> String) -> String {
        let all: Vec<String> = self.columns.iter().map(one).collect();
        all.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare_as_the_index_does() {
        let column = |name: &str, type_name: &str, collation: Option<&str>| KeyColumn {
            name: name.into(),
            oid: 0,
            type_name: type_name.into(),
            collation: collation.map(str::to_owned),
            order: collation.map(|name| format!("collate {name} c C")),
        };
        let key = Key {
            index: 1,
            index_name: "i".into(),
            primary: true,
            columns: vec![
                column("a\"b", "bpchar", Some("pg_catalog.\"C\"")),
                column("n", "integer", None),
            ],
            operators: "pg_catalog".into(),
            outdated: Vec::new(),
        };
        assert_eq!(
            key.ordered(),
            ["a\"b bpchar collate pg_catalog.\"C\" c C", "n integer"]
        );
        let bound = Bound(vec!["it's".into(), "-7".into()]);
        assert_eq!(
            key.behind(&bound).unwrap(),
            "(r.\"a\"\"b\" COLLATE pg_catalog.\"C\", r.\"n\") OPERATOR(\"pg_catalog\".>) \
             ('it''s'::bpchar, '-7'::integer)"
        );
        assert_eq!(key.texts(), "r.\"a\"\"b\"::text, r.\"n\"::text");
        assert_eq!(key.parameters(), "$1::text, $2::text");
        assert_eq!(key.up_to(&Bound(vec!["1".into()])), None);
    }
}
