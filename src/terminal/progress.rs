//! How far a long command has come.

use std::io::{IsTerminal, Write};

use super::width;

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
