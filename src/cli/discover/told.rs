//! What `onramp discover` tells: a table's line, and below it what was seen of it.

use std::fmt::Write as _;

use onramp_finding::codes::discovery as codes;
use onramp_finding::{Finding, Place, Severity, Style};
use serde_json::{Value, json};

use crate::discover::{Draft, Seen, Table};
use crate::terminal::{self, grouped};

/// A table, and what became of it.
pub(super) struct Line<'d> {
    pub(super) table: &'d Table,
    /// The file, and what was drafted for it.
    pub(super) file: Option<(String, &'d Draft)>,
    /// Whether the file was written.
    pub(super) written: bool,
}

/// What a person does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The gateway file was drafted, too.
    Gateway,
    /// A gateway reads the drafts.
    Draft,
    /// The gateway does not name the drafts' folder.
    Name,
}

impl Line<'_> {
    /// What a finding about it names as its place begins with.
    fn owns(&self, finding: &Finding) -> bool {
        let Place::Source(place) = &finding.place else {
            return false;
        };
        let whole = format!("table {}", self.table.described.name);
        *place == whole || place.starts_with(&format!("{whole}, column "))
    }
}

/// Whether the text shows a finding below its table.
pub(super) fn stands_below_a_table(finding: &Finding, lines: &[Line<'_>]) -> bool {
    lines.iter().any(|line| line.owns(finding))
}

/// For machines.
pub(super) fn machine(lines: &[Line<'_>]) -> Value {
    let all = lines.iter().map(|line| {
        let (rows, whole) = match &line.table.seen {
            Seen::Rows(rows, whole) => (Some(*rows), *whole),
            Seen::Nothing(_) => (None, false),
        };
        let draft = line.file.as_ref().map(|(_, draft)| *draft);
        json!({
            "table": line.table.described.name.to_string(),
            "rows_estimate": line.table.described.rows_estimate,
            "sampled": rows,
            "whole": whole,
            "product": draft.map(|d| &d.product),
            "file": line.file.as_ref().map(|(path, _)| path),
            "written": line.written,
            "ready": draft.is_some_and(|d| d.unready.is_empty()),
            "fields": draft.map(|d| d.fields),
            "key": draft.map(|d| &d.key),
        })
    });
    Value::Array(all.collect())
}

/// For people.
pub(super) fn text(
    lines: &[Line<'_>],
    findings: &[Finding],
    config: &str,
    next: Next,
    style: Style,
) -> String {
    let mut out = String::new();
    for line in lines {
        out.push_str(&of_table(line, findings, style));
    }
    let written = lines.iter().filter(|l| l.written).count();
    let kept = lines
        .iter()
        .filter(|l| l.file.is_some() && !l.written)
        .count();
    let none = lines.iter().filter(|l| l.file.is_none()).count();
    let mut last = format!("{} table(s): {written} drafted", lines.len());
    let unready = |l: &&Line<'_>| l.file.as_ref().is_some_and(|(_, d)| !d.unready.is_empty());
    let unready = lines.iter().filter(unready).count();
    for (n, what) in [
        (unready, "of them not ready"),
        (kept, "kept as they are"),
        (none, "without a draft"),
    ] {
        if n > 0 {
            let _ = write!(last, ", {n} {what}");
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&terminal::wrapped(0, &last, style.width));
    if lines.is_empty() {
        return out;
    }
    let next = match next {
        Next::Gateway => "Next: finish the gateway file and a draft, then",
        Next::Draft => "Next: finish a draft, then",
        Next::Name => {
            "Next: add the drafts' folder to the gateway's `products`, finish a draft, then"
        }
    };
    out.push_str(&terminal::wrapped(0, next, style.width));
    // A command is to be copied as it stands.
    let _ = writeln!(out, "  onramp check --config {config}");
    out
}

fn of_table(line: &Line<'_>, findings: &[Finding], style: Style) -> String {
    let bold = |text: &str| match style.colour {
        true => format!("\x1b[1m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let table = line.table;
    let mut out = format!("{}\n", bold(&table.described.name.to_string()));
    let mut say = |text: &str| out.push_str(&terminal::wrapped(4, text, style.width));
    let rows = match &table.seen {
        Seen::Rows(rows, true) => format!("{} rows, all read", grouped(*rows as u64)),
        Seen::Rows(rows, false) => {
            let about = table
                .described
                .rows_estimate
                .map_or("many".to_owned(), |n| format!("about {}", grouped(n)));
            format!("{about} rows, {} sampled", grouped(*rows as u64))
        }
        Seen::Nothing(_) => "not sampled".to_owned(),
    };
    match &line.file {
        None => say(&rows),
        Some((path, draft)) => {
            let how = if line.written { "" } else { " (kept as it is)" };
            say(&format!("{} in {path}{how}", draft.product));
            let fields = match draft.fields {
                1 => "1 field".to_owned(),
                n => format!("{n} fields"),
            };
            say(&format!("{rows}; {fields}, key {}", draft.key.join(", ")));
        }
    }
    if let Some(deleted) = &table.deleted {
        say(&format!(
            "deleted rows: flagged by {} ({})",
            deleted.column, deleted.evidence
        ));
    }
    for finding in findings.iter().filter(|f| line.owns(f)) {
        let Place::Source(place) = &finding.place else {
            continue;
        };
        let column = place
            .split_once(", column ")
            .map(|(_, column)| format!("{column}: "));
        let word = match finding.severity {
            Severity::Info if finding.code == &codes::LOOKS_PERSONAL => "personal: ".to_owned(),
            Severity::Info => "note: ".to_owned(),
            severity => format!("{}[{}]: ", severity.word(), finding.code.id),
        };
        let reason = match &finding.reason {
            Some(reason)
                if finding.severity > Severity::Info && codes::ALL.contains(&finding.code) =>
            {
                format!(": {reason}")
            }
            _ => String::new(),
        };
        say(&format!(
            "{word}{}{}{reason}",
            column.unwrap_or_default(),
            finding.message
        ));
    }
    out
}
