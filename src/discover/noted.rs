//! What there is to say of a table, as findings: evidence and reasons, never a value.

use onramp_finding::codes::discovery as codes;
use onramp_finding::{Finding, Place, Severity};

use super::draft::{Draft, Style, Undrafted};
use super::personal::Personal;
use super::table::{Key, Table};
use super::ties::Child;

/// Adds what there is to say.
pub(super) fn noted(
    table: &Table,
    draft: &Result<Draft, Undrafted>,
    children: &[Child],
    style: &Style,
    findings: &mut Vec<Finding>,
) {
    let product = draft.as_ref().ok().map(|d| d.product.clone());
    let name = table.name();
    let whole = || Place::Source(format!("table {name}"));
    let mut say = |mut finding: Finding| {
        finding.product.clone_from(&product);
        findings.push(finding);
    };
    if let Err(why) = draft {
        say(undrafted(why, whole()));
        return;
    }
    if let Key::Guessed(columns, why) = &table.key {
        let message = format!(
            "nothing proves that {} tells its rows apart",
            columns.join(", ")
        );
        say(Finding::warning(&codes::NO_KEY, whole(), message)
            .because(why.clone())
            .remedy(codes::NO_KEY.remedy));
    }
    for judged in &table.columns {
        let place = || Place::Source(format!("table {name}, column {}", judged.column.name));
        if let Some(personal) = &judged.personal {
            say(of_person(personal, place(), style));
        }
        for unclear in &judged.unclear {
            say(Finding::new(
                Severity::Info,
                &codes::NOT_UNDERSTOOD,
                place(),
                unclear.clone(),
            )
            .remedy(codes::NOT_UNDERSTOOD.remedy));
        }
    }
    for child in children {
        let message = format!("rows of {} belong to it", child.table);
        say(
            Finding::new(Severity::Info, &codes::LATER, whole(), message)
                .because("lists of children are not built yet")
                .remedy(codes::LATER.remedy),
        );
    }
    if table.outbox.is_some() {
        say(Finding::new(
            Severity::Info,
            &codes::LATER,
            whole(),
            "it looks like an outbox",
        )
        .because("products of kind outbox are not built yet")
        .remedy(codes::LATER.remedy));
    }
}

fn of_person(personal: &Personal, place: Place, style: &Style) -> Finding {
    let how = match (&style.key, personal.sort.may_be_pseudonym()) {
        (_, false) => "the draft drops it: a pseudonym would hide nothing",
        (Some(_), true) => "the draft gives a text as a pseudonym, and drops anything else",
        (None, true) => "the draft drops it: the gateway declares no key for a pseudonym",
    };
    let message = personal.evidence.clone();
    Finding::new(Severity::Info, &codes::LOOKS_PERSONAL, place, message)
        .because(how)
        .remedy(codes::LOOKS_PERSONAL.remedy)
}

fn undrafted(why: &Undrafted, place: Place) -> Finding {
    let (reason, remedy) = match why {
        Undrafted::Name => (
            "its name or its schema's has a dot or a quote, which no product file can spell"
                .to_owned(),
            "rename it, or leave it out",
        ),
        Undrafted::NoKey => (
            "no column of it can be part of a key".to_owned(),
            "give it a column that identifies a row, or leave it out",
        ),
        Undrafted::PersonalKey(column) => (
            format!(
                "its key, {column}, looks personal, and nothing could hide it and still be a key"
            ),
            "declare a key under the gateway's `keys` and discover again; else write the product by hand",
        ),
    };
    Finding::warning(&codes::NOT_DRAFTED, place, "the table is not drafted")
        .because(reason)
        .remedy(remedy)
}
