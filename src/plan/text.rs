//! A plan for people.

use super::{Area, Does, Fate, Plan, PlannedProduct, Rows, Step};
use crate::terminal::{bytes, duration, grouped, labelled, shown};

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
    // Of a plan that is refused there is nothing to do beforehand.
    if plan.hash.is_some() || plan.out_of_reach.is_some() {
        statements(&mut out, plan, columns);
    }
    let steps = !out.is_empty();
    out.push_str(if steps { "\n" } else { "" });
    labelled(&mut out, "", &closing(plan), columns);
    if let Some(hash) = &plan.hash {
        out.push_str(&format!("That, or nothing: onramp run --plan {hash}\n"));
    }
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
        Fate::BeginsWithRows => "begins: each row that is there gives the events of its insert once, changes from now on give theirs".to_owned(),
        Fate::BeginsAnew => "begins: changes from now on give its events, rows that are there give none".to_owned(),
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
    let table = match &rows.tables[..] {
        [table] => table.to_string(),
        tables => format!("{} tables", tables.len()),
    };
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

/// The statements are there to be copied.
fn statements(out: &mut String, plan: &Plan, columns: usize) {
    let statements = plan.steps.iter().filter_map(|s| s.statement.as_ref());
    for (n, statement) in statements.enumerate() {
        if n == 0 {
            out.push_str("\nOr, by a DBA beforehand, in this order\n");
        }
        out.push_str(&statement_in_lines(statement, columns));
    }
}

/// A statement in lines that fit. It is broken between its words alone, never within what is quoted,
/// so that it stays the same statement.
fn statement_in_lines(statement: &str, columns: usize) -> String {
    let (mut out, mut used) = (String::from(" "), 1);
    for word in statement_words(&format!("{statement};")) {
        let length = word.chars().count();
        if used > 1 && used + 1 + length > columns {
            out.push_str("\n   ");
            used = 3;
        }
        out.push(' ');
        out.push_str(&word);
        used += 1 + length;
    }
    out.push('\n');
    out
}

/// What stands between blanks that no quotes enclose. Nothing that a terminal would obey is passed on.
fn statement_words(statement: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in statement.chars() {
        match quote {
            None if c == ' ' => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            Some(open) if open == c => quote = None,
            _ => {}
        }
        word.push(shown(c));
    }
    words.push(word);
    words
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
        (Some(_), _) => done,
        (None, Some(_)) => format!(
            "{}: not planned, since not all could be asked",
            plan.gateway
        ),
        (None, None) => format!("{}: refused, see the errors", plan.gateway),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_broken_between_words_and_stays_the_same() {
        let statement = r#"CREATE PUBLICATION "a  b" FOR TABLE ONLY "public"."it's one, long name", ONLY "s"."t" WITH (publish = 'insert, update')"#;
        let lines = statement_in_lines(statement, 40);
        assert!(lines.lines().all(|l| l.chars().count() <= 50), "{lines}");
        assert!(
            lines.contains(r#""public"."it's one, long name","#),
            "{lines}"
        );
        assert!(lines.contains("'insert, update');"), "{lines}");
        let whole: Vec<&str> = lines.lines().map(str::trim).collect();
        assert_eq!(whole.join(" "), format!("{statement};"));
        assert!(!statement_in_lines("DROP \"a\x1b[2J\"", 40).contains('\x1b'));
    }
}
