//! The commands of an operator, as processes.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::history::{PRODUCT, TABLE};
use crate::{Event, Scenario, Servers, consume, latest_by_key, until};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario of accounts whose gateway takes commands.
///
/// # Panics
/// Where a server does not answer.
pub async fn accounts(rows: u32) -> Scenario {
    accounts_on(Servers::find(), rows).await
}

/// The same on servers of one's own.
///
/// # Panics
/// Where a server does not answer.
pub async fn accounts_on(servers: Servers, rows: u32) -> Scenario {
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let port = port.expect("loopback has a free port").port();
    let admin = format!("admin: {{ listen: \"127.0.0.1:{port}\", token: {{ file: token }} }}\n");
    scenario.write("onramp.yaml", &scenario.gateway_file(&admin));
    scenario.write("token", "a token for tests alone\n");
    let fill = format!("INSERT INTO acct SELECT n, 0, 'old' FROM generate_series(1, {rows}) n");
    let filled = scenario.db.batch_execute(&fill).await;
    filled.expect("the table is there");
    scenario
}

/// `onramp WHAT --config …`, whatever it ends with.
///
/// # Panics
/// Where the binary is not built.
pub async fn onramp(scenario: &Scenario, what: &str, more: &[&str]) -> Output {
    let mut command = Command::new(crate::binary());
    command
        .arg(what)
        .arg("--config")
        .arg(scenario.config())
        .args(more)
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone")
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("the binary onramp is built")
}

/// What `onramp status` tells, as machines have it.
///
/// # Panics
/// Where it fails.
pub async fn status(scenario: &Scenario) -> Value {
    let output = onramp(scenario, "status", &["--format", "json"]).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a command says is wrong, as one line.
pub fn errors(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Waits until the topic is as the table is.
///
/// # Panics
/// Where it is not in time.
pub async fn as_the_table(scenario: &Scenario) -> Vec<Event> {
    let topic = scenario.topic("accounts.v1");
    let mut events = Vec::new();
    until("the topic to be as the table is", PATIENCE, async || {
        let rows = scenario
            .db
            .query("SELECT acct_no::text, ver FROM acct", &[]);
        let rows = rows.await.expect("the table is there");
        events = consume(&scenario.servers, &topic).await;
        let state = latest_by_key(&events);
        state.len() == rows.len()
            && rows.iter().all(|row| {
                let value = state.get(row.get::<_, &str>(0));
                value.is_some_and(|v| v["version"] == row.get::<_, i64>(1))
            })
    })
    .await;
    events
}
