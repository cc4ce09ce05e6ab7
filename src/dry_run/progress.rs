//! One line on standard error that says what is being done; on a terminal alone.

use std::io::{IsTerminal, Write};

use crate::terminal;

/// The line.
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress {
            shown: std::io::stderr().is_terminal(),
        }
    }

    /// Shows another text in the place of the last.
    pub(super) fn show(&self, text: &str) {
        if self.shown {
            let width = terminal::width().saturating_sub(1);
            let text: String = text
                .chars()
                .filter(|c| !c.is_control())
                .take(width)
                .collect();
            // Who cannot see it misses nothing.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        }
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        self.show("");
    }
}
