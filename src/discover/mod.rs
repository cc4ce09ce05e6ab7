//! `onramp discover`: from a live database to drafts of product files.
//!
//! The connector's facts come in; judged tables ([`table`], [`column`], [`ties`]) and drafted files
//! ([`draft`]) go out. Sampled values live as long as their table is judged: only codes that
//! [`codes`] lets through reach a draft, and none reaches a finding. What is drafted is read again by
//! the language before anybody sees it.

mod codes;
mod column;
mod dates;
mod dictionary;
mod draft;
mod field;
pub(crate) mod gateway;
mod key;
mod kinds;
pub(crate) mod names;
mod noted;
mod people;
mod personal;
mod proof;
mod shapes;
mod table;
mod ties;
mod write;
mod yaml;

use std::collections::HashSet;

use onramp_connector::{Connector, Ident, SampleLimits, Sampled, Tables};
use onramp_finding::codes::discovery as codes_of;
use onramp_finding::{Failure, Finding, Place, Severity};

pub(crate) use draft::{Draft, Style};
pub(crate) use proof::proven;
pub(crate) use table::{Seen, Table};
pub(crate) use write::write;

/// More tables at once than anybody reads drafts of, and than a gateway has files.
const MOST_TABLES: usize = 2_000;

/// What is looked at, and how.
pub(crate) struct Wanted<'w> {
    /// Patterns of tables; all where there are none.
    pub(crate) patterns: &'w [String],
    pub(crate) limits: SampleLimits,
    /// Tables that are mapped already, and by which product.
    pub(crate) mapped: &'w [(onramp_language::Tables, String)],
}

/// What was found of the tables.
pub(crate) struct Looked {
    pub(crate) tables: Vec<Table>,
    pub(crate) findings: Vec<Finding>,
}

/// Tells how far it has come: the table's number, of how many, its name.
pub(crate) type Progress<'p> = &'p mut dyn FnMut(usize, usize, &Ident);

/// Looks at the tables, one after the other; read-only.
pub(crate) async fn look(
    connector: &dyn Connector,
    wanted: &Wanted<'_>,
    progress: Progress<'_>,
) -> Result<Looked, Failure> {
    let mut surveyor = connector.surveyor().await?;
    let tables = surveyor.tables().await?;
    let mut findings = Vec::new();
    let chosen = chosen(&tables, wanted, &mut findings);
    let mut judged = Vec::new();
    for (at, name) in chosen.iter().enumerate() {
        progress(at + 1, chosen.len(), name);
        // One that was dropped meanwhile is none.
        let Some(surveyed) = surveyor.table(name).await? else {
            continue;
        };
        let sampled = surveyor.sample(&surveyed, &wanted.limits).await?;
        if let Sampled::Not(why) = &sampled {
            findings.push(
                Finding::warning(
                    &codes_of::NOT_SAMPLED,
                    Place::Source(format!("table {name}")),
                    "the table could not be sampled",
                )
                .because(why.clone())
                .remedy(codes_of::NOT_SAMPLED.remedy),
            );
        }
        judged.push(table::judge(surveyed, &sampled));
    }
    Ok(Looked {
        tables: judged,
        findings,
    })
}

/// The tables that were asked for and are not mapped yet.
fn chosen(tables: &Tables, wanted: &Wanted<'_>, findings: &mut Vec<Finding>) -> Vec<Ident> {
    unknown(tables, wanted.patterns, findings);
    let asked = |name: &Ident| {
        wanted.patterns.is_empty() || wanted.patterns.iter().any(|p| matches(p, name))
    };
    for (name, what) in tables.others.iter().filter(|(name, _)| asked(name)) {
        let place = Place::Source(format!("table {name}"));
        findings.push(
            Finding::new(
                Severity::Info,
                &codes_of::NOT_DRAFTED,
                place,
                format!("it is {what}"),
            )
            .because("its changes are not in the log"),
        );
    }
    let mut chosen = Vec::new();
    for name in tables.found.iter().filter(|name| asked(name)) {
        let table = (name.schema.clone(), name.table.clone());
        let mut mapped = wanted.mapped.iter();
        match mapped.find(|(tables, _)| tables.mean(&table)) {
            Some((_, product)) => findings.push(
                Finding::new(
                    Severity::Info,
                    &codes_of::KEPT,
                    Place::Source(format!("table {name}")),
                    format!("{product} maps it already"),
                )
                .remedy(codes_of::KEPT.remedy),
            ),
            None => chosen.push(name.clone()),
        }
    }
    if chosen.len() > MOST_TABLES {
        let message = format!(
            "{} tables are there, and the first {MOST_TABLES} are drafted",
            chosen.len()
        );
        findings.push(
            Finding::warning(
                &codes_of::NOT_DRAFTED,
                Place::Setting("--tables".into()),
                message,
            )
            .remedy("draft the others by `--tables`, for a gateway of their own"),
        );
        chosen.truncate(MOST_TABLES);
    }
    chosen
}

/// Tells patterns that name no table.
fn unknown(tables: &Tables, patterns: &[String], findings: &mut Vec<Finding>) {
    let all = || {
        tables
            .found
            .iter()
            .chain(tables.others.iter().map(|(name, _)| name))
    };
    for pattern in patterns {
        if !all().any(|name| matches(pattern, name)) {
            let names: Vec<String> = all().map(Ident::to_string).collect();
            let bare = all().map(|name| name.table.as_str());
            let near =
                onramp_finding::nearest(pattern, names.iter().map(String::as_str).chain(bare));
            let message = format!("no table is called {pattern}");
            findings.push(
                Finding::error(
                    &codes_of::NO_SUCH_TABLE,
                    Place::Setting("--tables".into()),
                    message,
                )
                .because(codes_of::NO_SUCH_TABLE.reason)
                .remedy(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => codes_of::NO_SUCH_TABLE.remedy.to_owned(),
                }),
            );
        }
    }
}

/// Whether a pattern names a table: `schema.table`, or `table` in any schema; `*` is any letters.
fn matches(pattern: &str, name: &Ident) -> bool {
    like(pattern, &name.to_string()) || (!pattern.contains('.') && like(pattern, &name.table))
}

fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A table and what was drafted of it.
pub(crate) struct Drafted<'t> {
    pub(crate) table: &'t Table,
    pub(crate) draft: Option<Draft>,
}

/// Drafts the tables' products; what is to be said of them are findings.
pub(crate) fn drafts<'t>(
    tables: &'t [Table],
    style: &Style,
    mut taken: HashSet<String>,
    findings: &mut Vec<Finding>,
) -> Vec<Drafted<'t>> {
    let references = ties::references(tables);
    let children = ties::children(tables, &references);
    let mut out = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        let draft = draft::draft(table, at, &references[at], &children[at], style, &mut taken);
        noted::noted(table, &draft, &children[at], style, findings);
        out.push(Drafted {
            table,
            draft: draft.ok(),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_tables_with_and_without_their_schema() {
        let name = Ident {
            schema: "public".into(),
            table: "ordr_hdr".into(),
        };
        for (pattern, expected) in [
            ("ordr_hdr", true),
            ("public.ordr_hdr", true),
            ("ordr_*", true),
            ("*.ordr_*", true),
            ("p*.*_h*r", true),
            ("*", true),
            ("ordr", false),
            ("other.ordr_hdr", false),
            ("ordr_*x", false),
            ("Ordr_hdr", false),
        ] {
            assert_eq!(matches(pattern, &name), expected, "{pattern}");
        }
    }
}
