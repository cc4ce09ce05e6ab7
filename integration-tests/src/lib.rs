//! What the tests of whole-system promises stand on: the servers that run, a scenario of one's own
//! on them, a gateway as a process, and a consumer.
//!
//! Tests name the promise that they hold (`a_killed_gateway_publishes_nothing_twice`). Nothing
//! here sleeps for a result: conditions are waited for, with a deadline.

pub mod broker;
mod consumer;
mod gateway;
pub mod history;
pub mod mishaps;
pub mod model;
pub mod operate;
mod private;
mod scenario;
pub mod seam;
mod servers;
pub mod standby;
pub mod switch;

pub use consumer::{Event, Extent, consume, extent, latest_by_key, records};
pub use gateway::{Gateway, binary};
pub use private::Private;
pub use scenario::{Scenario, connect};
pub use servers::Servers;

use std::time::{Duration, Instant};

/// Waits until a condition holds.
///
/// # Panics
/// When it does not within the deadline; `what` says what was waited for.
pub async fn until<F: AsyncFnMut() -> bool>(what: &str, deadline: Duration, mut condition: F) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < deadline, "waited {deadline:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
