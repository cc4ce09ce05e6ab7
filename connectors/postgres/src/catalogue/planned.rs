//! What `prepare` would create or alter: the same statements, none of them run.

use onramp_connector::{Ident, PlannedStep, PrepareRequest};
use onramp_finding::Failure;

use super::locks::{self, Lock};
use super::session::Session;
use super::{publication, publish, slot};
use crate::{Names, chunk};

/// In the order in which they would be run. What a DBA is to make is no step: where it is missing
/// or unfit, preflight says so, with the statement.
pub(crate) async fn steps(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
) -> Result<Vec<PlannedStep>, Failure> {
    let found = slot::find(session, &names.slot).await?;
    let mut steps = Vec::new();
    steps.extend(publication(session, names, request, found.is_some()).await?);
    // One that is gone while progress stands is refused, not made anew.
    if found.is_none() && !names.slot_by_dba && request.progress.is_none() {
        steps.push(PlannedStep {
            object: format!("slot {}", names.slot),
            creates: true,
            tables: Vec::new(),
            statement: slot::statement(names),
            // A slot begins where every transaction that is open now has ended.
            waits_for: chunk::waits_for(session, u64::MAX).await?,
        });
    }
    Ok(steps)
}

async fn publication(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    decoding: bool,
) -> Result<Option<PlannedStep>, Failure> {
    if names.publication_by_dba {
        return Ok(None);
    }
    let name = &names.publication;
    let found = publication::find(session, name).await?;
    let wanted = publish::wanted(request);
    let lacks = |table: &&Ident| found.as_ref().is_none_or(|f| !f.names(table));
    let tables: Vec<Ident> = wanted.iter().filter(lacks).cloned().collect();
    let statement = match &found {
        None => publication::create(name, &wanted),
        Some(found) => match publication::add(name, found, &wanted) {
            Some(statement) => statement,
            None => return Ok(None),
        },
    };
    let mut waits_for = Vec::new();
    for table in &tables {
        let holders = locks::holders(session, table, Lock::to_add(decoding)).await?;
        waits_for.extend(
            holders
                .into_iter()
                .map(|holder| format!("{table}: {holder}")),
        );
    }
    Ok(Some(PlannedStep {
        object: format!("publication {name}"),
        creates: found.is_none(),
        tables,
        statement,
        waits_for,
    }))
}
