//! Findings as text for people and as JSON for machines.

use serde_json::{Value, json};

use crate::{Finding, Place, Severity, SourceFile, Span};

/// How text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With colour.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Style {
    /// Without colour, 80 columns wide: for files, pipes and tests.
    pub const PLAIN: Style = Style {
        colour: false,
        width: 80,
    };

    fn paint(self, code: &str, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

const BOLD: &str = "1";
const BLUE: &str = "1;34";
const GREEN: &str = "1;32";

fn colour_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "1;36",
        Severity::Warning => "1;33",
        Severity::Error => "1;31",
    }
}

/// All findings as text, an empty line between two; never wider than the style says, but for
/// words that are.
pub fn to_text(findings: &[Finding], style: Style) -> String {
    let all: Vec<String> = findings.iter().map(|f| one(f, style)).collect();
    all.join("\n")
}

fn one(finding: &Finding, style: Style) -> String {
    let mut out = String::new();
    let head = format!("{}[{}]", finding.severity.word(), finding.code.id);
    let message = shown(&finding.message);
    let lines = wrapped(&message, head.len() + 2, 4, style.width);
    out.push_str(&style.paint(colour_of(finding.severity), &head));
    for (n, line) in lines.iter().enumerate() {
        out.push_str(if n == 0 { ": " } else { "    " });
        out.push_str(&style.paint(BOLD, line));
        out.push('\n');
    }
    let gutter = match &finding.place {
        Place::File { file, span } => file.line_column(span.start).0.to_string().len(),
        _ => 1,
    };
    let margin = " ".repeat(gutter + 1);
    if let Some(place) = place_text(&finding.place) {
        let arrow = style.paint(BLUE, "-->");
        let before = gutter + 5;
        let lines = wrapped(&shown(&place), before, before, style.width);
        for (n, line) in lines.iter().enumerate() {
            match n {
                0 => out.push_str(&format!("{}{arrow} {line}\n", " ".repeat(gutter + 1))),
                _ => out.push_str(&format!("{}{line}\n", " ".repeat(before))),
            }
        }
    }
    let bar = style.paint(BLUE, "|");
    if let Place::File { file, span } = &finding.place
        && let Some((number, line, carets)) =
            snippet(file, *span, style.width.saturating_sub(gutter + 4))
    {
        let number = style.paint(BLUE, &format!("{number:>width$}", width = gutter + 1));
        let carets = carets_painted(&carets, finding.severity, style);
        out.push_str(&format!(
            "{margin} {bar}\n{number} {bar} {line}\n{margin} {bar} {carets}\n"
        ));
    }
    for (label, text, colour) in [
        ("reason", &finding.reason, BLUE),
        ("help", &finding.remedy, GREEN),
    ] {
        let Some(text) = text else { continue };
        let before = margin.len() + label.len() + 5;
        let equals = style.paint(BLUE, "=");
        let label = style.paint(colour, label);
        // What stands on lines of its own, SQL for one, keeps them.
        for (n, line) in text.lines().enumerate() {
            for (m, line) in wrapped(&shown(line), before, before, style.width)
                .iter()
                .enumerate()
            {
                match (n, m) {
                    (0, 0) => out.push_str(&format!("{margin} {equals} {label}: {line}\n")),
                    _ => out.push_str(&format!("{}{line}\n", " ".repeat(before))),
                }
            }
        }
    }
    out
}

fn carets_painted(carets: &str, severity: Severity, style: Style) -> String {
    let at = carets.find('^').unwrap_or(0);
    let (space, marks) = carets.split_at(at);
    format!("{space}{}", style.paint(colour_of(severity), marks))
}

/// The place in one line.
fn place_text(place: &Place) -> Option<String> {
    Some(match place {
        Place::File { file, span } => {
            let (line, column) = file.line_column(span.start);
            format!("{}:{line}:{column}", file.name)
        }
        Place::Path(text)
        | Place::Source(text)
        | Place::Kafka(text)
        | Place::Registry(text)
        | Place::Setting(text) => text.clone(),
        Place::Log { what, position } => format!("{what} at {position}"),
        Place::Nowhere => return None,
    })
}

/// Text from a file may hold what a terminal would obey.
fn shown(text: &str) -> String {
    text.chars().map(shown_char).collect()
}

