use std::sync::Arc;

/// A range of bytes in a file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A file that a team wrote: its name as the user knows it and its whole text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path relative to the gateway's folder.
    pub name: String,
    /// The text, as read.
    pub text: String,
}

impl SourceFile {
    /// Line and column (both from 1; the column counts characters) of a byte offset.
    pub fn line_column(&self, offset: u32) -> (usize, usize) {
        let mut end = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[line_start..].chars().count() + 1)
    }
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file, at a range of bytes.
    File {
        /// The file.
        file: Arc<SourceFile>,
        /// The range.
        span: Span,
    },
    /// In a file as a whole, or one that could not be read: its name.
    Path(String),
    /// In the source database: e.g. `table public.ordr_hdr, column ord_stat`, `slot onramp_shop`.
    Source(String),
    /// In the source's log: the object and the position.
    Log {
        /// e.g. `table public.ordr_hdr, column ord_stat`.
        what: String,
        /// The position, in the source's own notation.
        position: String,
    },
    /// In Kafka: e.g. `topic commerce.orders.v1`.
    Kafka(String),
    /// In the schema registry: e.g. `subject commerce.orders.v1-value`.
    Registry(String),
    /// An environment variable or a flag.
    Setting(String),
    /// Nowhere in particular.
    Nowhere,
}
