//! The commands of an operator, as processes.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::history::{PRODUCT, TABLE};
use crate::seam::run;
use crate::{Event, Gateway, Ports, Scenario, Servers, consume, latest_by_key, until};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario of accounts whose gateway takes commands.
///
/// # Panics
/// Where a server does not answer.
pub async fn accounts(rows: u32) -> Scenario {
    accounts_on(Servers::find(), rows).await
}

/// The same on other servers.
///
/// # Panics
/// Where a server does not answer.
pub async fn accounts_on(servers: Servers, rows: u32) -> Scenario {
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let port = Ports::claim(1).keep();
    let admin = format!("admin: {{ listen: \"127.0.0.1:{port}\", token: {{ file: token }} }}\n");
    scenario.write("onramp.yaml", &scenario.gateway_file(&admin));
    scenario.write("token", "a token for tests alone\n");
    let fill = format!("INSERT INTO acct SELECT n, 0, 'old' FROM generate_series(1, {rows}) n");
    let filled = scenario.db.batch_execute(&fill).await;
    filled.expect("the table is there");
    scenario
}

/// Rows that change, come and go while no gateway runs.
pub const MEANWHILE: &str = "UPDATE acct SET ver = 7 WHERE acct_no <= 20; \
    DELETE FROM acct WHERE acct_no > 250; INSERT INTO acct VALUES (1000, 1, 'new')";

/// A start is refused with a code and names the command; that one recovers, after being asked, and
/// leaves the topic as the table is, and the gap for everybody to see.
///
/// # Panics
/// Where any of that is not so.
pub async fn recovers(scenario: &Scenario, code: &str) {
    refused(scenario, code).await;
    let unasked = onramp(scenario, "recover", &[]).await;
    assert_eq!(unasked.status.code(), Some(64));
    assert!(errors(&unasked).contains("ONR-726"), "{}", errors(&unasked));
    refused(scenario, code).await;

    let needless = ["--yes", "--accept-gap", &scenario.topic("accounts.v1")];
    let needless = onramp(scenario, "recover", &needless).await;
    assert_eq!(needless.status.code(), Some(64));
    let told = errors(&needless);
    assert!(
        told.contains("ONR-720") && told.contains("is an entity"),
        "{told}"
    );

    let before = status(scenario).await["position"].clone();
    let recovered = onramp(scenario, "recover", &["--yes"]).await;
    assert!(recovered.status.success(), "{}", errors(&recovered));
    recovered_from(scenario, code, &before).await;
}

/// A start is refused with a code, and names the command that recovers.
///
/// # Panics
/// Where it is not.
pub async fn refused(scenario: &Scenario, code: &str) {
    let refused = Gateway::start(scenario).refuses(66, code).await;
    let command = format!("`onramp recover --config {}`", scenario.config().display());
    let words: Vec<&str> = refused.split_whitespace().collect();
    assert!(words.join(" ").contains(&command), "{refused}");
}

/// What holds once `onramp recover` has gone on behind a position.
///
/// # Panics
/// Where it does not.
pub async fn recovered_from(scenario: &Scenario, code: &str, before: &Value) {
    let told = status(scenario).await;
    let gap = &told["gaps"][0];
    assert_eq!((&gap["number"], &gap["from"]), (&1.into(), before));
    assert_eq!(gap["to"], told["position"]);
    let reason = gap["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(code), "{gap}");
    assert_eq!(gap["products"][0], scenario.topic("accounts.v1"));

    let gateway = Gateway::streaming(scenario).await;
    as_the_table(scenario).await;
    assert_eq!(gateway.metric("onramp_gaps"), Some(1.0));
    let told = status(scenario).await;
    assert_eq!(told["told_by"], "gateway");
    assert_eq!(&told["gaps"][0], gap);
    let history = &told["products"][0]["history"];
    assert_eq!(
        (&history["cause"], &history["stage"]),
        (&"recovery".into(), &"done".into())
    );
    let while_it_runs = onramp(scenario, "recover", &["--yes"]).await;
    assert_eq!(while_it_runs.status.code(), Some(64));
    run(&scenario.db, "UPDATE acct SET ver = 8").await;
    as_the_table(scenario).await;
    assert!(gateway.stop().await.success());
    let needless = onramp(scenario, "recover", &["--yes"]).await;
    let said = errors(&needless);
    assert!(said.contains("ONR-724"), "{said}");
    assert_eq!(
        &status(scenario).await["gaps"][0],
        gap,
        "it stays on record"
    );
}

/// `onramp WHAT --config …`, whatever it ends with.
///
/// # Panics
/// Where the binary is not built.
pub async fn onramp(scenario: &Scenario, what: &str, more: &[&str]) -> Output {
    let mut command = command(scenario, what, more);
    tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("the binary onramp is built")
}

/// The same, to be run.
pub fn command(scenario: &Scenario, what: &str, more: &[&str]) -> Command {
    let mut command = Command::new(crate::binary());
    command
        .arg(what)
        .arg("--config")
        .arg(scenario.config())
        .args(more)
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone")
        .stdin(Stdio::null());
    command
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
    product_as_the_table(scenario, "accounts.v1").await
}

/// The same for any product of the table.
///
/// # Panics
/// Where it is not in time.
pub async fn product_as_the_table(scenario: &Scenario, product: &str) -> Vec<Event> {
    let topic = scenario.topic(product);
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

/// Moves the slot to the log's end, behind the gateway's back, once nobody has it.
///
/// # Panics
/// Where it is not given back in time.
pub async fn advance_slot(scenario: &Scenario) {
    let slot = scenario.slot();
    let advance = format!("SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn())");
    until("the slot to be free and moved", PATIENCE, async || {
        scenario.db.batch_execute(&advance).await.is_ok()
    })
    .await;
}
