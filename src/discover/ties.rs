//! What ties tables to each other: by foreign key, and where there is none, by a column's name.

use onramp_connector::Ident;

use super::names;
use super::table::{Key, Table};

/// A column, or several, that name a row of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) columns: Vec<String>,
    pub(crate) table: Ident,
    pub(crate) references: Vec<String>,
    /// Whether a foreign key says so; else only the names.
    pub(crate) declared: bool,
}

/// A table whose rows belong to those of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) table: Ident,
    /// The child's columns that name its parent, and the parent's own.
    pub(crate) on: (Vec<String>, Vec<String>),
    /// What else its key has.
    pub(crate) order_by: Vec<String>,
    pub(crate) declared: bool,
}

/// What each table points to, in the tables' order.
pub(crate) fn references(tables: &[Table]) -> Vec<Vec<Reference>> {
    tables
        .iter()
        .map(|table| {
            let mut found: Vec<Reference> = table
                .foreign_keys
                .iter()
                .map(|key| Reference {
                    columns: key.columns.clone(),
                    table: key.table.clone(),
                    references: key.references.clone(),
                    declared: true,
                })
                .collect();
            found.extend(by_name(table, tables, &found));
            found
        })
        .collect()
}

/// The tables whose rows belong to each one's, in the tables' order.
pub(crate) fn children(tables: &[Table], references: &[Vec<Reference>]) -> Vec<Vec<Child>> {
    let mut found = vec![Vec::new(); tables.len()];
    for (child, its) in tables.iter().zip(references) {
        for reference in its.iter().filter(|r| r.table != *child.name()) {
            let parent = tables.iter().position(|t| *t.name() == reference.table);
            if let (Some(parent), Some(child)) = (parent, belongs(child, reference)) {
                found[parent].push(child);
            }
        }
    }
    found
}

/// Whether a child's own key begins with its parent's: then it is no thing of its own.
fn belongs(child: &Table, reference: &Reference) -> Option<Child> {
    let Key::Proven(key) = &child.key else {
        return None;
    };
    let part = reference.columns.iter().all(|c| key.contains(c));
    let more: Vec<String> = key
        .iter()
        .filter(|c| !reference.columns.contains(c))
        .cloned()
        .collect();
    (part && !more.is_empty()).then(|| Child {
        table: child.name().clone(),
        on: (reference.columns.clone(), reference.references.clone()),
        order_by: more,
        declared: reference.declared,
    })
}

/// Columns named as another table's key is, or as another table, where that is one alone.
fn by_name(table: &Table, tables: &[Table], declared: &[Reference]) -> Vec<Reference> {
    let own = table.key.columns();
    table
        .columns
        .iter()
        .map(|c| &c.column)
        .filter(|c| !is_everybodys(&c.name) && own != [c.name.clone()])
        .filter(|c| !declared.iter().any(|d| d.columns.contains(&c.name)))
        .filter_map(|column| {
            let mut owners = tables
                .iter()
                .filter(|other| other.name() != table.name())
                .filter_map(|other| Some((other, named_by(&column.name, other)?)))
                .filter(|(other, key)| {
                    let key = other.column(key);
                    key.is_some_and(|k| k.column.value_type == column.value_type)
                });
            let (owner, key) = owners.next()?;
            owners.next().is_none().then(|| Reference {
                columns: vec![column.name.clone()],
                table: owner.name().clone(),
                references: vec![key.to_owned()],
                declared: false,
            })
        })
        .collect()
}

/// `id` and `code` name a row of any table.
fn is_everybodys(column: &str) -> bool {
    const WORDS: &[&str] = &[
        "id", "code", "number", "key", "type", "name", "date", "status", "value", "sequence",
        "line",
    ];
    match &names::expanded(column)[..] {
        [word] => WORDS.contains(&word.as_str()) || word.len() < 3,
        words => words.is_empty(),
    }
}

/// The key of a table whose rows a column of this name would name: it is called so, or the table is.
fn named_by<'t>(column: &str, table: &'t Table) -> Option<&'t str> {
    let Key::Proven(key) = &table.key else {
        return None;
    };
    let [key] = &key[..] else {
        return None;
    };
    (key == column || table.name().table == column).then_some(key)
}

#[cfg(test)]
mod tests {
    use onramp_connector::{
        BeforeImage, Column, ForeignKey, Index, Sampled, SurveyedTable, TableDescription, ValueType,
    };

    use super::*;
    use crate::discover::table::judge;

    fn table(name: &str, columns: &[&str], key: &[&str], points: Option<(&str, &str)>) -> Table {
        let ident = |table: &str| Ident {
            schema: "s".into(),
            table: table.into(),
        };
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let column = |name: &&str| Column {
            name: (*name).into(),
            type_name: "integer".into(),
            value_type: ValueType::Int(32),
            nullable: false,
            comment: None,
            may_be_left_out: false,
        };
        let surveyed = SurveyedTable {
            description: TableDescription {
                name: ident(name),
                columns: columns.iter().map(column).collect(),
                unique: vec![Index {
                    name: "pk".into(),
                    columns: owned(key),
                    primary: true,
                    deferrable: false,
                    total: true,
                }],
                before: BeforeImage::Key(owned(key)),
                comment: None,
                rows_estimate: None,
            },
            foreign_keys: points
                .iter()
                .map(|(column, to)| ForeignKey {
                    columns: owned(&[column]),
                    table: ident(to),
                    references: owned(&[column]),
                })
                .collect(),
            checks: vec![],
        };
        judge(surveyed, &Sampled::Not("not asked".into()))
    }

    #[test]
    fn children_are_known_by_foreign_keys_and_by_names() {
        for declared in [true, false] {
            let points = declared.then_some(("ord_no", "ordr"));
            let tables = [
                table("ordr", &["ord_no", "cust_no"], &["ord_no"], None),
                table("lin", &["ord_no", "lin_no"], &["ord_no", "lin_no"], points),
                table("cust", &["cust_no", "id"], &["cust_no"], None),
                table("other", &["id", "ord_no"], &["id"], None),
            ];
            let references = references(&tables);
            let to: Vec<String> = references
                .iter()
                .flatten()
                .map(|r| format!("{} {}", r.table, r.declared))
                .collect();
            assert_eq!(
                to,
                [
                    "s.cust false".to_owned(),
                    format!("s.ordr {declared}"),
                    "s.ordr false".into()
                ]
            );
            let children = children(&tables, &references);
            assert_eq!(
                children.iter().map(Vec::len).collect::<Vec<_>>(),
                [1, 0, 0, 0]
            );
            assert_eq!(children[0][0].order_by, ["lin_no"]);
        }
    }

    #[test]
    fn a_key_that_two_tables_have_names_neither() {
        let tables = [
            table("a", &["ord_no"], &["ord_no"], None),
            table("b", &["ord_no"], &["ord_no"], None),
            table("c", &["id", "ord_no"], &["id"], None),
        ];
        assert!(references(&tables)[2].is_empty());
    }
}
