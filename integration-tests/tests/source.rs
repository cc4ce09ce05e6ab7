//! The source changes beneath the gateway: partitions come, a standby is promoted, a newer server
//! serves. What is published stays true, and what cannot be told stops it.

use std::time::Duration;

use onramp_integration_tests::history::{Dice, History, PRODUCT, TABLE, Writer};
use onramp_integration_tests::{Gateway, Private, Scenario, Servers, consume, until};

const DATA: i32 = 65;
const SOURCE: i32 = 66;
const CONFIGURATION: i32 = 64;

/// The table of the histories, in partitions.
const PARTITIONED: &str = "
CREATE TABLE acct (acct_no integer PRIMARY KEY, ver bigint NOT NULL, note text)
  PARTITION BY RANGE (acct_no);
CREATE TABLE acct_a PARTITION OF acct FOR VALUES FROM (0) TO (25);
CREATE TABLE acct_b PARTITION OF acct FOR VALUES FROM (25) TO (100);
";

async fn accounts(servers: Servers, schema: &str) -> Scenario {
    let scenario = Scenario::on(servers, schema).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    scenario
}

async fn run(scenario: &Scenario, statements: &[&str]) {
    for sql in statements {
        let done = scenario.db.batch_execute(sql).await;
        done.expect("the database takes it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_attached_while_the_application_goes_on() {
    let scenario = accounts(Servers::find(), PARTITIONED).await;
    let gateway = Gateway::streaming(&scenario).await;
    let writer = Writer::start(&scenario, History::default(), 21).await;
    writer.under_way().await;
    let statements = [
        "CREATE TABLE acct_c (acct_no integer NOT NULL, ver bigint NOT NULL, note text)",
        "ALTER TABLE acct ATTACH PARTITION acct_c FOR VALUES FROM (100) TO (200)",
        "INSERT INTO acct VALUES (101, 1, 'a'), (102, 1, 'a'), (103, 1, 'a')",
        "UPDATE acct SET ver = 2 WHERE acct_no = 101",
        "DELETE FROM acct WHERE acct_no = 102",
        // To another partition, as an insert and a delete, and within its own.
        "UPDATE acct SET acct_no = 90 WHERE acct_no = 103",
        "UPDATE acct SET acct_no = 104 WHERE acct_no = 101",
    ];
    run(&scenario, &statements).await;
    // No statement of the application failed.
    let mut history = writer.stop().await;
    for (key, versions) in [
        (101, vec![Some(1), Some(2), None]),
        (102, vec![Some(1), None]),
        (103, vec![Some(1), None]),
        (90, vec![Some(1)]),
        (104, vec![Some(2)]),
    ] {
        history.by_key.insert(key, versions);
    }
    history.is_told(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_old_rows_lack_the_key_stops_it_before_a_move_goes_unseen() {
    let scenario = accounts(Servers::find(), PARTITIONED).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let statements = [
        "CREATE TABLE acct_c (acct_no integer NOT NULL, ver bigint NOT NULL UNIQUE, note text)",
        "ALTER TABLE acct_c REPLICA IDENTITY USING INDEX acct_c_ver_key",
        "ALTER TABLE acct ATTACH PARTITION acct_c FOR VALUES FROM (100) TO (200)",
        "INSERT INTO acct VALUES (101, 1, 'planted')",
    ];
    run(&scenario, &statements).await;
    let topic = scenario.topic("accounts.v1");
    until("the row's event", Duration::from_secs(30), async || {
        !consume(&scenario.servers, &topic).await.is_empty()
    })
    .await;
    let moved = "UPDATE acct SET acct_no = 102 WHERE acct_no = 101";
    run(&scenario, &[moved]).await;
    let output = gateway.refuses(DATA, "ONR-312").await;
    assert!(!output.contains("planted"), "{output}");
    let events = consume(&scenario.servers, &topic).await;
    let keys: Vec<_> = events.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["101"], "the row before it is told, the move is not");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_checked_at_commit_is_refused() {
    let schema = "CREATE TABLE acct (acct_no integer PRIMARY KEY DEFERRABLE, ver bigint NOT NULL,
                  note text); ALTER TABLE acct REPLICA IDENTITY FULL";
    let scenario = accounts(Servers::find(), schema).await;
    let mut gateway = Gateway::start(&scenario);
    gateway.refuses(CONFIGURATION, "ONR-308").await;
    let made = "SELECT count(*) FROM pg_publication";
    let made: i64 = scenario
        .db
        .query_one(made, &[])
        .await
        .expect("it answers")
        .get(0);
    assert_eq!((made, scenario.of_slot("slot_name").await), (0, None));
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_server_serves_as_well() {
    let scenario = accounts(Servers::newest(), TABLE).await;
    let mut history = History::default();
    for seed in 0..3 {
        let gateway = Gateway::streaming(&scenario).await;
        let writer = Writer::start(&scenario, history, seed).await;
        writer.under_way().await;
        gateway.kill();
        history = writer.stop().await;
    }
    let gateway = Gateway::streaming(&scenario).await;
    history
        .transaction(&scenario.db, &mut Dice::new(9), 50)
        .await;
    history.is_told(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// Some committed changes, told, and the gateway stopped.
async fn told(scenario: &Scenario, history: &mut History, seed: u64) {
    let gateway = Gateway::streaming(scenario).await;
    let (mut dice, before) = (Dice::new(seed), history.by_key.clone());
    while history.by_key == before {
        history.transaction(&scenario.db, &mut dice, 20).await;
    }
    history.is_told(scenario).await;
    assert!(gateway.stop().await.success());
}

/// The same scenario on another server.
async fn moved(scenario: &mut Scenario, servers: &Servers) {
    scenario.servers = servers.clone();
    scenario.db = scenario.connect().await;
    scenario.write("onramp.yaml", &scenario.gateway_file(""));
}

async fn ask(scenario: &Scenario, sql: &str) -> String {
    let row = scenario.db.query_one(sql, &[]).await;
    row.expect("the server answers").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_goes_on_unless_it_lacks_what_was_published() {
    let primary = Private::start(&["postgres15"]).await;
    let mut level = accounts(primary.servers(), TABLE).await;
    let mut ahead = accounts(primary.servers(), TABLE).await;
    let (mut of_level, mut of_ahead) = (History::default(), History::default());
    told(&level, &mut of_level, 1).await;
    told(&ahead, &mut of_ahead, 2).await;
    let standby = primary.standby().await;
    let (here, there) = (primary.servers(), standby.servers());
    moved(&mut level, &here).await;
    moved(&mut ahead, &here).await;
    told(&level, &mut of_level, 3).await;
    let end = ask(&level, "SELECT pg_current_wal_flush_lsn()::text").await;
    moved(&mut level, &there).await;
    let reached = format!("SELECT (pg_last_wal_replay_lsn() >= '{end}'::pg_lsn)::text");
    until(
        "the standby to follow",
        Duration::from_secs(30),
        async || ask(&level, &reached).await == "true",
    )
    .await;
    // A standby is no source.
    Gateway::start(&level).refuses(SOURCE, "ONR-405").await;
    // From here on it receives nothing, and the other gateway publishes more.
    standby.run("stop", "postgres15").await;
    told(&ahead, &mut of_ahead, 4).await;
    primary.run("kill", "postgres15").await;
    standby.run("start", "postgres15").await;
    moved(&mut level, &there).await;
    moved(&mut ahead, &there).await;
    assert_eq!(
        ask(&level, "SELECT pg_promote()::text").await,
        "true",
        "promoted"
    );
    told(&level, &mut of_level, 5).await;
    let mut gateway = Gateway::start(&ahead);
    let output = gateway.refuses(SOURCE, "ONR-424").await;
    assert!(output.contains("is not in this server's log"), "{output}");
    let events = consume(&ahead.servers, &ahead.topic("accounts.v1")).await;
    assert_eq!(of_ahead.differs(&events), None, "nothing was published");
    level.close().await;
    ahead.close().await;
}
