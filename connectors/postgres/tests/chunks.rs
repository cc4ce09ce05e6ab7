//! Tables of real servers read in chunks: every row once in its key's order, what a chunk sees, and
//! what ends it.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, in its helpers too"
)]

#[path = "chunks/changes.rs"]
mod changes;
#[path = "chunks/database.rs"]
mod database;
#[path = "chunks/keys.rs"]
mod keys;
#[path = "chunks/limits.rs"]
mod limits;
#[path = "chunks/moments.rs"]
mod moments;
mod own;
#[path = "chunks/private.rs"]
mod private;
#[path = "chunks/seam.rs"]
mod seam;
#[path = "chunks/values.rs"]
mod values;
