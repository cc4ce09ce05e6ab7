//! Whether the source is as the products need it: every finding in one call, nothing changed.

use onramp_connector::{Ident, PrepareRequest};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Severity};

use super::server::Server;
use super::session::Session;
use super::{describe, history, publication, rights, slot, tables};
use crate::Names;

/// Looks at everything.
pub(crate) async fn look(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
) -> Result<Vec<Finding>, Failure> {
    let server = Server::read(session).await?;
    if server.too_old() {
        return Ok(server.judge(names, None));
    }
    let slot = slot::find(session, &names.slot).await?;
    let mut findings = server.judge(names, slot.as_ref());
    let idents: Vec<Ident> = request.tables.iter().map(|t| t.table.clone()).collect();
    let described = describe::tables(session, &idents).await?;
    findings.extend(tables::judge(names, request, &described));
    tables::suggest(session, request, &described, &mut findings).await?;
    let publication = publication::find(session, &names.publication).await?;
    findings.extend(publication::judge(
        names,
        request,
        &described,
        publication.as_ref(),
    ));
    findings
        .extend(rights::judge(session, names, request, &described, publication.as_ref()).await?);
    let mut of_slot = slot::judge(names, slot.as_ref(), request.progress.as_ref());
    for finding in &mut of_slot {
        // Whoever looks may hold an older reading of progress than the slot has heard of; `prepare`
        // refuses it.
        if finding.code.id == codes::SLOT_AHEAD.id {
            finding.severity = Severity::Warning;
        }
    }
    findings.extend(of_slot);
    // A standby cannot say where its log ends, and is refused as it is.
    if !server.standby
        && let Err(failure) = history::same(session, names, request).await
    {
        if failure.retry {
            return Err(failure);
        }
        findings.extend(failure.findings);
    }
    Ok(findings)
}
