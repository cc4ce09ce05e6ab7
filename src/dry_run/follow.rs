//! What commits while it is looked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use onramp_connector::{Batch, Connector, Follow, FollowRequest, Following, Ident, StreamLimits};
use onramp_finding::{Failure, Finding};
use onramp_language::Gateway;

use super::judge::{Judge, Looked};
use super::rows::is_out_of_reach;
use super::tally::Tally;
use crate::terminal::Progress;

/// The log that one batch holds.
const BATCH_BYTES: usize = 256 << 10;
/// A slot is given at least so long to be ready.
const LEAST_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is shown how far it is.
pub(super) const SHOWN_EVERY: Duration = Duration::from_millis(500);

/// What was followed.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// By what means; None where nothing was.
    pub(super) by: Option<String>,
    pub(super) seconds: f64,
    /// Whom the source waited for before it could be followed, and how long.
    pub(super) waited_for: Vec<String>,
    pub(super) waited_seconds: f64,
    /// By product, in the order given.
    pub(super) tallies: Vec<Tally>,
    pub(super) findings: Vec<Finding>,
}

/// Follows the products' tables for so long.
pub(super) async fn follow(
    gateway: &Gateway,
    connector: &dyn Connector,
    looked: &[Arc<Looked>],
    duration: Duration,
    progress: &Progress,
) -> Result<Followed, Failure> {
    let mut tables: Vec<Ident> = Vec::new();
    for one in looked {
        if !tables.contains(&one.mapping.table.name) {
            tables.push(one.mapping.table.name.clone());
        }
    }
    let request = FollowRequest {
        tables,
        limits: StreamLimits {
            batch_bytes: BATCH_BYTES,
            record_bytes: gateway.limits.chunk,
        },
        patience: duration.max(LEAST_PATIENCE),
    };
    let waited = Mutex::new(Vec::new());
    let began = Instant::now();
    let waits = |open: &[String]| {
        if open.is_empty() {
            return;
        }
        progress.say(&format!("the source waits for {}", open.join("; ")));
        open.clone_into(&mut waited.lock().unwrap_or_else(PoisonError::into_inner));
    };
    let follow = connector.follow(&request, &waits).await?;
    let waited_for = waited.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut followed = Followed {
        waited_seconds: began.elapsed().as_secs_f64(),
        waited_for,
        ..Followed::default()
    };
    let mut following = match follow {
        Follow::Changes(following) => following,
        Follow::Not(finding) => {
            followed.findings.push(*finding);
            return Ok(followed);
        }
    };
    followed.by = Some(following.by().to_owned());
    let mut watched: Vec<Watched> = looked.iter().map(|l| Watched::new(l.clone())).collect();
    let began = Instant::now();
    let ended = watch(following.as_mut(), &mut watched, duration, progress).await;
    progress.clear();
    followed.seconds = began.elapsed().as_secs_f64();
    // It goes with its connection where it cannot be told to.
    let _ = following.end().await;
    match ended {
        Err(failure) if is_out_of_reach(&failure) => return Err(failure),
        // What was seen before counts.
        Err(failure) => followed.findings.extend(failure.findings),
        Ok(()) => {}
    }
    for one in watched {
        followed.findings.extend(one.findings);
        followed.tallies.push(one.judge.tally);
    }
    Ok(followed)
}

/// A product whose changes are followed.
struct Watched {
    judge: Judge,
    /// Why it is no longer: its table was altered.
    findings: Vec<Finding>,
}

impl Watched {
    fn new(looked: Arc<Looked>) -> Watched {
        Watched {
            judge: Judge::new(looked, false),
            findings: Vec::new(),
        }
    }

    fn changes(&mut self, batch: &Batch) {
        if !self.findings.is_empty() {
            return;
        }
        if let Err(failure) = self.judge.changes(batch) {
            let name = &self.judge.looked.name;
            let findings = failure.findings.into_iter();
            self.findings = findings.map(|f| f.of_product(name.clone())).collect();
        }
    }
}

/// Looks at what comes until the time is up.
async fn watch(
    following: &mut dyn Following,
    watched: &mut [Watched],
    duration: Duration,
    progress: &Progress,
) -> Result<(), Failure> {
    let mut batch = Batch::default();
    let began = Instant::now();
    while let Some(left) = duration.checked_sub(began.elapsed()) {
        following.next(&mut batch, left.min(SHOWN_EVERY)).await?;
        for one in watched.iter_mut() {
            one.changes(&batch);
        }
        let seen: u64 = watched.iter().map(|one| one.judge.tally.read).sum();
        let (so_far, all) = (began.elapsed().as_secs(), duration.as_secs());
        progress.say(&format!("following: {so_far} of {all} s, {seen} changes"));
    }
    Ok(())
}
