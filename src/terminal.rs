//! What is printed for whoever gave a command: text that fits the terminal, and progress.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use onramp_finding::Style;

/// Where nobody says how wide the terminal is.
const COLUMNS: usize = 80;
/// Nothing is said of what is done sooner.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often progress is shown anew.
const AGAIN: Duration = Duration::from_millis(200);

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

/// One line on a terminal's standard error that tells how far work is, from its second second on;
/// it goes when the work ends. Nothing is shown where standard error is no terminal.
pub(crate) struct Progress {
    began: Instant,
    shown: Option<Instant>,
    terminal: bool,
    width: usize,
}

impl Progress {
    pub(crate) fn begin() -> Progress {
        Progress {
            began: Instant::now(),
            shown: None,
            terminal: std::io::stderr().is_terminal(),
            width: width(),
        }
    }

    /// Tells what is being done now; cheap enough to be called for every step.
    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = Instant::now();
        let due = match self.shown {
            None => now - self.began >= PATIENCE,
            Some(shown) => now - shown >= AGAIN,
        };
        if !self.terminal || !due {
            return;
        }
        self.shown = Some(now);
        let text: String = what().chars().take(self.width - 1).collect();
        let mut to = std::io::stderr().lock();
        let _ = write!(to, "\r\x1b[2K{text}").and_then(|()| to.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let mut to = std::io::stderr().lock();
            let _ = write!(to, "\r\x1b[2K").and_then(|()| to.flush());
        }
    }
}
