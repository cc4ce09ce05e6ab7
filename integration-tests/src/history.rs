//! A writer whose every committed change is known, and the check that a topic tells just that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_postgres::Client;

use crate::{Event, Scenario, consume, until};

/// The table and the product that the writer works on.
pub const TABLE: &str = "
CREATE TABLE acct (acct_no integer PRIMARY KEY, ver bigint NOT NULL, note text);
";

/// The product over [`TABLE`].
pub const PRODUCT: &str = r#"
product: DOMAIN.accounts.v1
status: active
owner: { team: accounts, contact: accounts@shop.test }
description: Accounts.
kind: entity
source: { table: public.acct }
key: [account_id]
unchanged_toast: stop
fields:
  account_id: { type: int, from: acct_no }
  version:    { type: long, from: ver }
  note:       { type: string, from: note, optional: true }
"#;

/// A small generator of numbers: seeds make a run repeatable.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// What was committed: for each key its versions in order; None is a delete.
#[derive(Debug, Default, Clone)]
pub struct History {
    /// By key.
    pub by_key: BTreeMap<i32, Vec<Option<i64>>>,
    version: i64,
}

impl History {
    /// Runs one random transaction: some changes, perhaps a savepoint rolled back within, perhaps
    /// all of it rolled back.
    ///
    /// # Panics
    /// Where the database refuses.
    pub async fn transaction(&mut self, db: &Client, dice: &mut Dice, keys: u64) {
        let mut sql = String::from("BEGIN;");
        let mut done: Vec<(i32, Option<i64>)> = Vec::new();
        let most = if dice.below(20) == 0 { 400 } else { 6 };
        let changes = 1 + dice.below(most);
        for _ in 0..changes {
            let key = dice.below(keys) as i32;
            let undone = dice.below(8) == 0;
            if undone {
                sql.push_str("SAVEPOINT s;");
            }
            let exists = |done: &[(i32, Option<i64>)], all: &BTreeMap<i32, Vec<Option<i64>>>| {
                done.iter().rev().find(|(k, _)| *k == key).map_or_else(
                    || matches!(all.get(&key).and_then(|v| v.last()), Some(Some(_))),
                    |(_, v)| v.is_some(),
                )
            };
            let there = exists(&done, &self.by_key);
            self.version += 1;
            let version = self.version;
            let change = if there && dice.below(5) == 0 {
                sql.push_str(&format!("DELETE FROM acct WHERE acct_no = {key};"));
                None
            } else {
                sql.push_str(&format!(
                    "INSERT INTO acct VALUES ({key}, {version}, 'n{version}') ON CONFLICT (acct_no) DO UPDATE SET ver = excluded.ver, note = excluded.note;"
                ));
                Some(version)
            };
            if undone {
                sql.push_str("ROLLBACK TO SAVEPOINT s;");
            } else {
                done.push((key, change));
            }
        }
        let committed = dice.below(6) != 0;
        sql.push_str(if committed { "COMMIT" } else { "ROLLBACK" });
        db.batch_execute(&sql)
            .await
            .expect("the database takes the transaction");
        if committed {
            for (key, change) in done {
                self.by_key.entry(key).or_default().push(change);
            }
        }
    }

    /// How many events there must be.
    pub fn len(&self) -> usize {
        self.by_key.values().map(Vec::len).sum()
    }

    /// Whether nothing was committed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the topic differs from what was committed, per key and in order; None where it does
    /// not.
    pub fn differs(&self, events: &[Event]) -> Option<String> {
        let mut told: BTreeMap<i32, Vec<Option<i64>>> = BTreeMap::new();
        for event in events {
            let Ok(key) = event.key.parse() else {
                return Some(format!("a key that was never written: {}", event.key));
            };
            let version = event
                .value
                .as_ref()
                .map(|v| v["version"].as_i64().unwrap_or(-1));
            told.entry(key).or_default().push(version);
        }
        for key in self.by_key.keys().chain(told.keys()) {
            let (is, shall) = (told.get(key), self.by_key.get(key));
            if is != shall {
                let (is, shall) = (
                    is.cloned().unwrap_or_default(),
                    shall.cloned().unwrap_or_default(),
                );
                let at = is.iter().zip(&shall).position(|(a, b)| a != b);
                let at = at.unwrap_or(is.len().min(shall.len()));
                return Some(format!(
                    "key {key} differs from event {at} on: {} told, {} committed; told {:?}, committed {:?}",
                    is.len(),
                    shall.len(),
                    is.get(at),
                    shall.get(at)
                ));
            }
        }
        None
    }
}

impl History {
    /// Waits until the topic tells every committed change, and sees that it tells nothing else.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn is_told(&self, scenario: &Scenario) -> Vec<Event> {
        let topic = scenario.topic("accounts.v1");
        let mut events = Vec::new();
        until(
            "every committed change",
            Duration::from_secs(90),
            async || {
                events = consume(&scenario.servers, &topic).await;
                events.len() >= self.len()
            },
        )
        .await;
        assert_eq!(self.differs(&events), None);
        events
    }
}

/// Load in the background, by a connection of its own.
pub struct Writer {
    enough: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<History>,
}

impl Writer {
    /// Goes on with a history until told to stop.
    pub async fn start(scenario: &Scenario, mut history: History, seed: u64) -> Writer {
        let db = scenario.connect().await;
        let (enough, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (stop, some) = (enough.clone(), done.clone());
        let task = tokio::spawn(async move {
            let mut dice = Dice::new(seed);
            let mut transactions = 0;
            while !stop.load(Ordering::Relaxed) {
                history.transaction(&db, &mut dice, 50).await;
                transactions += 1;
                some.store(transactions >= 50, Ordering::Relaxed);
            }
            history
        });
        Writer { enough, done, task }
    }

    /// Waits until something was written.
    pub async fn under_way(&self) {
        until("the load", Duration::from_secs(60), async || {
            self.done.load(Ordering::Relaxed) || self.task.is_finished()
        })
        .await;
    }

    /// Stops, and tells what was committed.
    ///
    /// # Panics
    /// Where the database refused something.
    pub async fn stop(self) -> History {
        self.enough.store(true, Ordering::Relaxed);
        self.task.await.expect("the database took everything")
    }
}
