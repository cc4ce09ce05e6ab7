//! Tables read in chunks, each with the snapshot that it was read under.
//!
//! What comes in: a table with the columns that are mapped, ranges of its key, limits. What never
//! does: a lock above ACCESS SHARE, a statement that writes, or a transaction longer than a chunk.
//! Rows are taken from binary COPY, whose values are those of the log.
//!
//! A row's place (ctid) is not offered as a key: an update moves the row, and a reader that goes by
//! places would tell it twice, or never.

mod client;
mod copy;
mod key;
mod opening;
mod reader;
mod shape;
mod snapshot;

pub(crate) use reader::Reader;
pub(crate) use snapshot::{visibility, waited_for_by, waits_for};
