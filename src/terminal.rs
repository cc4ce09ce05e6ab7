//! What is printed for whoever gave a command: text that fits the terminal.

mod amounts;
mod lines;

use std::io::{IsTerminal, Write};

use onramp_finding::Style;

pub(crate) use amounts::{bytes, duration, grouped};
pub(crate) use lines::labelled;

/// Where nobody says how wide the terminal is.
const COLUMNS: usize = 80;

/// Columns of the terminal: as `COLUMNS` says, else as the terminal itself, else 80.
pub(crate) fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    said.or_else(|| terminal_size::terminal_size().map(|(width, _)| width.0.into()))
        .filter(|&width| width >= 40)
        .unwrap_or(COLUMNS)
}

/// How text for this stream is to look.
pub(crate) fn style(to: &impl IsTerminal) -> Style {
    Style {
        colour: to.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        width: width(),
    }
}

/// How text on standard output is to look.
pub(crate) fn out() -> Style {
    style(&std::io::stdout())
}

/// Prints to standard output; a reader that went away has seen what it wanted.
pub(crate) fn print(text: &str) {
    let mut to = std::io::stdout().lock();
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// A line for whoever gave the command.
pub(crate) fn say(line: &str) {
    print(&format!("{line}\n"));
}

/// Prints JSON to standard output.
pub(crate) fn json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}

/// A text in lines that fit, each behind so many blanks; the lines after the first two blanks more.
/// What a terminal would obey is shown as a mark.
pub(crate) fn wrapped(indent: usize, text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = " ".repeat(indent);
    let mut empty = true;
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(indent + 2);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// How far something has come, on one line of the terminal that is written anew; nothing where
/// standard error is none.
#[derive(Default)]
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    /// Shows a line in place of the last one.
    pub(crate) fn say(&mut self, line: &str) {
        let mut to = std::io::stderr().lock();
        if !to.is_terminal() {
            return;
        }
        let clean = line
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let line: String = clean.take(width() - 1).collect();
        let _ = write!(to, "\r\x1b[K{line}").and_then(|()| to.flush());
        self.shown = true;
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.shown {
            let mut to = std::io::stderr().lock();
            let _ = write!(to, "\r\x1b[K").and_then(|()| to.flush());
            self.shown = false;
        }
    }
}
