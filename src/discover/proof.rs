//! Drafts are read again, by the language and against their tables and the source, before anybody
//! sees them.

use onramp_connector::{Connector, PrepareRequest, TableRequest};
use onramp_finding::codes::{mapping, running};
use onramp_finding::{Code, Failure, Finding, Place, Severity};
use onramp_language::{Overrides, Product};

use super::{Draft, Drafted, Style, gateway};

/// Findings of a mapping that a draft may have: the table has to be mended, or a person has to say
/// more.
const ALLOWED: &[&Code] = &[
    &mapping::NO_BEFORE_IMAGE,
    &mapping::KEY_NOT_IN_BEFORE,
    &mapping::KEY_NOT_UNIQUE,
    &mapping::KEY_DEFERRABLE,
    &mapping::NULLABLE,
    &mapping::DECIMAL_OPEN,
];

/// Has the drafts read as `check` reads them, held against their tables and the source as a start
/// holds them. A draft that a start would refuse is not ready, and says why; a fault of the draft's
/// own is one of the program's.
pub(crate) async fn proven(
    connector: &dyn Connector,
    drafted: &mut [Drafted<'_>],
    style: &Style,
    gateway: Option<&str>,
) -> Result<Vec<Finding>, Failure> {
    let read = read(drafted, style, gateway)?;
    let mut findings = Vec::new();
    let mut tables = Vec::new();
    for drafted in drafted.iter_mut() {
        let Some(draft) = &mut drafted.draft else {
            continue;
        };
        let Some(product) = read
            .iter()
            .find(|p| p.name.value.to_string() == draft.product)
        else {
            return Err(broken(&format!("{} was not read", draft.product)));
        };
        let described = &drafted.table.described;
        for found in onramp_translator::check(product, described) {
            if !ALLOWED.contains(&found.code) {
                let what = format!(
                    "{} {} in {}",
                    found.code.id, found.code.title, draft.product
                );
                return Err(broken(&what));
            }
            keep(found, draft, &described.name, &mut findings);
        }
        tables.push(TableRequest {
            table: described.name.clone(),
            columns: onramp_translator::columns(product, described),
            products: vec![draft.product.clone()],
            published_before: false,
            accept_left_out: false,
        });
    }
    if !tables.is_empty() {
        looked_at(connector, tables, drafted, gateway.is_some(), &mut findings).await?;
    }
    Ok(findings)
}

/// Has the source judge the drafts' tables, and for a new gateway itself.
async fn looked_at(
    connector: &dyn Connector,
    tables: Vec<TableRequest>,
    drafted: &mut [Drafted<'_>],
    new_gateway: bool,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let request = PrepareRequest {
        tables,
        progress: None,
        identity: None,
    };
    for mut found in connector.preflight(&request).await? {
        // What only may happen one day is told before a start, not before a draft is read.
        if found.severity != Severity::Error {
            continue;
        }
        let of = found.product.as_ref();
        let its = drafted
            .iter_mut()
            .find(|d| d.draft.as_ref().map(|d| &d.product) == of);
        match its {
            Some(Drafted {
                draft: Some(draft),
                table,
            }) => {
                keep(found, draft, &table.described.name, findings);
            }
            // What a gateway that is there has of its own is none of a draft's.
            _ if !new_gateway => {}
            _ => {
                found.severity = Severity::Warning;
                findings.push(found);
            }
        }
    }
    Ok(())
}

/// Tells a finding of a draft's table, and has the draft say it where a start would refuse it.
fn keep(
    mut found: Finding,
    draft: &mut Draft,
    table: &onramp_connector::Ident,
    findings: &mut Vec<Finding>,
) {
    if found.severity == Severity::Error {
        let remedy = found.remedy.as_deref().unwrap_or_default();
        let why = format!("{}: {remedy}", found.message);
        if !draft.unready.contains(&why) {
            draft.unready.push(why);
        }
    }
    // A guessed key was told.
    if [&mapping::KEY_NOT_UNIQUE, &mapping::KEY_DEFERRABLE].contains(&found.code) {
        return;
    }
    found.severity = Severity::Warning;
    found.place = Place::Source(format!("table {table}"));
    findings.push(found);
}

/// The drafts' products, read from a folder of their own.
fn read(
    drafted: &[Drafted<'_>],
    style: &Style,
    gateway: Option<&str>,
) -> Result<Vec<Product>, Failure> {
    let drafts: Vec<&Draft> = drafted.iter().filter_map(|d| d.draft.as_ref()).collect();
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let io = |e: std::io::Error| broken(&e.to_string());
    let folder = tempfile::tempdir().map_err(io)?;
    let own = gateway::around(style.key.as_deref());
    let config = folder.path().join("onramp.yaml");
    let products = folder.path().join("products");
    std::fs::write(&config, gateway.unwrap_or(&own)).map_err(io)?;
    std::fs::create_dir(&products).map_err(io)?;
    for draft in drafts {
        std::fs::write(products.join(format!("{}.yaml", draft.name)), &draft.text).map_err(io)?;
    }
    let reading = onramp_language::read(&config, &Overrides::default());
    // No snippet: a draft's line may hold a code.
    match reading
        .findings
        .iter()
        .find(|f| f.severity == Severity::Error)
    {
        Some(wrong) => Err(broken(&format!("{} {}", wrong.code.id, wrong.code.title))),
        None => Ok(reading.gateway.map(|g| g.products).unwrap_or_default()),
    }
}

fn broken(what: &str) -> Failure {
    Failure::internal(&running::INTERNAL, format!("a draft is wrong: {what}"))
}
