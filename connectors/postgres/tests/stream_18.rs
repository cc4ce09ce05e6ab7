//! The log of a real server, PostgreSQL 18: values, changes, reading on, connecting, partitions.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, in its helpers too"
)]

// The server is chosen by the name of the test binary.
#[path = "stream/changes.rs"]
mod changes;
#[path = "stream/connecting.rs"]
mod connecting;
#[path = "stream/forwarder.rs"]
mod forwarder;
mod own;
#[path = "stream/partitions.rs"]
mod partitions;
#[path = "stream/reading.rs"]
mod reading;
mod source;
#[path = "stream/values.rs"]
mod values;
