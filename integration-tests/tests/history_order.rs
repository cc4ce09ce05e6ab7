//! Rows are read in an order, and told by a key: what holds where the order changes between two
//! starts, and where the key is not the one that rows are read by.

use std::collections::BTreeMap;
use std::time::Duration;

use onramp_integration_tests::history::{Dice, PRODUCT};
use onramp_integration_tests::seam::{done, run, versions};
use onramp_integration_tests::{Event, Gateway, Scenario, consume, latest_by_key, until};

const DEADLINE: Duration = Duration::from_secs(60);

/// A table whose rows are read slowly, and a product by their codes.
async fn codes(schema: &str, fill: &str) -> Scenario {
    let scenario = Scenario::new(schema).await;
    let settings = "snapshot: { readers: 2, chunk_rows: 2 }\n";
    scenario.write("onramp.yaml", &scenario.gateway_file(settings));
    let product = PRODUCT.replace("[account_id]", "[code]");
    let product = product.replace(
        "account_id: { type: int, from: acct_no }",
        "code: { type: string, from: code }",
    );
    scenario.write("products/accounts.yaml", &product);
    run(&scenario.db, fill).await;
    scenario
}

async fn told(scenario: &Scenario) -> Vec<Event> {
    consume(&scenario.servers, &scenario.topic("accounts.v1")).await
}

async fn some_are_told(scenario: &Scenario, least: usize) -> usize {
    let mut rows = 0;
    until("the first rows", DEADLINE, async || {
        rows = told(scenario).await.len();
        rows >= least
    })
    .await;
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_anew_where_the_keys_collation_changed_meanwhile() {
    // By ICU's order a capital stands behind its small letter, by the bytes' before all of them. One
    // row more makes chunks of two end at small ones, behind which no capital comes by the bytes.
    let schema = "CREATE TABLE acct (code text COLLATE \"en-x-icu\" PRIMARY KEY,
                  ver bigint NOT NULL, note text)";
    let fill = "INSERT INTO acct SELECT chr(l) || n, n, 'old' FROM generate_series(1, 30) n,
                (SELECT generate_series(65, 90) UNION ALL SELECT generate_series(97, 122)) l(l)
                UNION ALL SELECT '0', 0, 'old'";
    let scenario = codes(schema, fill).await;
    let gateway = Gateway::reading(&scenario).await;
    some_are_told(&scenario, 500).await;
    gateway.kill();
    let before = told(&scenario).await.len();
    assert!(before < 1561, "the kill comes too late");
    run(
        &scenario.db,
        "ALTER TABLE acct ALTER code TYPE text COLLATE \"C\"",
    )
    .await;
    let gateway = Gateway::reading(&scenario).await;
    done(&scenario, "accounts.v1").await;
    assert_eq!(latest_by_key(&told(&scenario).await).len(), 1561);
    let output = gateway.output();
    assert!(output.contains("or its order, changed"), "{output}");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_may_be_out_of_order_is_not_read_by() {
    let schema = "CREATE TABLE acct (code text COLLATE \"en-x-icu\" PRIMARY KEY,
                  ver bigint NOT NULL, note text)";
    let scenario = codes(schema, "INSERT INTO acct VALUES ('a', 1, 'x')").await;
    // As the catalogue stands after the system under the server was exchanged.
    let older = "UPDATE pg_collation SET collversion = '1' WHERE collname = 'en-x-icu'";
    run(&scenario.db, older).await;
    let output = Gateway::start(&scenario).refuses(66, "ONR-460").await;
    let words: Vec<&str> = output.split_whitespace().collect();
    assert!(words.join(" ").contains("acct_pkey"), "{output}");
    run(&scenario.db, "ALTER COLLATION \"en-x-icu\" REFRESH VERSION").await;
    let gateway = Gateway::streaming(&scenario).await;
    assert_eq!(told(&scenario).await.len(), 1);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_moves_among_those_not_read_yet_never_steps_back() {
    let schema = "CREATE TABLE acct (acct_no integer PRIMARY KEY, code text NOT NULL UNIQUE,
                  ver bigint NOT NULL, note text);
                  ALTER TABLE acct REPLICA IDENTITY FULL";
    let fill = "INSERT INTO acct SELECT n * 10, 'c' || n, 0, 'old' FROM generate_series(1, 1500) n";
    let scenario = codes(schema, fill).await;
    let gateway = Gateway::reading(&scenario).await;
    let mut dice = Dice::new(17);
    let mut version = 0;
    loop {
        let rows = some_are_told(&scenario, 20).await as u64;
        if rows >= 1500 {
            break;
        }
        // Rows that are read already go where the readers are still to come, and the other way.
        for _ in 0..20 {
            version += 1;
            let (code, to) = (
                1 + dice.below(1500),
                1 + 10 * dice.below(1500) + dice.below(9),
            );
            let change = format!(
                "UPDATE acct SET ver = {version}, acct_no = {to} WHERE code = 'c{code}'
                    AND NOT EXISTS (SELECT FROM acct WHERE acct_no = {to})"
            );
            run(&scenario.db, &change).await;
        }
    }
    done(&scenario, "accounts.v1").await;
    run(
        &scenario.db,
        "UPDATE acct SET ver = 1000000 WHERE code = 'c1'",
    )
    .await;
    let mut events = Vec::new();
    until("the last change", DEADLINE, async || {
        events = told(&scenario).await;
        latest_by_key(&events)["c1"]["version"] == 1_000_000
    })
    .await;
    let rows = scenario.db.query("SELECT code, ver FROM acct", &[]).await;
    let state: BTreeMap<String, i64> = rows
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let mut moved = 0;
    for (code, last) in &state {
        let told = versions(&events, code);
        assert!(
            told.is_sorted_by_key(|(_, version)| *version),
            "{code}: {told:?}"
        );
        assert_eq!(told.last().unwrap().1, Some(*last), "{code}: {told:?}");
        moved += usize::from(told.len() > 1);
        // A second one of the snapshot tells nothing that is not told.
        for two in told.windows(2) {
            assert!(!two[1].0 || two[1].1 == two[0].1, "{code}: {told:?}");
        }
    }
    assert!(moved > 20, "rows moved while they were read");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
