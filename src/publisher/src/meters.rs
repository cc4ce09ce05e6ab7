//! Metrics: handles made once, counted up once a commit. What each says is described by the program,
//! beside all others.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use onramp_event::Route;

struct OfRoute {
    events: Counter,
    bytes: Counter,
    /// Counted since the last commit.
    pending_events: u64,
    pending_bytes: u64,
}

/// The publisher's metrics.
pub(crate) struct Meters {
    routes: Vec<OfRoute>,
    rows: Counter,
    commits: Counter,
    aborts: Counter,
    seconds: Histogram,
    open: Gauge,
}

impl Meters {
    pub(crate) fn new(routes: &[Route]) -> Meters {
        let of_route = |route: &Route| {
            let product = route.product.clone();
            let (events, bytes) = match route.quarantine {
                false => (
                    counter!("onramp_events_total", "product" => product.clone()),
                    counter!("onramp_event_bytes_total", "product" => product),
                ),
                true => (
                    counter!("onramp_quarantined_total", "product" => product.clone()),
                    counter!("onramp_quarantined_bytes_total", "product" => product),
                ),
            };
            OfRoute {
                events,
                bytes,
                pending_events: 0,
                pending_bytes: 0,
            }
        };
        Meters {
            routes: routes.iter().map(of_route).collect(),
            rows: counter!("onramp_rows_total"),
            commits: counter!("onramp_commits_total"),
            aborts: counter!("onramp_aborts_total"),
            seconds: histogram!("onramp_commit_seconds"),
            open: gauge!("onramp_transaction_open"),
        }
    }

    #[inline]
    pub(crate) fn event(&mut self, route: usize, bytes: usize) {
        let of = &mut self.routes[route];
        of.pending_events += 1;
        of.pending_bytes += bytes as u64;
    }

    pub(crate) fn begun(&self) {
        self.open.set(1.0);
    }

    pub(crate) fn committed(&mut self, rows: u64, took: Duration) {
        for of in self.routes.iter_mut().filter(|of| of.pending_events > 0) {
            of.events.increment(std::mem::take(&mut of.pending_events));
            of.bytes.increment(std::mem::take(&mut of.pending_bytes));
        }
        self.rows.increment(rows);
        self.commits.increment(1);
        self.seconds.record(took);
        self.open.set(0.0);
    }

    pub(crate) fn aborted(&self) {
        self.aborts.increment(1);
        self.open.set(0.0);
    }
}
