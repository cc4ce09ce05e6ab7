//! Runs that operators order: refused, begun, or found under way, and answered once they are
//! durable.
//!
//! An order's record goes into the Kafka transaction that is filled when it comes. Its answer waits
//! for that commit: who was answered is not forgotten, whatever happens to this process. The same
//! order given again while its run is under way begins nothing and names that run, so that whoever
//! got no answer may simply ask again.

use std::sync::{Arc, Mutex, PoisonError};

use onramp_finding::codes::running;
use onramp_finding::{Finding, Place};
use onramp_publisher::{Cause, HistoryRecord, Stage};
use tokio::sync::oneshot;

use super::History;
use super::command::{Accepted, Answer, Command, Replayed};
use super::replay::Asker;
use crate::run::sources;

/// Orders whose records are on the way into progress.
#[derive(Clone, Default)]
pub(in crate::run) struct Orders {
    waiting: Arc<Mutex<Vec<Order>>>,
    /// A replay that was handed over: what its commit holds, and what is told then.
    replay: Arc<Mutex<Option<WaitingReplay>>>,
}

struct WaitingReplay {
    note: (String, String),
    told: Replayed,
    answer: Asker,
}

struct Order {
    /// Its record, key and value.
    note: (String, String),
    run: String,
    /// What those who gave it are to be told.
    answers: Vec<(Accepted, oneshot::Sender<Answer>)>,
}

impl Orders {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Order>> {
        // Plain data, whole whatever happened to the thread that held it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers those whose records a commit holds.
    pub(in crate::run) fn committed(&self, notes: &[(String, String)]) {
        if notes.is_empty() {
            return;
        }
        let mut durable = Vec::new();
        self.waiting().retain_mut(|order| {
            let there = notes.contains(&order.note);
            if there {
                durable.append(&mut order.answers);
            }
            !there
        });
        for (accepted, answer) in durable {
            // Whoever asked may have gone.
            let _ = answer.send(Ok(accepted));
        }
        let mut replay = self.replay();
        if replay
            .as_ref()
            .is_some_and(|replay| notes.contains(&replay.note))
            && let Some(replay) = replay.take()
        {
            let _ = replay.answer.send(Ok(replay.told));
        }
    }

    fn replay(&self) -> std::sync::MutexGuard<'_, Option<WaitingReplay>> {
        // As above.
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a replay is on its way to a commit.
    pub(super) fn replay_waits(&self) -> bool {
        self.replay().is_some()
    }

    pub(super) fn wait_for_replay(&self, note: (String, String), told: Replayed, answer: Asker) {
        *self.replay() = Some(WaitingReplay { note, told, answer });
    }

    fn wait(&self, note: (String, String), accepted: Accepted, answer: oneshot::Sender<Answer>) {
        let run = accepted.run.clone();
        self.waiting().push(Order {
            note,
            run,
            answers: vec![(accepted, answer)],
        });
    }

