//! Commands to the runs: what an operator asks for while the gateway streams.
//!
//! The sending half outlives attempts and answers for the moments between them; each attempt opens
//! a receiving half of its own, so that nothing asked of one attempt is carried out by another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use onramp_finding::Finding;
use tokio::sync::{mpsc, oneshot};

/// Commands that may wait; one more is refused rather than queued.
const WAITING: usize = 16;

/// A run that is asked for. It was checked against the product's file; whether the product has a
/// run under way is for the receiver to say.
pub(crate) struct Command {
    /// The product, as `commerce.orders.v2`.
    pub(crate) product: String,
    /// A further condition on rows, where only a part is to be published again.
    pub(crate) filter: Option<String>,
    /// Whether keys that the table no longer has get tombstones in the end.
    pub(crate) reconcile: bool,
    /// Who decides what becomes of it.
    pub(crate) claim: Claim,
    /// What was accepted once its record is committed in progress, or why nothing was. Closed where
    /// the attempt ends before either: if the command had been taken, nobody knows whether it is
    /// there.
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// Rows in quarantine that are to be told late.
pub(crate) struct Replay {
    /// The product, as `commerce.order-lifecycle.v1`.
    pub(crate) product: String,
    /// Their keys; every one where there is none.
    pub(crate) keys: Vec<String>,
    /// Whether those that were replayed before are told once more.
    pub(crate) again: bool,
    /// Who decides what becomes of it.
    pub(crate) claim: Claim,
    /// What was done once it is committed, or why nothing was. Closed where the attempt ends before
    /// either.
    pub(crate) answer: oneshot::Sender<Result<Replayed, Vec<Finding>>>,
}

/// What a replay did.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Replayed {
    /// Rows that were translated.
    pub(crate) rows: u64,
    /// Events that they gave.
    pub(crate) events: u64,
    /// Rows that had been replayed before, and were passed over.
    pub(crate) before: u64,
    /// Rows that are left for another replay: one takes no more than memory allows.
    pub(crate) left: u64,
    /// Rows that cannot be replayed, or fail again.
    pub(crate) refused: u64,
    /// Why, of the first of them.
    pub(crate) findings: Vec<Finding>,
}

/// What an operator may ask for.
pub(crate) enum Asked {
    /// A run over a product's rows.
    Run(Command),
    /// Rows in quarantine once more.
    Replay(Replay),
}

/// What a command comes to.
pub(crate) type Answer = Result<Accepted, Vec<Finding>>;

/// A run that progress has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Its id.
    pub(crate) run: String,
    /// Whether the same order had begun it before.
    pub(crate) under_way: bool,
}

/// Of a command either the stream that carries it out has the say or the one who gave it and waits
/// no longer, whichever is first: so that who is told that nothing was begun can rely on it.
#[derive(Clone, Default)]
pub(crate) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Whether it is the caller's now.
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// The way to whichever attempt streams.
#[derive(Clone, Default)]
pub(crate) struct Commands {
    to: Arc<Mutex<Option<mpsc::Sender<Asked>>>>,
}

/// Why a command went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// No attempt streams at the moment.
    NotStreaming,
    /// Others wait already.
    Full,
}

impl Commands {
    /// The receiving half of a new attempt; an earlier one gets nothing more.
    pub(crate) fn open(&self) -> mpsc::Receiver<Asked> {
        let (to, from) = mpsc::channel(WAITING);
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
        from
    }

    /// Hands a command over. Its answer's other half is closed where the attempt ends before it
    /// was carried out.
    pub(crate) fn send(&self, asked: Asked) -> Result<(), NotSent> {
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = to.as_ref().ok_or(NotSent::NotStreaming)?.try_send(asked);
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Full,
            mpsc::error::TrySendError::Closed(_) => NotSent::NotStreaming,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> (Command, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let command = Command {
            product: "commerce.orders.v1".into(),
            filter: None,
            reconcile: false,
            claim: Claim::default(),
            answer,
        };
        (command, answered)
    }

    #[test]
    fn commands_reach_the_attempt_that_streams_and_no_other() {
        let commands = Commands::default();
        assert_eq!(
            commands.send(Asked::Run(command().0)),
            Err(NotSent::NotStreaming)
        );
        let mut first = commands.open();
        assert_eq!(commands.send(Asked::Run(command().0)), Ok(()));
        assert!(first.try_recv().is_ok());
        let mut second = commands.open();
        assert_eq!(commands.send(Asked::Run(command().0)), Ok(()));
        assert!(first.try_recv().is_err());
        assert!(second.try_recv().is_ok());
        drop(second);
        assert_eq!(
            commands.send(Asked::Run(command().0)),
            Err(NotSent::NotStreaming)
        );
    }

    #[test]
    fn a_command_too_many_is_refused_and_a_lost_one_is_told() {
        let commands = Commands::default();
        let from = commands.open();
        let (first, answered) = command();
        assert_eq!(commands.send(Asked::Run(first)), Ok(()));
        for _ in 1..WAITING {
            assert_eq!(commands.send(Asked::Run(command().0)), Ok(()));
        }
        assert_eq!(commands.send(Asked::Run(command().0)), Err(NotSent::Full));
        drop(from);
        assert!(answered.blocking_recv().is_err());
    }

    #[test]
    fn a_command_is_carried_out_or_withdrawn_and_never_both() {
        let claim = Claim::default();
        let other = claim.clone();
        assert!(claim.take());
        assert!(!other.take());
        assert!(!claim.take());
    }
}
