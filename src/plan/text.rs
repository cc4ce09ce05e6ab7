//! A plan for people.

use super::{Area, Does, Fate, Plan, PlannedProduct, Rows, Step};
use crate::terminal::{bytes, duration, grouped, labelled};

pub(super) fn text(plan: &Plan, columns: usize) -> String {
    let mut out = String::new();
    for (area, title) in [
        (Area::Source, "At the source"),
        (Area::Registry, "In the registry"),
        (Area::Kafka, "In Kafka"),
    ] {
        let steps = plan.steps.iter().filter(|s| s.area == area);
        section(&mut out, title, steps, columns);
    }
    if !plan.products.is_empty() {
        out.push_str("\nProducts\n");
        for planned in &plan.products {
            product(&mut out, planned, columns);
        }
    }
    statements(&mut out, plan);
    let steps = !out.is_empty();
    out.push_str(if steps { "\n" } else { "" });
    labelled(&mut out, "", &closing(plan), columns);
    out
}

fn section<'a>(
    out: &mut String,
    title: &str,
    steps: impl Iterator<Item = &'a Step>,
    columns: usize,
) {
    for (n, step) in steps.enumerate() {
        if n == 0 {
            out.push_str(&format!("\n{title}\n"));
        }
        let mark = match step.does {
            Does::Create => '+',
            Does::Alter => '~',
            Does::Claim => '=',
        };
        labelled(
            out,
            &format!("  {mark} {:<8}", step.does.word()),
            &step.object,
            columns,
        );
        if !step.details.is_empty() {
            labelled(out, "      ", &step.details.join(", "), columns);
        }
        if !step.waits_for.is_empty() {
            let waits = format!("would wait now for {}", step.waits_for.join("; "));
            labelled(out, "      ", &waits, columns);
        }
    }
}

fn product(out: &mut String, planned: &PlannedProduct, columns: usize) {
    labelled(out, "  ", &planned.product, columns);
    let mut what = match planned.fate {
        Fate::Begins => "begins: its topic is filled with what its table holds".to_owned(),
        Fate::Returns => "returns: its topic is filled anew, and made equal to its table".to_owned(),
        Fate::GoesOn => "goes on as before".to_owned(),
        Fate::Backfilled => "its mapping changed, on_mapping_change: backfill: every row is published again, and keys that the new mapping does not give get tombstones".to_owned(),
        Fate::Kept => "its mapping changed, on_mapping_change: keep: events of before stay as they are until their rows change".to_owned(),
        Fate::Refused => "is refused".to_owned(),
        Fate::Retires => "retires: its changes are published no more, its topic stays".to_owned(),
        Fate::LeftOut => "is a draft, and left out".to_owned(),
    };
    if let Some(rows) = &planned.rows {
        what.push_str(&format!("; {}", expected(rows)));
    }
    labelled(out, "      ", &what, columns);
}

fn expected(rows: &Rows) -> String {
    let table = &rows.table;
    let Some(count) = rows.rows else {
        return format!(
            "reads {table}, {}, whose rows the source never counted",
            bytes(rows.bytes)
        );
    };
    let mut text = format!(
        "reads about {} rows of {table}, {}",
        grouped(count),
        bytes(rows.bytes)
    );
    match rows.seconds {
        Some(seconds) if seconds < 1.0 => text.push_str(", in about a second"),
        Some(seconds) => text.push_str(&format!(", in some {}", duration(seconds))),
        None => {}
    }
    text
}

/// The statements keep their lines: they are there to be copied.
fn statements(out: &mut String, plan: &Plan) {
    let statements = plan.steps.iter().filter_map(|s| s.statement.as_ref());
    for (n, statement) in statements.enumerate() {
        if n == 0 {
            out.push_str("\nOr, by a DBA beforehand, in this order\n");
        }
        out.push_str(&format!("  {statement};\n"));
    }
}

fn closing(plan: &Plan) -> String {
    let count = |does: Does| plan.steps.iter().filter(|s| s.does == does).count();
    let done = format!(
        "{}: {} to create, {} to alter, {} to claim",
        plan.gateway,
        count(Does::Create),
        count(Does::Alter),
        count(Does::Claim)
    );
    match (&plan.hash, plan.out_of_reach) {
        (Some(hash), _) => format!("{done}; `onramp run --plan {hash}` does that or nothing"),
        (None, Some(_)) => format!(
            "{}: not planned, since not all could be asked",
            plan.gateway
        ),
        (None, None) => format!("{}: refused, see the errors", plan.gateway),
    }
}
