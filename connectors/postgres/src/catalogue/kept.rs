//! The session that one question leaves for the next: a start asks many in a row, and to connect
//! costs more than to ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::session::Session;

/// How long a session is kept for a question that may not come.
const KEPT: Duration = Duration::from_secs(5);

/// At most one session, unused and fit for use.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    session: Option<Session>,
    /// Counts what was put in, so that a timer takes out its own session alone.
    turn: u64,
}

impl Kept {
    /// The kept session, if it is still connected.
    pub(crate) fn take(&self) -> Option<Session> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.session.take().filter(Session::is_open)
    }

    /// Leaves a session for the next question. Only one that answered to the end may come here:
    /// whatever failed or was cancelled may have a transaction open.
    pub(crate) fn put(&self, session: Session) {
        let turn = {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slot.session = Some(session);
            slot.turn += 1;
            slot.turn
        };
        // The timer keeps nothing alive: it ends with the runtime, or finds nothing.
        let kept = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            if let Some(slot) = kept.upgrade() {
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                if slot.turn == turn {
                    slot.session = None;
                }
            }
        });
    }
}
