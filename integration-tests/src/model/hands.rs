//! The sessions that write: short transactions one after the other, and others that stay open, are
//! prepared, or whose commit waits for a standby meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::tale::{Change, Tale};
use crate::history::Dice;
use crate::{Private, Scenario, until};

/// Which transactions of those that a crash may undo were committed.
const MARKS: &str = "CREATE TABLE marks (n bigint PRIMARY KEY)";
/// How many transactions may linger at the same time.
const LINGERING_MAX: usize = 4;

/// The key of the row that is written last.
pub(super) const LAST: i32 = i32::MAX;

/// How a transaction lingers.
enum How {
    /// Open.
    Open(Client),
    /// Prepared under this name.
    Prepared(String),
    /// Its commit is in the log, and waits for a standby: this process's.
    Stuck(i32, JoinHandle<()>),
}

/// A transaction that is not over. Nobody else touches its keys.
struct Lingering {
    how: How,
    changes: Vec<Change>,
}

pub(super) struct Hands {
    db: Client,
    url: String,
    name: String,
    lingering: Vec<Lingering>,
    /// A transaction that changes nothing and has begun.
    held: Option<Client>,
    marks: i64,
}

impl Hands {
    pub(super) async fn new(scenario: &Scenario) -> Hands {
        let db = scenario.connect().await;
        execute(&db, MARKS).await;
        Hands {
            db,
            url: scenario.servers.database(&scenario.name),
            name: scenario.name.clone(),
            lingering: Vec::new(),
            held: None,
            marks: 0,
        }
    }

    /// The rows that are there before anybody looks.
    pub(super) async fn fill(&mut self, tale: &mut Tale, rows: u64) {
        let mut changes = Vec::new();
        for n in 0..rows {
            let version = tale.next_version();
            let key = key(n);
            let insert = format!(
                "INSERT INTO acct VALUES ({key}, {version}, '{}')",
                note(version)
            );
            execute(&self.db, &insert).await;
            changes.push((key, Some(version)));
        }
        tale.committed(None, changes);
    }

    /// A transaction that begins and ends: committed, rolled back, or committed without waiting for
    /// the log to be written.
    pub(super) async fn short(&mut self, tale: &mut Tale, dice: &mut Dice, keys: u64) {
        let most = if dice.below(30) == 0 { 150 } else { 5 };
        let (sql, changes) = self.draft(tale, dice, keys, most);
        let kind = dice.below(8);
        let mut mark = None;
        let end = match kind {
            0 => "ROLLBACK".to_owned(),
            1 | 2 => {
                self.marks += 1;
                mark = Some(self.marks);
                format!(
                    "SET LOCAL synchronous_commit = off; INSERT INTO marks VALUES ({}); COMMIT",
                    self.marks
                )
            }
            _ => "COMMIT".to_owned(),
        };
        execute(&self.db, &format!("BEGIN; {sql} {end}")).await;
        if kind > 0 {
            tale.committed(mark, changes);
        }
    }

    /// Begins a transaction that lingers, or ends one.
    pub(super) async fn linger(&mut self, tale: &mut Tale, dice: &mut Dice, keys: u64) {
        let many = self.lingering.len() as u64;
        if many > 0 && dice.below(LINGERING_MAX as u64) < many {
            let one = self.lingering.remove(dice.below(many) as usize);
            self.end(one, tale, dice.below(4) > 0).await;
            return;
        }
        let (sql, changes) = self.draft(tale, dice, keys, 8);
        let db = crate::connect(&self.url).await;
        execute(&db, &format!("BEGIN; {sql}")).await;
        let how = match dice.below(4) {
            0 => How::Open(db),
            1 => {
                self.marks += 1;
                let name = format!("{}-{}", self.name, self.marks);
                execute(&db, &format!("PREPARE TRANSACTION '{name}'")).await;
                How::Prepared(name)
            }
            _ => {
                execute(&db, "SET LOCAL synchronous_commit = on").await;
                let pid = db
                    .query_one("SELECT pg_backend_pid()", &[])
                    .await
                    .expect("the database answers")
                    .get(0);
                let commit = tokio::spawn(async move { execute(&db, "COMMIT").await });
                How::Stuck(pid, commit)
            }
        };
        self.lingering.push(Lingering { how, changes });
    }

    async fn end(&self, one: Lingering, tale: &mut Tale, commit: bool) {
        let word = if commit { "COMMIT" } else { "ROLLBACK" };
        let committed = match one.how {
            How::Open(db) => {
                execute(&db, word).await;
                commit
            }
            How::Prepared(name) => {
                execute(&self.db, &format!("{word} PREPARED '{name}'")).await;
                commit
            }
            How::Stuck(pid, task) => {
                until("a commit to be let go", Duration::from_secs(30), async || {
                    let cancel = format!(
                        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'SyncRep'"
                    );
                    execute(&self.db, &cancel).await;
                    task.is_finished()
                })
                .await;
                task.await.expect("the commit stands");
                true
            }
        };
        if committed {
            tale.committed(None, one.changes);
        }
    }

    /// Has runs that begin now wait, while others commit, until it is let go.
    pub(super) async fn hold(&mut self) {
        let db = crate::connect(&self.url).await;
        execute(&db, "BEGIN; SELECT pg_current_xact_id()").await;
        self.held = Some(db);
    }

