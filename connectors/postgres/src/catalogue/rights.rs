//! Whether the role may make what a start makes; known beforehand, since `prepare` finds it out by
//! being refused.

use std::collections::{BTreeSet, HashMap};

use onramp_connector::{Ident, PrepareRequest};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Place};

use super::describe::Table;
use super::publication::{self, Publication};
use super::session::Session;
use crate::Names;

/// What the role lacks to make the publication or to add tables to it. A warning: a DBA may run the
/// statement before a start.
pub(crate) async fn judge(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    tables: &HashMap<Ident, Table>,
    found: Option<&Publication>,
) -> Result<Option<Finding>, Failure> {
    let name = &names.publication;
    let known = |table: &&Ident| tables.contains_key(table);
    let wanted = request.tables.iter().map(|t| &t.table);
    let wanted: BTreeSet<Ident> = wanted.filter(known).cloned().collect();
    let statement = match found {
        None => Some(publication::create(name, &wanted)),
        Some(found) => publication::add(name, found, &wanted),
    };
    let Some(statement) = statement.filter(|_| !names.publication_by_dba && !wanted.is_empty())
    else {
        return Ok(None);
    };
    let mut lacks = Vec::new();
    let (asked, right) = match found {
        None => (
            "SELECT has_database_privilege(current_database(), 'CREATE') AND $1::text <> ''",
            "it may not create anything in the database",
        ),
        Some(_) => (
            "SELECT pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = $1::text",
            "it does not own the publication",
        ),
    };
    let rows = session.query(asked, &[name]).await?;
    if rows.first().is_some_and(|row| !row.get::<_, bool>(0)) {
        lacks.push(right.to_owned());
    }
    let lacking = wanted.iter().filter(|t| found.is_none_or(|f| !f.names(t)));
    for table in lacking {
        let owns = "SELECT pg_has_role(c.relowner, 'USAGE'), has_schema_privilege(n.oid, 'USAGE')
                      FROM pg_class c
                      JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = $1::text AND c.relname = $2::text";
        let rows = session.query(owns, &[&table.schema, &table.table]).await?;
        if rows.first().is_some_and(|row| !row.get::<_, bool>(0)) {
            lacks.push(format!("it does not own {table}"));
        }
        if rows.first().is_some_and(|row| !row.get::<_, bool>(1)) {
            lacks.push(format!("it may not use the schema of {table}"));
        }
    }
    if lacks.is_empty() {
        return Ok(None);
    }
    let place = Place::Source(format!("publication {name}"));
    let message = match found {
        None => "the role may not make the publication",
        Some(_) => "the role may not add tables to the publication",
    };
    let finding = Finding::warning(&codes::MAY_NOT_CREATE, place, message);
    Ok(Some(finding.because(lacks.join("; ")).remedy(statement)))
}
