//! Onramp: a legacy database's log as versioned, governed data products on Kafka.
//!
//! This crate is where everything meets: the command line, the start of a run, the way of the
//! data from the connector through the translator to the publisher, and what is shown of it. It
//! decides the order of things; each thing itself is done in a crate of its own.

mod admin;
pub mod cli;
mod discover;
mod documents;
mod dry_run;
mod fixtures;
mod health;
mod logs;
mod operate;
mod plan;
mod quarantine;
mod read_back;
mod released;
mod run;
mod status;
mod terminal;
