//! What the server says of itself, over ordinary connections: tables, settings, rights, slots.
//!
//! Each room judges what it reads, so that `preflight` (which only looks) and `prepare` (which
//! refuses) cannot differ. Read-only but for [`prepare`] and [`publish`], the one place where anything
//! is created: a slot and a publication, and nothing else.

pub(crate) mod describe;
pub(crate) mod history;
pub(crate) mod kept;
pub(crate) mod locks;
pub(crate) mod planned;
pub(crate) mod preflight;
pub(crate) mod prepare;
pub(crate) mod publication;
pub(crate) mod publish;
pub(crate) mod rights;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod slot;
pub(crate) mod sql;
pub(crate) mod tables;
pub(crate) mod toast;
