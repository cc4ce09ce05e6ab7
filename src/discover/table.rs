//! A table, judged: its columns, its key, and what sort of table it is.

use std::collections::BTreeSet;

use onramp_connector::{
    ForeignKey, Ident, Sampled, SampledColumn, SurveyedTable, TableDescription,
};

use super::column::{self, Judged, Place};
use super::{key, kinds};

/// A table, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) described: TableDescription,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) seen: Seen,
    pub(crate) columns: Vec<Judged>,
    pub(crate) key: Key,
    pub(crate) deleted: Option<Deleted>,
    pub(crate) outbox: Option<Outbox>,
}

/// How much of it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// So many rows, and whether these are all.
    Rows(usize, bool),
    /// None, for this reason.
    Nothing(String),
}

/// The columns that identify a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// Those of a unique index.
    Proven(Vec<String>),
    /// Nothing proves it; why these.
    Guessed(Vec<String>, String),
    /// No column can be part of a key.
    None,
}

impl Key {
    /// The columns.
    pub(crate) fn columns(&self) -> &[String] {
        match self {
            Key::Proven(columns) | Key::Guessed(columns, _) => columns,
            Key::None => &[],
        }
    }
}

/// How a row is flagged as deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) column: String,
    /// What stands behind the column in `where`, of rows that are there: `!= "Y"`.
    pub(crate) there: String,
    /// What was seen of it.
    pub(crate) evidence: String,
}

/// Which columns hold an outbox's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outbox {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) payload: String,
}

/// Judges a table by its catalogue entry and its sample, which is not kept.
pub(crate) fn judge(surveyed: SurveyedTable, sampled: &Sampled) -> Table {
    let described = surveyed.description;
    let indexed = described.unique.iter().flat_map(|i| &i.columns);
    let pointing = surveyed.foreign_keys.iter().flat_map(|k| &k.columns);
    let ties: BTreeSet<&String> = indexed.chain(pointing).collect();
    let none = SampledColumn::default();
    let rows = match sampled {
        Sampled::Rows(sample) => sample.rows,
        Sampled::Not(_) => 0,
    };
    let columns: Vec<Judged> = described
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let seen = match sampled {
                Sampled::Rows(sample) => sample.columns.get(at).unwrap_or(&none),
                Sampled::Not(_) => &none,
            };
            let listed = surveyed.checks.iter().find(|c| c.column == column.name);
            let place = Place {
                at,
                ties: ties.contains(&column.name),
                listed: listed.map(|c| c.values.as_slice()),
            };
            column::judge(column, place, rows, seen)
        })
        .collect();
    Table {
        key: key::judge(&described, &columns),
        deleted: kinds::deleted(&columns),
        outbox: kinds::outbox(&columns),
        seen: match sampled {
            Sampled::Rows(sample) => Seen::Rows(sample.rows, sample.whole),
            Sampled::Not(why) => Seen::Nothing(why.clone()),
        },
        foreign_keys: surveyed.foreign_keys,
        described,
        columns,
    }
}

impl Table {
    /// Its name.
    pub(crate) fn name(&self) -> &Ident {
        &self.described.name
    }

    /// A column, judged.
    pub(crate) fn column(&self, name: &str) -> Option<&Judged> {
        self.columns.iter().find(|c| c.column.name == name)
    }
}

