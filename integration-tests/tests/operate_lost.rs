//! Recovery where the server itself is another than it was, where a DBA makes the slot, where it is
//! killed in its midst, where the gateway runs, and where somebody is asked.

use std::io::Write;
use std::process::Stdio;

use onramp_integration_tests::operate::{
    MEANWHILE, PATIENCE, accounts, accounts_on, advance_slot, as_the_table, command, errors,
    onramp, recovered_from, recovers, refused, status,
};
use onramp_integration_tests::seam::{run, versions};
use onramp_integration_tests::switch::address;
use onramp_integration_tests::{Gateway, Private, Scenario, Servers, connect, consume, until};

/// Log that is of no product, so that a position lies well behind another.
const FILLER: &str = "CREATE TABLE filler AS SELECT n, repeat('x', 900) AS x \
    FROM generate_series(1, 20000) n; DROP TABLE filler";

/// Publishes what there is, and stops.
async fn published(scenario: &Scenario) {
    let gateway = Gateway::streaming(scenario).await;
    as_the_table(scenario).await;
    assert!(gateway.stop().await.success());
}

/// The scenario's database is found there from now on.
async fn moved(scenario: &mut Scenario, servers: &Servers) {
    let file = std::fs::read_to_string(scenario.config()).expect("it was written");
    let before = scenario.servers.database("");
    let (before, now) = (address(&before), address(&servers.postgres));
    scenario.write("onramp.yaml", &file.replace(&before, &now));
    scenario.servers = servers.clone();
    scenario.db = scenario.connect().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_the_server_removed_is_recovered_and_leaves_no_ghosts() {
    let private = Private::start(&["postgres15"]).await;
    let scenario = accounts_on(private.servers(), 300).await;
    published(&scenario).await;
    run(&scenario.db, MEANWHILE).await;
    let bound = "ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'";
    run(&scenario.db, bound).await;
    run(&scenario.db, "SELECT pg_reload_conf()").await;
    until("the log to be removed", PATIENCE, async || {
        run(&scenario.db, FILLER).await;
        run(&scenario.db, "SELECT pg_switch_wal()").await;
        run(&scenario.db, "CHECKPOINT").await;
        scenario.of_slot("wal_status").await.as_deref() == Some("lost")
    })
    .await;
    recovers(&scenario, "ONR-420").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_lacked_what_was_published_is_recovered_from() {
    let primary = Private::start(&["postgres15"]).await;
    let mut scenario = accounts_on(primary.servers(), 300).await;
    published(&scenario).await;
    let standby = primary.standby().await;
    moved(&mut scenario, &primary.servers()).await;
    standby.run("stop", "postgres15").await;
    // The standby never hears of these.
    run(&scenario.db, "INSERT INTO acct VALUES (2000, 1, 'gone')").await;
    run(&scenario.db, "UPDATE acct SET ver = 99 WHERE acct_no = 5").await;
    published(&scenario).await;
    primary.run("kill", "postgres15").await;
    standby.run("start", "postgres15").await;
    moved(&mut scenario, &standby.servers()).await;
    run(&scenario.db, "SELECT pg_promote()").await;
    run(&scenario.db, MEANWHILE).await;
    recovers(&scenario, "ONR-424").await;
    scenario.close().await;
}

/// A server that was set back behind what was published.
async fn set_back() -> (Private, Scenario) {
    let private = Private::start(&["postgres15"]).await;
    let mut scenario = accounts_on(private.servers(), 300).await;
    published(&scenario).await;
    private.back_up().await;
    moved(&mut scenario, &private.servers()).await;
    run(&scenario.db, FILLER).await;
    run(&scenario.db, "INSERT INTO acct VALUES (2000, 1, 'gone')").await;
    run(&scenario.db, "UPDATE acct SET ver = 99 WHERE acct_no = 5").await;
    published(&scenario).await;
    private.restore().await;
    moved(&mut scenario, &private.servers()).await;
    (private, scenario)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_set_back_is_recovered_from() {
    let (_private, scenario) = set_back().await;
    run(&scenario.db, MEANWHILE).await;
    recovers(&scenario, "ONR-430").await;
    scenario.close().await;
}

async fn none(scenario: &Scenario, sql: &str) -> bool {
    let rows = scenario.db.query(sql, &[]).await;
    rows.expect("the server answers").is_empty()
}

/// Begins to recover, and kills that when it has dropped the slot and not yet made another.
async fn killed_without_a_slot(scenario: &Scenario) {
    // To make a slot waits for every transaction that has written.
    let open = connect(&scenario.servers.postgres).await;
    run(&open, "BEGIN; CREATE TABLE held (n int)").await;
    let mut recover = command(scenario, "recover", &["--yes"]);
    recover.stdout(Stdio::null()).stderr(Stdio::null());
    let mut recover = recover.spawn().expect("the binary onramp is built");
    let making = "SELECT 1 FROM pg_stat_activity
        WHERE query LIKE '%pg_create_logical_replication_slot%' AND wait_event_type = 'Lock'
          AND datname = current_database()";
    until("the slot to be dropped", PATIENCE, async || {
        !none(scenario, making).await
    })
    .await;
    recover.kill().expect("it runs");
    recover.wait().expect("it was started");
    run(&open, "ROLLBACK").await;
    // The server's process finds out by itself, or makes the slot first.
    let left = "SELECT 1 FROM pg_stat_activity
        WHERE query LIKE '%pg_create_logical_replication_slot%' AND state = 'active'
          AND datname = current_database() AND pid <> pg_backend_pid()";
    until("the server to give up", PATIENCE, async || {
        none(scenario, left).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_that_is_killed_in_its_midst_is_gone_on_with() {
    let scenario = accounts(300).await;
    published(&scenario).await;
    run(&scenario.db, MEANWHILE).await;
    advance_slot(&scenario).await;
    let before = status(&scenario).await["position"].clone();
    killed_without_a_slot(&scenario).await;
    refused(&scenario, "ONR-736").await;
    let recovered = onramp(&scenario, "recover", &["--yes"]).await;
    assert!(recovered.status.success(), "{}", errors(&recovered));
    recovered_from(&scenario, "ONR-422", &before).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_recovery_is_not_forgotten_when_the_log_outgrows_progress() {
    let (_private, scenario) = set_back().await;
    let before = status(&scenario).await["position"].clone();
    killed_without_a_slot(&scenario).await;
    if scenario.of_slot("confirmed_flush_lsn").await.is_none() {
        let slot = scenario.slot();
        let make = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        run(&scenario.db, &make).await;
    }
    // Nothing but the open gap tells these from what was published before.
    run(&scenario.db, MEANWHILE).await;
    let end = before.as_str().unwrap();
    let outgrown = format!("SELECT pg_current_wal_flush_lsn() > '{end}'::pg_lsn");
    until("the log to be longer again", PATIENCE, async || {
        run(&scenario.db, FILLER).await;
        scenario.db.query_one(&outgrown, &[]).await.unwrap().get(0)
    })
    .await;
    refused(&scenario, "ONR-736").await;
    let recovered = onramp(&scenario, "recover", &["--yes"]).await;
    assert!(recovered.status.success(), "{}", errors(&recovered));
    recovered_from(&scenario, "ONR-430", &before).await;
    scenario.close().await;
}

/// From now on the slot is a DBA's to make.
fn slot_by_dba(scenario: &Scenario) {
    let file = std::fs::read_to_string(scenario.config()).expect("it was written");
    let named = format!("source:\n  slot: {}\n", scenario.slot());
    let file = file.replacen("source:\n", &named, 1);
    assert!(file.contains(&named));
    scenario.write("onramp.yaml", &file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_of_a_dbas_is_made_by_the_dba_and_recovered_with() {
    let scenario = accounts(300).await;
    published(&scenario).await;
    slot_by_dba(&scenario);
    run(&scenario.db, MEANWHILE).await;
    let slot = scenario.slot();
    let drop = format!("SELECT pg_drop_replication_slot('{slot}')");
    run(&scenario.db, &drop).await;
    refused(&scenario, "ONR-421").await;
    let before = status(&scenario).await["position"].clone();
    let wanting = onramp(&scenario, "recover", &["--yes"]).await;
    let said = errors(&wanting);
    let make = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
    assert!(said.contains("ONR-418") && said.contains(&make), "{said}");
    assert_eq!(scenario.of_slot("slot_name").await, None, "none is made");
    refused(&scenario, "ONR-736").await;
    run(&scenario.db, &make).await;
    refused(&scenario, "ONR-736").await;
    let recovered = onramp(&scenario, "recover", &["--yes"]).await;
    assert!(recovered.status.success(), "{}", errors(&recovered));
    recovered_from(&scenario, "ONR-421", &before).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_of_a_dbas_that_is_kept_brings_nothing_twice() {
    let scenario = accounts(20).await;
    published(&scenario).await;
    slot_by_dba(&scenario);
    // A slot that has heard of nothing that is published from here on.
    let (slot, early) = (scenario.slot(), format!("{}_early", scenario.slot()));
    let copy = format!("SELECT pg_copy_logical_replication_slot('{slot}', '{early}')");
    until("the slot to be free", PATIENCE, async || {
        scenario.db.batch_execute(&copy).await.is_ok()
    })
    .await;
    let gateway = Gateway::streaming(&scenario).await;
    run(&scenario.db, "UPDATE acct SET ver = 1").await;
    run(&scenario.db, "UPDATE acct SET ver = 2").await;
    as_the_table(&scenario).await;
    assert!(gateway.stop().await.success());
    let back = format!(
        "SELECT pg_drop_replication_slot('{slot}');
         SELECT pg_copy_logical_replication_slot('{early}', '{slot}');
         SELECT pg_drop_replication_slot('{early}')"
    );
    until("the slot to be free", PATIENCE, async || {
        scenario.db.batch_execute(&back).await.is_ok()
    })
    .await;
    let out = format!("ALTER PUBLICATION {slot} DROP TABLE acct");
    run(&scenario.db, &out).await;
    recovers(&scenario, "ONR-431").await;
    let events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
    for key in 1..=20 {
        let told = versions(&events, &key.to_string());
        let steps = [(true, 0), (false, 1), (false, 2), (true, 2), (false, 8)];
        assert_eq!(told, steps.map(|(s, v)| (s, Some(v))), "key {key}");
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_gateway_that_runs_nothing_is_recovered() {
    let scenario = accounts(20).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    as_the_table(&scenario).await;
    let out = format!("ALTER PUBLICATION {} DROP TABLE acct", scenario.slot());
    run(&scenario.db, &out).await;
    let refused = onramp(&scenario, "recover", &["--yes"]).await;
    let said = errors(&refused);
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("ONR-725"), "{said}");
    let again = format!("ALTER PUBLICATION {} ADD TABLE ONLY acct", scenario.slot());
    run(&scenario.db, &again).await;
    run(&scenario.db, "UPDATE acct SET ver = 3").await;
    as_the_table(&scenario).await;
    assert!(gateway.runs());
    assert_eq!(status(&scenario).await["gaps"].as_array().unwrap().len(), 0);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// What recovery says on a terminal where somebody types this, and whether it did anything.
async fn typed(scenario: &Scenario, answer: &str) -> (bool, String) {
    let recover = command(scenario, "recover", &[]);
    let words: Vec<String> = std::iter::once(recover.get_program())
        .chain(recover.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let mut terminal = std::process::Command::new("script");
    terminal
        .args(["-qec", &words.join(" "), "/dev/null"])
        .envs(recover.get_envs().filter_map(|(k, v)| Some((k, v?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = terminal.spawn().expect("util-linux has script");
    let mut stdin = child.stdin.take().expect("it is piped");
    let typed = stdin.write_all(answer.as_bytes());
    typed.expect("somebody reads");
    // An end of what is typed, where there was no line.
    drop(stdin);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = output.await.expect("no panic").expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_yes_goes_on() {
    let scenario = accounts(20).await;
    published(&scenario).await;
    let drop = format!("SELECT pg_drop_replication_slot('{}')", scenario.slot());
    run(&scenario.db, &drop).await;
    let before = status(&scenario).await["position"].clone();
    for answer in ["no\n", "YES\n", "y\n", "\n", "yes please\n", ""] {
        let (done, said) = typed(&scenario, answer).await;
        assert!(!done && said.contains("ONR-726"), "{answer:?}: {said}");
        assert!(said.contains("Go on?"), "{answer:?}: {said}");
        assert!(said.contains("ONR-421"), "{answer:?}: {said}");
        assert_eq!(scenario.of_slot("slot_name").await, None, "{answer:?}");
        let told = status(&scenario).await;
        assert_eq!(told["position"], before, "{answer:?}");
        assert_eq!(told["gaps"].as_array().unwrap().len(), 0, "{answer:?}");
    }
    let (done, said) = typed(&scenario, "yes\n").await;
    assert!(done, "{said}");
    recovered_from(&scenario, "ONR-421", &before).await;
    scenario.close().await;
}
