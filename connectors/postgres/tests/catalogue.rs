//! The catalogue of a real server: what is described, found, refused, made, and left alone.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, in its helpers too"
)]

#[path = "catalogue/database.rs"]
mod database;
#[path = "catalogue/describing.rs"]
mod describing;
#[path = "catalogue/harmless.rs"]
mod harmless;
#[path = "catalogue/histories.rs"]
mod histories;
#[path = "catalogue/locks.rs"]
mod locks;
mod own;
#[path = "catalogue/publications.rs"]
mod publications;
#[path = "catalogue/rights.rs"]
mod rights;
#[path = "catalogue/slots.rs"]
mod slots;
#[path = "catalogue/tables.rs"]
mod tables;