    /// Lets runs go on that wait for what was held.
    pub(super) fn let_go(&mut self) {
        self.held = None;
    }

    /// Ends whatever lingers.
    pub(super) async fn finish(&mut self, tale: &mut Tale, dice: &mut Dice) {
        self.let_go();
        for one in std::mem::take(&mut self.lingering) {
            self.end(one, tale, dice.below(4) > 0).await;
        }
    }

    /// Sends a signal to whoever sends the log, if anybody does.
    pub(super) async fn walsenders(&self, signal: &str) {
        let sql = "SELECT active_pid::text FROM pg_replication_slots WHERE active_pid IS NOT NULL";
        for row in self.db.query(sql, &[]).await.expect("the database answers") {
            let pid: &str = row.get(0);
            // One that has just ended needs no signal.
            let _ = std::process::Command::new("kill")
                .args([&format!("-{signal}"), pid])
                .stderr(std::process::Stdio::null())
                .status();
        }
    }

    /// Kills the server while transactions are open whose commits need not have been written.
    pub(super) async fn crash(&mut self, tale: &mut Tale, private: &Private, scenario: &Scenario) {
        let (stays, goes): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lingering)
            .into_iter()
            .partition(|one| matches!(one.how, How::Prepared(_)));
        for one in goes {
            match one.how {
                How::Stuck(..) => self.end(one, tale, true).await,
                // Undone by the crash.
                _ => drop(one),
            }
        }
        self.lingering = stays;
        self.let_go();
        private.run("kill", private.postgres()).await;
        private.run("start", private.postgres()).await;
        self.db = scenario.connect().await;
        let rows = self.db.query("SELECT n FROM marks", &[]).await;
        let marks = rows
            .expect("the database answers")
            .iter()
            .map(|r| r.get(0))
            .collect();
        tale.survived(&marks);
    }

    /// A row whose key no other change has: what comes behind everything else.
    pub(super) async fn last(&self, tale: &mut Tale) {
        // A version that no product fails of.
        let mut version = tale.next_version();
        while version % super::facts::FAILS == 0 {
            version = tale.next_version();
        }
        let insert = format!("INSERT INTO acct VALUES ({LAST}, {version}, NULL)");
        execute(&self.db, &insert).await;
        tale.committed(None, vec![(LAST, Some(version))]);
    }

    /// What the table holds.
    pub(super) async fn table(&self) -> BTreeMap<i32, i64> {
        let rows = self.db.query("SELECT acct_no, ver FROM acct", &[]).await;
        let rows = rows.expect("the database answers");
        rows.iter().map(|r| (r.get(0), r.get(1))).collect()
    }

    /// Statements of a transaction, and what they change.
    fn draft(
        &self,
        tale: &mut Tale,
        dice: &mut Dice,
        keys: u64,
        most: u64,
    ) -> (String, Vec<Change>) {
        let taken: BTreeSet<i32> = self
            .lingering
            .iter()
            .flat_map(|one| one.changes.iter().map(|(key, _)| *key))
            .collect();
        let mut sql = String::new();
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..1 + dice.below(most) {
            let (from, to) = (key(dice.below(keys)), key(dice.below(keys)));
            if taken.contains(&from) || taken.contains(&to) {
                continue;
            }
            let version = tale.next_version();
            let there = |key: i32| {
                let own = changes.iter().rfind(|(k, _)| *k == key);
                own.map_or_else(|| tale.now().contains_key(&key), |(_, v)| v.is_some())
            };
            let (statement, change) = if !there(from) {
                let sql = format!(
                    "INSERT INTO acct VALUES ({from}, {version}, '{}')",
                    note(version)
                );
                (sql, vec![(from, Some(version))])
            } else if dice.below(6) == 0 {
                let sql = format!("DELETE FROM acct WHERE acct_no = {from}");
                (sql, vec![(from, None)])
            } else if dice.below(4) == 0 && !there(to) {
                tale.moves(from, version);
                let sql = format!(
                    "UPDATE acct SET acct_no = {to}, ver = {version} WHERE acct_no = {from}"
                );
                (sql, vec![(from, None), (to, Some(version))])
            } else {
                let sql = format!(
                    "UPDATE acct SET ver = {version}, note = '{}' WHERE acct_no = {from}",
                    note(version)
                );
                (sql, vec![(from, Some(version))])
            };
            if dice.below(8) == 0 {
                sql.push_str(&format!(
                    "SAVEPOINT s; {statement}; ROLLBACK TO SAVEPOINT s; "
                ));
            } else {
                sql.push_str(&format!("{statement}; "));
                changes.extend(change);
            }
        }
        (sql, changes)
    }
}

/// Keys lie far apart, a half of them negative.
fn key(n: u64) -> i32 {
    (n as i32 - 200) * 10_007
}

/// Rows of other lengths, so that chunks that end by bytes do not end by rows.
fn note(version: i64) -> String {
    "n".repeat((version % 7) as usize * 40)
}

async fn execute(db: &Client, sql: &str) {
    db.batch_execute(sql)
        .await
        .unwrap_or_else(|e| panic!("the database takes it: {e}: {sql}"));
}
