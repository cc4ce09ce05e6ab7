//! What is printed for whoever gave a command: text that fits the terminal.

mod amounts;
mod lines;
mod progress;

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use onramp_finding::Style;

pub(crate) use amounts::{bytes, duration, grouped};
pub(crate) use lines::{Page, labelled, shown, to_the_letter, wrapped};
pub(crate) use progress::Progress;

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

/// Whether something that was to be told could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether something that was to be told could not be written: a full disk, and no reader that went
/// away.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Prints to standard output; a reader that went away has seen what it wanted.
pub(crate) fn print(text: &str) {
    write(&mut std::io::stdout().lock(), text);
}

/// Writes what is told.
pub(crate) fn write(to: &mut impl Write, text: &str) {
    if let Err(error) = to.write_all(text.as_bytes()).and_then(|()| to.flush())
        && error.kind() != ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        let _ = writeln!(
            std::io::stderr(),
            "onramp: the output cannot be written: {error}"
        );
    }
}

/// A line for whoever gave the command.
pub(crate) fn say(line: &str) {
    print(&format!("{line}\n"));
}

/// Prints JSON to standard output.
pub(crate) fn json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}
