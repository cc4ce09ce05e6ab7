//! What commits from now on, looked at for a while and by nobody who publishes it.

use std::time::Duration;

use async_trait::async_trait;
use onramp_finding::{Failure, Finding};

use crate::{Batch, Ident, StreamLimits};

/// What is to be followed.
#[derive(Debug, Clone)]
pub struct FollowRequest {
    /// The tables.
    pub tables: Vec<Ident>,
    /// Bounds on memory, as a stream's.
    pub limits: StreamLimits,
    /// How long the source may take until it is ready to be followed.
    pub patience: Duration,
}

/// Told, about once a second, whom the source waits for before it can be followed: for people to
/// read, as [`Lacking::waits_for`](crate::Lacking::waits_for).
pub type WaitsFor<'w> = &'w (dyn Fn(&[String]) + Send + Sync);

/// Whether a source can be followed.
pub enum Follow {
    /// It is, from now on.
    Changes(Box<dyn Following>),
    /// It is not, and why: a warning that names what it would take. Nothing was left behind.
    Not(Box<Finding>),
}

/// Changes of the tables asked for, as they commit.
///
/// Nothing that outlives the connection holds the log for it: however it ends, the process killed
/// included, the source forgets it at once.
#[async_trait]
pub trait Following: Send {
    /// By what means, in words for people.
    fn by(&self) -> &str;

    /// Fills `batch` anew, as [`Stream::next`](crate::Stream::next) does. Returns when there is
    /// something, or after `wait` with an empty batch. Not to be cancelled.
    async fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), Failure>;

    /// Ends it; what held the log is gone when this returns, and not a moment later as it is where
    /// it is only dropped.
    async fn end(self: Box<Self>) -> Result<(), Failure>;
}