/// A column as an expression has it; None where the syntax has no spelling for its name.
pub(crate) fn referable(column: &str) -> Option<String> {
    const RESERVED: &[&str] = &[
        "in",
        "true",
        "false",
        "null",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    let begins = column.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = column
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_');
    let quoted = column
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '-' | '.' | '/'));
    match (
        begins && word && !RESERVED.contains(&column),
        quoted && !column.is_empty(),
    ) {
        (true, _) => Some(format!("row.{column}")),
        (false, true) => Some(format!("row.`{column}`")),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use onramp_connector::{BeforeImage, Column, Index, Sample, ValueType};

    use super::*;

    fn column(name: &str, value_type: ValueType, nullable: bool) -> Column {
        Column {
            name: name.into(),
            type_name: "x".into(),
            value_type,
            nullable,
            comment: None,
            may_be_left_out: false,
        }
    }

    fn surveyed(columns: Vec<Column>, unique: Vec<Index>) -> SurveyedTable {
        SurveyedTable {
            description: TableDescription {
                name: Ident {
                    schema: "s".into(),
                    table: "t".into(),
                },
                columns,
                unique,
                before: BeforeImage::None,
                comment: None,
                rows_estimate: None,
            },
            foreign_keys: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn sampled(columns: &[&[&str]]) -> Sampled {
        let rows = columns.iter().map(|c| c.len()).max().unwrap_or(0);
        Sampled::Rows(Sample {
            rows,
            whole: true,
            columns: columns
                .iter()
                .map(|texts| SampledColumn {
                    nulls: rows - texts.len(),
                    texts: texts.iter().map(|t| (*t).to_owned()).collect(),
                })
                .collect(),
        })
    }

    fn index(columns: &[&str], total: bool, deferrable: bool) -> Index {
        Index {
            name: "i".into(),
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            primary: false,
            deferrable,
            total,
        }
    }

    #[test]
    fn a_key_is_proven_or_said_to_be_guessed() {
        let columns = || {
            vec![
                column("a", ValueType::Int(32), false),
                column("b_no", ValueType::Int(32), true),
            ]
        };
        let of = |unique: Vec<Index>, rows: &[&[&str]]| {
            judge(surveyed(columns(), unique), &sampled(rows)).key
        };
        assert_eq!(
            of(vec![index(&["a"], true, false)], &[]),
            Key::Proven(vec!["a".into()])
        );
        let guessed = |key: Key| match key {
            Key::Guessed(columns, why) => (columns.join(","), why),
            other => panic!("{other:?}"),
        };
        assert!(
            guessed(of(vec![index(&["b_no"], false, false)], &[]))
                .1
                .contains("every row")
        );
        assert!(
            guessed(of(vec![index(&["a"], true, true)], &[]))
                .1
                .contains("deferrable")
        );
        let rows: &[&[&str]] = &[&["1", "2", "3"], &["4", "5", "6"]];
        assert_eq!(guessed(of(vec![], rows)).0, "b_no");
        assert_eq!(guessed(of(vec![], &[&[], &[]])).0, "a");
        let float = surveyed(vec![column("x", ValueType::Double, false)], vec![]);
        assert_eq!(judge(float, &sampled(&[&[]])).key, Key::None);
    }

    #[test]
    fn deleted_rows_are_known_by_a_flag_or_a_time() {
        let of = |column: Column, rows: &[&str], more: usize| {
            let mut rows = sampled(&[rows]);
            if let Sampled::Rows(sample) = &mut rows {
                sample.rows += more;
                sample.columns[0].nulls += more;
            }
            judge(surveyed(vec![column], vec![]), &rows)
                .deleted
                .map(|d| d.there)
        };
        let flag = column("del_flg", ValueType::Text, true);
        assert_eq!(
            of(flag.clone(), &["N", "Y", "N"], 0).as_deref(),
            Some("!= \"Y\"")
        );
        assert_eq!(of(flag.clone(), &["A", "B", "C"], 0), None);
        let number = column("IsDeleted", ValueType::Int(16), false);
        assert_eq!(of(number, &["0", "1"], 0).as_deref(), Some("!= 1"));
        let time = column("deleted_at", ValueType::Timestamp, true);
        assert_eq!(of(time, &[], 3).as_deref(), Some("== null"));
        assert_eq!(
            of(column("deleted_by", ValueType::Text, true), &["N", "Y"], 0),
            None
        );
    }

    #[test]
    fn an_outbox_has_all_its_parts() {
        let columns = || {
            vec![
                column("id", ValueType::Uuid, false),
                column("aggregate_id", ValueType::Text, false),
                column("type", ValueType::Text, false),
                column("payload", ValueType::Json, false),
            ]
        };
        let rows = sampled(&[&[], &[], &[], &[]]);
        assert!(judge(surveyed(columns(), vec![]), &rows).outbox.is_some());
        for missing in 0..4 {
            let mut columns = columns();
            columns.remove(missing);
            assert_eq!(
                judge(surveyed(columns, vec![]), &rows).outbox,
                None,
                "{missing}"
            );
        }
    }

    #[test]
    fn a_name_is_spelt_as_expressions_have_it() {
        assert_eq!(referable("ord_no").as_deref(), Some("row.ord_no"));
        assert_eq!(referable("order no").as_deref(), Some("row.`order no`"));
        assert_eq!(referable("in").as_deref(), Some("row.`in`"));
        assert_eq!(referable("a`b"), None);
        assert_eq!(referable("Straße"), None);
    }
}
