//! What stops a running gateway does so before the first row that would be false.

use std::time::Duration;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::{Gateway, Scenario, consume, until};

const DATA: i32 = 65;
const SOURCE: i32 = 66;

/// A gateway that streams; the product file's text changed.
async fn streaming(change: impl Fn(&str) -> String) -> (Scenario, Gateway) {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", &change(PRODUCT));
    let gateway = Gateway::streaming(&scenario).await;
    (scenario, gateway)
}

async fn run(scenario: &Scenario, statements: &[&str]) {
    for sql in statements {
        let done = scenario.db.batch_execute(sql).await;
        done.expect("the database takes it");
    }
}

/// The keys that the topic tells, sorted.
async fn keys(scenario: &Scenario) -> Vec<String> {
    let events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
    let mut keys: Vec<_> = events.into_iter().map(|e| e.key).collect();
    keys.sort();
    keys
}

/// Waits until the topic tells just these keys.
async fn told(scenario: &Scenario, expected: &[&str]) {
    until("the rows before it", Duration::from_secs(30), async || {
        keys(scenario).await == expected
    })
    .await;
}

/// A position of the log stands in the output.
fn names_a_position(output: &str) -> bool {
    // Two hexadecimal numbers with a slash between.
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    output
        .split_whitespace()
        .filter_map(|word| {
            word.trim_matches(|c: char| !c.is_ascii_alphanumeric())
                .split_once('/')
        })
        .any(|(high, low)| hex(high) && hex(low))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_key_column_stops_before_the_first_row_without_it() {
    let (scenario, mut gateway) = streaming(str::to_owned).await;
    run(
        &scenario,
        &[
            "INSERT INTO acct VALUES (1, 1, 'a')",
            "ALTER TABLE acct ADD COLUMN more text DEFAULT 'x'",
            "INSERT INTO acct VALUES (2, 1, 'a')",
            "ALTER TABLE acct ALTER more TYPE varchar(20)",
            "INSERT INTO acct VALUES (3, 1, 'a')",
            "ALTER TABLE acct DROP COLUMN more",
            "INSERT INTO acct VALUES (4, 1, 'a')",
        ],
    )
    .await;
    told(&scenario, &["1", "2", "3", "4"]).await;
    let statements = [
        "ALTER TABLE acct DROP COLUMN acct_no",
        "INSERT INTO acct VALUES (1, 'a')",
    ];
    run(&scenario, &statements).await;
    let output = gateway.refuses(SOURCE, "ONR-313").await;
    assert!(output.contains("acct_no"), "the column: {output}");
    assert!(names_a_position(&output), "the position: {output}");
    assert_eq!(keys(&scenario).await, ["1", "2", "3", "4"]);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retyped_and_a_renamed_column_stop_it() {
    for (alter, column) in [
        ("ALTER TABLE acct ALTER ver TYPE text", "ver"),
        ("ALTER TABLE acct RENAME note TO remark", "note"),
    ] {
        let (scenario, mut gateway) = streaming(str::to_owned).await;
        run(&scenario, &["INSERT INTO acct VALUES (1, 1, 'a')"]).await;
        told(&scenario, &["1"]).await;
        run(&scenario, &[alter, "INSERT INTO acct VALUES (2, 1, 'a')"]).await;
        let output = gateway.refuses(SOURCE, "ONR-313").await;
        assert!(output.contains(column), "the column: {output}");
        assert!(names_a_position(&output), "the position: {output}");
        assert_eq!(keys(&scenario).await, ["1"]);
        scenario.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_stops_it() {
    let (scenario, mut gateway) = streaming(str::to_owned).await;
    run(&scenario, &["INSERT INTO acct VALUES (1, 1, 'a')"]).await;
    told(&scenario, &["1"]).await;
    run(&scenario, &["TRUNCATE acct"]).await;
    let output = gateway.refuses(DATA, "ONR-325").await;
    assert!(names_a_position(&output), "the position: {output}");
    assert_eq!(keys(&scenario).await, ["1"]);
    // It does not pass by itself.
    Gateway::start(&scenario).refuses(DATA, "ONR-325").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_is_passed_over_where_the_product_says_so() {
    let ignore = |text: &str| format!("{text}on_truncate: ignore\n");
    let (scenario, gateway) = streaming(ignore).await;
    let statements = [
        "INSERT INTO acct VALUES (1, 1, 'a')",
        "TRUNCATE acct",
        "INSERT INTO acct VALUES (2, 1, 'a')",
    ];
    run(&scenario, &statements).await;
    told(&scenario, &["1", "2"]).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_beyond_its_limit_stops_it() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let limited = scenario.gateway_file("limits: { row: 16KiB }\n");
    scenario.write("onramp.yaml", &limited);
    let mut gateway = Gateway::streaming(&scenario).await;
    let fits = "INSERT INTO acct VALUES (1, 1, repeat('planted', 2000))";
    run(&scenario, &[fits]).await;
    told(&scenario, &["1"]).await;
    let statements = [
        "INSERT INTO acct VALUES (2, 1, repeat('planted', 4000))",
        "INSERT INTO acct VALUES (3, 1, 'a')",
    ];
    run(&scenario, &statements).await;
    let output = gateway.refuses(DATA, "ONR-322").await;
    assert!(names_a_position(&output), "the position: {output}");
    assert!(!output.contains("planted"), "no row's value: {output}");
    assert_eq!(keys(&scenario).await, ["1"]);
    scenario.close().await;
}
