//! How far a long command has come.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::lines::shown;
use super::width;

/// How far something has come, on one line of the terminal that is written anew; nothing where
/// standard error is none.
#[derive(Default)]
pub(crate) struct Progress {
    shown: AtomicBool,
}

impl Progress {
    /// Shows a line in place of the last one.
    pub(crate) fn say(&self, line: &str) {
        let mut to = std::io::stderr().lock();
        if !to.is_terminal() {
            return;
        }
        let line: String = line.chars().map(shown).take(width() - 1).collect();
        // Who cannot see it misses nothing.
        let _ = write!(to, "\r\x1b[K{line}").and_then(|()| to.flush());
        self.shown.store(true, Ordering::Relaxed);
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        if self.shown.swap(false, Ordering::Relaxed) {
            let mut to = std::io::stderr().lock();
            let _ = write!(to, "\r\x1b[K").and_then(|()| to.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
