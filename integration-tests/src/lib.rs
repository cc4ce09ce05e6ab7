//! What the tests of whole-system promises stand on: the servers that run, a scenario of one's own
//! on them, a gateway as a process, and a consumer.
//!
//! Tests name the promise that they hold (`a_killed_gateway_publishes_nothing_twice`). Nothing
//! here sleeps for a result: conditions are waited for, with a deadline.

pub mod broker;
mod consumer;
mod expected;
mod folder;
mod gateway;
pub mod history;
pub mod kinds;
pub mod looking;
pub mod mishaps;
pub mod model;
pub mod operate;
mod ports;
mod private;
pub mod quarantine;
mod scenario;
pub mod seam;
mod servers;
pub mod standby;
pub mod switch;
mod terminal;
pub mod traces;
pub mod unions;
pub mod workload;

pub use consumer::{Event, Extent, consume, extent, latest_by_key, records};
pub use expected::{fits_80_columns, is_as_expected};
pub use folder::Folder;
pub use gateway::{Gateway, binary};
pub use ports::Ports;
pub use private::Private;
pub use scenario::{Scenario, connect};
pub use servers::Servers;
pub use terminal::{on_a_terminal, screen};

use std::time::{Duration, Instant};

/// No wait is given up sooner. A deadline is there so that what hangs comes to an end, and measures
/// nothing: a machine with other work takes many times as long as one without.
pub const LEAST_PATIENCE: Duration = Duration::from_secs(180);

/// Waits until a condition holds.
///
/// # Panics
/// When it does not within the deadline, or within [`LEAST_PATIENCE`] where that is longer; `what`
/// says what was waited for.
pub async fn until<F: AsyncFnMut() -> bool>(what: &str, deadline: Duration, mut condition: F) {
    let deadline = deadline.max(LEAST_PATIENCE);
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < deadline, "waited {deadline:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
