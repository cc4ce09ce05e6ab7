//! Holding the seam between history and live changes open: who reads the tables must wait, while
//! the log goes on.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::history::{PRODUCT, TABLE};
use crate::{Event, Gateway, Private, Scenario, consume, model, records, until};

/// A table whose product makes the slot, before anybody reads [`TABLE`].
const OTHER: &str =
    "CREATE TABLE other (acct_no integer PRIMARY KEY, ver bigint NOT NULL, note text);";
const DEADLINE: Duration = Duration::from_secs(60);

/// A server of its own, and a gateway that has streamed another table's product before: its slot
/// is there, and what is open later does not keep it from being made.
pub struct Seam {
    /// The server.
    pub private: Private,
    /// The files.
    pub scenario: Scenario,
}

/// A commit that is in the log and that no reader sees, until it is let go.
pub struct Stuck {
    pid: i32,
    task: JoinHandle<()>,
}

impl Seam {
    /// Accounts 1 to `rows`, each of its own negative version; `settings` go into the gateway file.
    ///
    /// # Panics
    /// Where a server does not do it.
    pub async fn new(rows: u32, settings: &str) -> Seam {
        Seam::on(model::server().await, rows, settings).await
    }

    /// The same on a server that [`model`] made.
    ///
    /// # Panics
    /// Where a server does not do it.
    pub async fn on(private: Private, rows: u32, settings: &str) -> Seam {
        let scenario = Scenario::on(private.servers(), &format!("{TABLE}{OTHER}")).await;
        let fill = format!(
            "INSERT INTO acct SELECT n, -n, repeat('x', 200) FROM generate_series(1, {rows}) n"
        );
        run(&scenario.db, &fill).await;
        scenario.write("onramp.yaml", &scenario.gateway_file(settings));
        let other = PRODUCT.replace("accounts.v1", "others.v1");
        let other = other.replace("public.acct", "public.other");
        scenario.write("products/other.yaml", &other);
        let seam = Seam { private, scenario };
        let gateway = Gateway::streaming(&seam.scenario).await;
        seam.done("others.v1").await;
        assert!(gateway.stop().await.success());
        seam.scenario.write("products/accounts.yaml", PRODUCT);
        seam
    }

    /// Another session.
    pub async fn session(&self) -> Client {
        self.scenario.connect().await
    }

    /// A transaction that has written and is open: a run that begins now waits for it.
    ///
    /// # Panics
    /// Where the server does not do it.
    pub async fn open(&self) -> Client {
        let db = self.session().await;
        run(&db, "BEGIN; INSERT INTO other VALUES (-1, 0)").await;
        db
    }

    /// Commits statements, and lets the commit wait for a standby that never answers.
    ///
    /// # Panics
    /// Where the server does not do it.
    pub async fn stuck(&self, sql: &str) -> Stuck {
        let db = self.session().await;
        run(&db, &format!("SET synchronous_commit = on; BEGIN; {sql}")).await;
        let row = db.query_one("SELECT pg_backend_pid()", &[]).await;
        let pid = row.expect("the server answers").get(0);
        let task = tokio::spawn(async move { run(&db, "COMMIT").await });
        until("the commit to wait", DEADLINE, async || {
            self.waits(pid).await
        })
        .await;
        Stuck { pid, task }
    }

    async fn waits(&self, pid: i32) -> bool {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'";
        let rows = self.scenario.db.query(sql, &[&pid]).await;
        !rows.expect("the server answers").is_empty()
    }

    /// Lets a commit go.
    ///
    /// # Panics
    /// Where it does not end.
    pub async fn let_go(&self, stuck: Stuck) {
        let cancel = format!("SELECT pg_cancel_backend({})", stuck.pid);
        run(&self.scenario.db, &cancel).await;
        stuck.task.await.expect("the commit stands");
    }

    /// What the accounts' topic tells.
    pub async fn events(&self) -> Vec<Event> {
        consume(&self.scenario.servers, &self.scenario.topic("accounts.v1")).await
    }

    /// Waits until the accounts' topic has so many events.
    ///
    /// # Panics
    /// Where it does not come to that.
    pub async fn told(&self, events: usize) -> Vec<Event> {
        self.scenario.events("accounts.v1", events).await
    }

    /// Waits until a product's run is done, in progress.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn done(&self, product: &str) {
        done(&self.scenario, product).await;
    }

    /// Waits until the gateway's log says so.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn says(&self, gateway: &mut Gateway, words: &[&str]) {
        until("words in the log", DEADLINE, async || {
            assert!(gateway.runs(), "it ended:\n{}", gateway.output());
            let output = gateway.output();
            output
                .lines()
                .any(|line| words.iter().all(|w| line.contains(w)))
        })
        .await;
    }

    /// Sends a signal to the process that sends the log.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn walsender(&self, signal: &str) {
        let mut pid = None;
        until("somebody to send the log", DEADLINE, async || {
            pid = self.scenario.of_slot("active_pid").await;
            pid.is_some()
        })
        .await;
        let pid = pid.expect("waited for");
        let status = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status();
        assert!(status.is_ok_and(|s| s.success()), "kill -{signal}");
    }

    /// Ends server and files.
    pub async fn close(self) {
        self.scenario.close().await;
    }
}

/// Waits until a product's run is done, in progress.
///
/// # Panics
/// Where it is not.
pub async fn done(scenario: &Scenario, product: &str) {
    let key = format!("history/{}", scenario.topic(product));
    let progress = format!("onramp.{}.progress", scenario.name);
    until(&format!("the history of {product}"), DEADLINE, async || {
        let notes = records(&scenario.servers, &progress).await;
        let note = notes.iter().rfind(|(k, _)| *k == key);
        note.is_some_and(|(_, note)| note.contains("\"stage\":\"done\""))
    })
    .await;
}

/// Runs statements.
///
/// # Panics
/// Where the server refuses them.
pub async fn run(db: &Client, sql: &str) {
    db.batch_execute(sql)
        .await
        .unwrap_or_else(|e| panic!("the server takes it: {e}: {sql}"));
}

/// What a key's events tell, in order: whether each is of a snapshot, and its version.
pub fn versions(events: &[Event], key: &str) -> Vec<(bool, Option<i64>)> {
    let of_key = events.iter().filter(|e| e.key == key);
    of_key
        .map(|e| {
            let snapshot = e.headers.contains_key("onramp_id");
            (
                snapshot,
                e.value.as_ref().and_then(|v| v["version"].as_i64()),
            )
        })
        .collect()
}
