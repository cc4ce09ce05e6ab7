//! Random transactions, and what of them was committed.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use crate::history::Dice;

/// Keys there may be.
const KEYS: u64 = 40;
/// A row that the entity cannot carry, one in so many.
const REFUSED: u64 = 6;

/// A change of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) key: i32,
    /// Numbers all changes, deletes included.
    pub(super) version: i64,
    /// The row's version before; None where there was no row.
    pub(super) was: Option<i64>,
    pub(super) deletes: bool,
    pub(super) refused: bool,
}

/// What was committed, in its order.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) transactions: Vec<Vec<Change>>,
    rows: BTreeMap<i32, i64>,
    version: i64,
}

impl Committed {
    /// Runs one random transaction: some changes, some of them rolled back, perhaps all of it.
    pub(super) async fn transaction(&mut self, db: &Client, dice: &mut Dice) {
        let most = if dice.below(20) == 0 { 200 } else { 6 };
        let changes = 1 + dice.below(most);
        let (mut sql, mut done, mut rows) = ("BEGIN;".to_owned(), Vec::new(), self.rows.clone());
        for _ in 0..changes {
            let undone = dice.below(8) == 0;
            let change = self.change(dice, &rows);
            if undone {
                sql.push_str("SAVEPOINT s;");
            }
            sql.push_str(&statements(&change));
            if undone {
                sql.push_str("ROLLBACK TO SAVEPOINT s;");
                continue;
            }
            match change.deletes {
                true => rows.remove(&change.key),
                false => rows.insert(change.key, change.version),
            };
            done.push(change);
        }
        if dice.below(3) == 0 {
            sql.push_str("DELETE FROM obx;");
        }
        let commits = dice.below(6) != 0;
        sql.push_str(if commits { "COMMIT" } else { "ROLLBACK" });
        db.batch_execute(&sql).await.expect("the database takes it");
        if commits && !done.is_empty() {
            self.transactions.push(done);
            self.rows = rows;
        }
    }

    fn change(&mut self, dice: &mut Dice, rows: &BTreeMap<i32, i64>) -> Change {
        let key = dice.below(KEYS) as i32;
        let was = rows.get(&key).copied();
        let deletes = was.is_some() && dice.below(5) == 0;
        self.version += 1;
        Change {
            key,
            version: self.version,
            was,
            deletes,
            refused: !deletes && dice.below(REFUSED) == 0,
        }
    }

    /// One that all three tell.
    pub(super) async fn last(&mut self, db: &Client) {
        self.version += 1;
        let change = Change {
            key: KEYS as i32,
            version: self.version,
            was: None,
            deletes: false,
            refused: false,
        };
        let sql = format!("BEGIN; {} COMMIT", statements(&change));
        db.batch_execute(&sql).await.expect("the database takes it");
        self.transactions.push(vec![change]);
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.transactions.iter().flatten()
    }
}

fn statements(change: &Change) -> String {
    let Change { key, version, .. } = change;
    let status = if change.refused { '?' } else { 'O' };
    let row = match (change.was, change.deletes) {
        (_, true) => format!("DELETE FROM acct WHERE acct_no = {key};"),
        (None, _) => format!("INSERT INTO acct VALUES ({key}, {version}, '{status}');"),
        (Some(_), _) => {
            format!("UPDATE acct SET ver = {version}, stat = '{status}' WHERE acct_no = {key};")
        }
    };
    // A subtransaction has a number of its own; this is its top one's.
    format!(
        "{row} INSERT INTO obx (about, body) VALUES ({key}, format('{{\"version\": {version}, \
         \"number\": \"%s\"}}', pg_current_xact_id()));"
    )
}