/// A letter as a terminal may have it: nothing that moves, colours or turns what is read.
pub fn shown_char(c: char) -> char {
    match c {
        '\t' | '\n' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// The text in lines: the first one begins behind `first` columns, the others behind `rest`.
fn wrapped(text: &str, first: usize, rest: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut room = width.saturating_sub(first).max(20);
    let mut used = 0;
    for word in words(text, width.saturating_sub(rest).max(20)) {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            lines.push(std::mem::take(&mut line));
            room = width.saturating_sub(rest).max(20);
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(&word);
        used += length;
    }
    lines.push(line);
    lines
}

/// The words of a text; what stands between backticks is one, where it fits into a line.
fn words(text: &str, room: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for part in text.split(' ') {
        match words.last_mut() {
            Some(last) if open && last.chars().count() + 1 + part.chars().count() <= room => {
                last.push(' ');
                last.push_str(part);
            }
            _ => words.push(part.to_owned()),
        }
        open ^= part.matches('`').count() % 2 == 1;
    }
    words
}

/// The first line of a span with carets beneath, cut to the columns that there are.
fn snippet(file: &SourceFile, span: Span, columns: usize) -> Option<(usize, String, String)> {
    let (number, column) = file.line_column(span.start);
    let text: Vec<char> = shown(file.text.lines().nth(number - 1)?).chars().collect();
    let start = (column - 1).min(text.len());
    let (end_line, end_column) = file.line_column(span.end);
    let end = match end_line == number {
        true => (end_column - 1).clamp(start, text.len()),
        false => text.len(),
    };
    let columns = columns.max(20);
    let mut from = 0;
    // A long line is shown around the fault, not from its start.
    if text.len() > columns && end.max(start + 1) > columns - 1 {
        from = start.saturating_sub(columns / 3);
    }
    let cut = text.len() - from > columns;
    let to = if cut { from + columns - 1 } else { text.len() };
    let mut line: String = text[from..to].iter().collect();
    if from > 0 {
        line = format!("…{}", line.chars().skip(1).collect::<String>());
    }
    if cut {
        line.push('…');
    }
    let marks = end.min(to).saturating_sub(start).max(1);
    let carets = format!("{}{}", " ".repeat(start - from), "^".repeat(marks));
    Some((number, line, carets))
}

/// All findings as a JSON array, each with code, severity, message, reason, remedy, product,
/// place in one line and, where it is in a file, the file's name and the range of lines and
/// columns (from 1; the end is one past the last character).
pub fn to_json(findings: &[Finding]) -> Value {
    Value::Array(findings.iter().map(object).collect())
}

fn object(finding: &Finding) -> Value {
    let (mut file, mut start, mut end) = (None, None, None);
    match &finding.place {
        Place::File { file: at, span } => {
            file = Some(at.name.clone());
            start = Some(at.line_column(span.start));
            end = Some(at.line_column(span.end));
        }
        Place::Path(path) => file = Some(path.clone()),
        _ => {}
    }
    json!({
        "code": finding.code.id,
        "severity": finding.severity.word(),
        "message": finding.message,
        "reason": finding.reason,
        "remedy": finding.remedy,
        "product": finding.product,
        "place": place_text(&finding.place),
        "file": file,
        "line": start.map(|s| s.0),
        "column": start.map(|s| s.1),
        "end_line": end.map(|s| s.0),
        "end_column": end.map(|s| s.1),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::codes::files;

    fn finding(text: &str, span: (u32, u32)) -> Finding {
        let file = Arc::new(SourceFile {
            name: "products/orders.yaml".into(),
            text: text.into(),
        });
        let span = Span {
            start: span.0,
            end: span.1,
        };
        Finding::error(
            &files::UNKNOWN_KEY,
            Place::File { file, span },
            "unknown key `sttus`",
        )
        .because("a key that nobody reads is a mistake that nobody sees")
        .remedy("did you mean `status`?")
        .of_product("commerce.orders.v1")
    }

    #[test]
    fn the_line_is_shown_with_what_is_meant() {
        let text = to_text(
            &[finding("product: a\nsttus: active\n", (11, 16))],
            Style::PLAIN,
        );
        let expected = "\
error[ONR-103]: unknown key `sttus`
  --> products/orders.yaml:2:1
   |
 2 | sttus: active
   | ^^^^^
   = reason: a key that nobody reads is a mistake that nobody sees
   = help: did you mean `status`?
";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_a_long_one_shows_the_fault() {
        let text = format!("{}FAULT{}", "a ".repeat(200), " b".repeat(200));
        let mut finding = finding(&text, (400, 405));
        finding.reason = Some("why ".repeat(60));
        let text = to_text(&[finding], Style::PLAIN);
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let at = lines[3].chars().position(|c| c == 'F').unwrap();
        assert_eq!(lines[4].chars().position(|c| c == '^'), Some(at));
        assert_eq!(lines[4].matches('^').count(), 5);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_comes_out_of_a_file() {
        let mut finding = finding("a\x1b[31mb: \u{202e}c\n", (0, 9));
        finding.message = "unknown key `\x1b]0;x\x07`".into();
        let text = to_text(&[finding], Style::PLAIN);
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']));
    }

    #[test]
    fn colour_is_asked_for() {
        let finding = finding("sttus: active\n", (0, 5));
        let coloured = Style {
            colour: true,
            width: 80,
        };
        assert!(
            to_text(std::slice::from_ref(&finding), coloured)
                .contains("\x1b[1;31merror[ONR-103]\x1b[0m")
        );
        assert!(!to_text(&[finding], Style::PLAIN).contains('\x1b'));
    }

    #[test]
    fn sql_keeps_its_lines() {
        let mut finding = Finding::warning(
            &files::LIMITS,
            Place::Source("slot onramp_shop".into()),
            "m",
        );
        finding.remedy = Some("run:\nALTER TABLE a;\nALTER TABLE b;".into());
        let expected = "\
warning[ONR-127]: m
  --> slot onramp_shop
   = help: run:
           ALTER TABLE a;
           ALTER TABLE b;
";
        assert_eq!(to_text(&[finding], Style::PLAIN), expected);
    }

    #[test]
    fn machines_get_ranges() {
        let json = to_json(&[finding("product: a\nsttus: ä\n", (11, 20))]);
        assert_eq!(
            json[0],
            json!({
                "code": "ONR-103", "severity": "error", "message": "unknown key `sttus`",
                "reason": "a key that nobody reads is a mistake that nobody sees",
                "remedy": "did you mean `status`?", "product": "commerce.orders.v1",
                "place": "products/orders.yaml:2:1", "file": "products/orders.yaml",
                "line": 2, "column": 1, "end_line": 2, "end_column": 9,
            })
        );
    }

    #[test]
    fn every_code_is_told_once_and_says_what_to_do() {
        let all = crate::codes::all();
        for (n, code) in all.iter().enumerate() {
            assert!(
                all[..n].iter().all(|c| c.id < code.id),
                "{} out of order",
                code.id
            );
            assert!(!code.title.is_empty() && !code.reason.is_empty() && !code.remedy.is_empty());
        }
    }
}