    /// One more who waits for a run's record; given back where it is durable already.
    fn join(
        &self,
        accepted: Accepted,
        answer: oneshot::Sender<Answer>,
    ) -> Option<(Accepted, oneshot::Sender<Answer>)> {
        let mut waiting = self.waiting();
        match waiting.iter_mut().find(|order| order.run == accepted.run) {
            Some(order) => {
                order.answers.retain(|(_, answer)| !answer.is_closed());
                order.answers.push((accepted, answer));
                None
            }
            None => Some((accepted, answer)),
        }
    }
}

impl History {
    /// Begins the run that an operator asked for, and gives the record that is to go into progress;
    /// None where there is nothing to write.
    pub(in crate::run) fn command(&mut self, command: Command) -> Option<(String, String)> {
        let Command {
            product,
            filter,
            reconcile,
            claim,
            answer,
        } = command;
        if answer.is_closed() || !claim.take() {
            // Whoever asked was told meanwhile that nothing was begun.
            return None;
        }
        let Some(mapped) = self.parts.mapped(&product) else {
            let finding = refused(
                &product,
                format!("{product} is not published by this gateway"),
                "only a product that is published can be published again",
            );
            // Whoever asked may have gone.
            let _ = answer.send(Err(vec![finding]));
            return None;
        };
        let tables = sources::names(&mapped.product);
        if let Some(run) = self.run_of(&product) {
            let same =
                run.cause == Cause::Command && run.filter == filter && run.reconcile == reconcile;
            if !same {
                let finding = refused(
                    &product,
                    format!("{product} is being published already, by run {}", run.run),
                    "two runs of one product would tell the same rows twice",
                );
                let _ = answer.send(Err(vec![finding]));
                return None;
            }
            let accepted = Accepted {
                run: run.run.clone(),
                under_way: true,
            };
            if let Some((accepted, answer)) = self.orders.join(accepted, answer) {
                let _ = answer.send(Ok(accepted));
            }
            return None;
        }
        self.commanded += 1;
        let run = format!("{}-{}", self.parts.instance, self.commanded);
        let mut record = HistoryRecord::begin(run.clone(), Cause::Command);
        // No run of it is under way, so that every table's rows were all published once.
        record.tables = match &filter {
            Some(_) => tables.clone(),
            None => Vec::new(),
        };
        record.left = tables;
        record.filter = filter;
        record.reconcile = reconcile;
        let note = record.note(&product);
        tracing::info!(%product, run, reconcile, "a run was asked for");
        let accepted = Accepted {
            run,
            under_way: false,
        };
        self.orders.wait(note.clone(), accepted, answer);
        self.begin(vec![(product, record)]);
        Some(note)
    }

    /// The product's run that is under way or queued.
    fn run_of(&self, product: &str) -> Option<&HistoryRecord> {
        let under_way = self.runs.iter().filter(|run| !run.done());
        let under_way = under_way.flat_map(|run| run.records.all());
        let all = under_way.chain(&self.queue).chain(&self.opened_by);
        all.filter(|(name, record)| name == product && record.stage != Stage::Done)
            .map(|(_, record)| record)
            .next()
    }
}

fn refused(product: &str, message: String, reason: &str) -> Finding {
    Finding::error(&running::RUN_REFUSED, Place::Nowhere, message)
        .because(reason)
        .remedy(running::RUN_REFUSED.remedy)
        .of_product(product.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(run: &str, under_way: bool) -> Accepted {
        Accepted {
            run: run.into(),
            under_way,
        }
    }

    fn note(of: &str) -> (String, String) {
        ("history/commerce.orders.v1".into(), of.into())
    }

    #[test]
    fn an_order_is_answered_by_the_commit_that_holds_it_and_by_no_other() {
        let orders = Orders::default();
        let (first, mut first_told) = oneshot::channel();
        let (again, mut again_told) = oneshot::channel();
        orders.wait(note("begun"), accepted("a-1", false), first);
        assert!(orders.join(accepted("a-1", true), again).is_none());
        orders.committed(&[]);
        orders.committed(&[note("of an earlier run")]);
        assert!(first_told.try_recv().is_err());
        orders.committed(&[note("begun"), note("one chunk further")]);
        assert_eq!(
            first_told.try_recv().unwrap().unwrap(),
            accepted("a-1", false)
        );
        assert_eq!(
            again_told.try_recv().unwrap().unwrap(),
            accepted("a-1", true)
        );
    }

    #[test]
    fn who_asks_for_what_is_durable_already_need_not_wait() {
        let orders = Orders::default();
        let (answer, _told) = oneshot::channel();
        assert!(orders.join(accepted("a-1", true), answer).is_some());
    }

    #[test]
    fn where_the_attempt_ends_before_the_commit_nobody_is_told_that_it_is_durable() {
        let orders = Orders::default();
        let (answer, told) = oneshot::channel();
        orders.wait(note("begun"), accepted("a-1", false), answer);
        drop(orders);
        assert!(told.blocking_recv().is_err());
    }
}
