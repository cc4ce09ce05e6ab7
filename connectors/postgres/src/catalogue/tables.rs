//! Whether a table may enter the publication: the one judge, before anything is altered and again
//! under the lock that alters it.

use std::collections::HashMap;

use onramp_connector::{Ident, PrepareRequest, TableRequest};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Place, Severity, nearest};

use super::describe::{Leaf, Table};
use super::session::Session;
use super::{sql, toast};
use crate::Names;

/// Everything there is to say of the tables of a request.
pub(crate) fn judge(
    names: &Names,
    request: &PrepareRequest,
    tables: &HashMap<Ident, Table>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for wanted in &request.tables {
        one(names, wanted, tables.get(&wanted.table), &mut findings);
    }
    findings
}

/// So many names are looked through for the one that was meant.
const NAMES_MAX: i64 = 10_000;

/// Says of tables that are not there which ones may have been meant.
pub(crate) async fn suggest(
    session: &Session,
    request: &PrepareRequest,
    tables: &HashMap<Ident, Table>,
    findings: &mut [Finding],
) -> Result<(), Failure> {
    if request.tables.iter().all(|t| tables.contains_key(&t.table)) {
        return Ok(());
    }
    let asked = "SELECT n.nspname::text, c.relname::text FROM pg_class c
                   JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
                    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
                  ORDER BY 1, 2 LIMIT $1";
    let rows = session.query(asked, &[&NAMES_MAX]).await?;
    let there: Vec<Ident> = rows
        .iter()
        .map(|row| Ident {
            schema: row.get(0),
            table: row.get(1),
        })
        .collect();
    for wanted in &request.tables {
        let at = at(&wanted.table);
        let of_it = |f: &&mut Finding| f.code == &codes::NO_TABLE && f.place == at;
        if let Some(near) = meant(&wanted.table, &there) {
            for finding in findings.iter_mut().filter(of_it) {
                finding.remedy = Some(format!("did you mean `{near}`?"));
            }
        }
    }
    Ok(())
}

/// The table of the same name in another schema, else the one that is called nearly so in this one.
fn meant(wanted: &Ident, there: &[Ident]) -> Option<String> {
    let same = there.iter().find(|t| t.table == wanted.table);
    same.map(ToString::to_string).or_else(|| {
        let beside = there.iter().filter(|t| t.schema == wanted.schema);
        let near = nearest(&wanted.table, beside.map(|t| t.table.as_str()))?;
        Some(format!("{}.{near}", wanted.schema))
    })
}

fn at(table: &Ident) -> Place {
    Place::Source(format!("table {table}"))
}

/// What keeps them out.
pub(crate) fn refused(
    names: &Names,
    request: &PrepareRequest,
    tables: &HashMap<Ident, Table>,
) -> Vec<Finding> {
    let mut findings = judge(names, request, tables);
    findings.retain(|f| f.severity == Severity::Error);
    findings
}

fn one(names: &Names, wanted: &TableRequest, found: Option<&Table>, out: &mut Vec<Finding>) {
    let at = || at(&wanted.table);
    let products = wanted.products.join(", ");
    let mut push = |finding: Finding| out.push(finding.of_product(products.clone()));
    let Some(table) = found else {
        push(
            Finding::error(&codes::NO_TABLE, at(), "the table does not exist")
                .because("names are taken as they are written, case included")
                .remedy("correct source.table"),
        );
        return;
    };
    if let Some(what) = without_a_log(table.kind, table.persistence) {
        push(
            Finding::error(&codes::NOT_A_TABLE, at(), format!("it is {what}"))
                .because("its changes are not in the log")
                .remedy("map the tables that it is made of"),
        );
        return;
    }
    if !table.children.is_empty() {
        let children: Vec<String> = table.children.iter().map(Ident::to_string).collect();
        push(
            Finding::error(
                &codes::INHERITED,
                at(),
                "other tables inherit from the table",
            )
            .because(format!(
                "a query of it sees the rows of {}, which the log counts to those",
                children.join(", ")
            ))
            .remedy("map the tables that inherit from it, or ALTER TABLE … NO INHERIT"),
        );
    }
    if table.kind == 'p' && !table.has_primary_key && !names.accept_partitions_without_key {
        push(
            Finding::error(
                &codes::PARTITIONS_WITHOUT_KEY,
                at(),
                "the partitioned table has no primary key on its root",
            )
            .because("a partition attached later would have no replica identity, and PostgreSQL would refuse the application's own UPDATE and DELETE of it")
            .remedy(format!(
                "ALTER TABLE {} ADD PRIMARY KEY (…), not deferrable; or write source.accept: [partitions_without_key] and give every new partition a replica identity before it is attached",
                sql::table(&wanted.table)
            )),
        );
    }
    for leaf in &table.leaves {
        let place = Place::Source(format!("table {}", leaf.name));
        if let Some(what) = without_a_log(leaf.kind, leaf.persistence) {
            push(
                Finding::error(
                    &codes::NOT_A_TABLE,
                    place,
                    format!("the partition is {what}"),
                )
                .because("its changes are not in the log")
                .remedy("map the other partitions one by one"),
            );
        } else if leaf.generated_in_identity {
            push(
                Finding::error(&codes::NO_REPLICA_IDENTITY, place, "the table's replica identity holds a generated column")
                    .because("generated columns are not published, and from PostgreSQL 18 on the server then refuses the application's own UPDATE and DELETE")
                    .remedy(identity_remedy(leaf)),
            );
        } else if !leaf.usable() {
            push(
                Finding::error(&codes::NO_REPLICA_IDENTITY, place, "the table has no usable replica identity")
                    .because("once it is published, PostgreSQL would refuse the application's own UPDATE and DELETE")
                    .remedy(identity_remedy(leaf)),
            );
        }
    }
    toast::judge(wanted, table, &mut push);
}

/// What it is, where its changes are not logged.
fn without_a_log(kind: char, persistence: char) -> Option<&'static str> {
    match (kind, persistence) {
        ('r' | 'p', 'p') => None,
        ('v', _) => Some("a view"),
        ('m', _) => Some("a materialised view"),
        ('f', _) => Some("a foreign table"),
        (_, 'u') => Some("an unlogged table"),
        (_, 't') => Some("a temporary table"),
        _ => Some("not a table"),
    }
}

/// The statement that costs least.
fn identity_remedy(leaf: &Leaf) -> String {
    let table = sql::table(&leaf.name);
    if leaf.has_primary_key {
        return format!("ALTER TABLE {table} REPLICA IDENTITY DEFAULT");
    }
    if let Some(index) = &leaf.candidate {
        return format!(
            "ALTER TABLE {table} REPLICA IDENTITY USING INDEX {}",
            sql::identifier(index)
        );
    }
    if leaf.generated_in_identity {
        return format!(
            "ALTER TABLE {table} ADD PRIMARY KEY (…), of columns that are not generated"
        );
    }
    format!(
        "ALTER TABLE {table} ADD PRIMARY KEY (…), not deferrable; or ALTER TABLE {table} REPLICA IDENTITY FULL (each UPDATE and DELETE then logs the whole old row)"
    )
}
