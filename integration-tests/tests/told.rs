//! What commands tell, word by word: as people read it (tests/expected), and in keys that docs/json.md
//! explains.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::collections::BTreeSet;
use std::process::Output;

use onramp_integration_tests::looking::{ORDERS, PATIENCE, SHOP};
use onramp_integration_tests::operate::command;
use onramp_integration_tests::{Folder, Scenario, fits_80_columns, is_as_expected, until};
use serde_json::Value;

const GATEWAY: &str = "gateway: shop
source: { type: postgres, url: \"postgres://onramp@db/shop\" }
kafka: { brokers: [\"kafka-1:9092\"] }
registry: { url: \"http://registry:8081\" }
keys: { pii_2026: { env: PII } }
products: [products/**/*.yaml]
";

const ACTIVE: &str = "product: commerce.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr_hdr, where: row.del_flg != \"Y\" }
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
  total: { type: \"decimal(12,2)\", from: tot_amt }
  email: { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii_2026 } }
";

/// One slip of each sort.
const SLIPS: &str = "product: commerce.slips.v1
status: activ
owner: { team: orders, contact: orders@shop.test }
discription: Orders.
kind: entity
source: { table: public.ordr_hdr, where: row.del_flg != \"Y\" && strng(row.ord_no) != \"\" }
key: [order_idd]
fields:
  order_id: { type: lng, from: ord_no }
  total: { type: \"decimal(12,2)\", from: tot_amt, optinal: true }
  email: { type: string, from: email, classification: personal, protect: { hmac: pii_2025 } }
";

const FIXTURES: &str = "fixtures: commerce.orders.v1
tests:
  - name: an order
    change: insert
    after: { ord_no: \"7\", del_flg: \"N\", tot_amt: \"10.00\", email: null }
    expect: [ { event: { order_id: \"7\", total: \"10.00\", email: null } } ]
  - name: an order of another total
    change: insert
    after: { ord_no: \"8\", del_flg: \"N\", tot_amt: \"11.00\", email: null }
    expect: [ { event: { order_id: \"8\", total: \"10.00\", email: null } } ]
";

fn files() -> Folder {
    Folder::with(&[
        ("onramp.yaml", GATEWAY),
        ("products/orders.yaml", ACTIVE),
        ("products/orders.test.yaml", FIXTURES),
    ])
}

/// Text as expected, in a file of this name, and an exit code.
fn told(name: &str, output: &Output, code: i32) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_eq!(output.status.code(), Some(code), "{text}");
    fits_80_columns(&text);
    is_as_expected(name, &text);
}

#[test]
fn what_is_found_offline_is_told_in_so_many_words() {
    let folder = files();
    told("check.txt", &folder.run(&["check"]), 0);
    told("test.txt", &folder.run(&["test"]), 1);
    told("release.txt", &folder.run(&["release", "--all"]), 0);
    told(
        "released.txt",
        &folder.run(&["release", "commerce.orders.v1"]),
        0,
    );
    let unknown = folder.run(&["release", "commerce.order.v1"]);
    told("release-unknown.txt", &unknown, 1);
    // A released contract that breaks, and then a file of slips.
    let broken = ACTIVE.replace(
        "{ type: long, from: ord_no }",
        "{ type: string, expr: string(row.ord_no) }",
    );
    folder.write("products/orders.yaml", &broken);
    told("release-refused.txt", &folder.run(&["release", "--all"]), 1);
    folder.write("products/slips.yaml", SLIPS);
    told("check-faults.txt", &folder.run(&["check"]), 1);
}

/// The shop with names that are the same each time: nothing is ever made of them.
async fn looked_at() -> Scenario {
    let scenario = Scenario::new(SHOP).await;
    let file = scenario.gateway_file("drafts: true\n");
    let named = format!("gateway: {}\n", scenario.name);
    scenario.write(
        "onramp.yaml",
        &file.replace(&named, "gateway: only_looked_at\n"),
    );
    scenario.write(
        "products/orders.yaml",
        &ORDERS.replace("DOMAIN", "only-looked-at"),
    );
    scenario
}

async fn run(scenario: &Scenario, what: &str, more: &[&str]) -> Output {
    let mut command = command(scenario, what, more);
    command.env("COLUMNS", "80");
    let ended = tokio::task::spawn_blocking(move || command.output());
    ended.await.unwrap().expect("the binary onramp is built")
}

/// What is told on a server where nobody else is in the way; other tests' transactions end.
async fn undisturbed(scenario: &Scenario, what: &str, more: &[&str]) -> Output {
    let mut told = None;
    until("nobody to be in the way", PATIENCE, async || {
        let output = run(scenario, what, more).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        let words = words.join(" ");
        let alone = !words.contains("would wait now for") && !words.contains(", in some ");
        told = alone.then(|| without_hash(output));
        alone
    })
    .await;
    told.expect("it was told")
}

/// The hash stands for the server, too, which is another one elsewhere.
fn without_hash(mut output: Output) -> Output {
    let text = String::from_utf8(output.stdout).unwrap();
    let told = match text.split_once("run --plan ") {
        Some((before, after)) => format!("{before}run --plan {}{}", "0".repeat(16), &after[16..]),
        None => text,
    };
    output.stdout = told.into_bytes();
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_of_the_servers_is_told_in_so_many_words() {
    let scenario = looked_at().await;
    told("plan.txt", &undisturbed(&scenario, "plan", &[]).await, 0);
    let dry_run = undisturbed(&scenario, "dry-run", &["--sample", "300"]).await;
    told("dry-run.txt", &dry_run, 1);
    let wrong = ORDERS.replace("DOMAIN", "only-looked-at");
    let wrong = wrong.replace("public.ordr", "public.odrr");
    scenario.write("products/orders.yaml", &wrong);
    let refused = undisturbed(&scenario, "plan", &[]).await;
    told("plan-refused.txt", &refused, 1);
    scenario.close().await;
}

/// Each key of an object and of what is in it.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                into.insert(key.clone());
                // A row's columns and an event's fields are the team's own.
                if !matches!(key.as_str(), "row" | "event") {
                    keys(value, into);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

/// Every key stands in the command's own part of docs/json.md, or in that of findings.
fn explained(what: &str, output: &Output) {
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let docs = include_str!("../../docs/json.md");
    let parts: Vec<&str> = docs.split("\n## ").collect();
    let of = |name: &str| {
        let head = format!("`{name}`");
        let found = parts
            .iter()
            .find(|p| p.lines().next().is_some_and(|l| l.contains(&head)));
        *found.unwrap_or_else(|| panic!("docs/json.md has no part {head}"))
    };
    let mut text = of("findings").to_owned() + of(what);
    if what == "dry-run" {
        text += of("plan");
    }
    let words: BTreeSet<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let mut all = BTreeSet::new();
    keys(&said, &mut all);
    assert!(all.contains("findings"));
    for key in all {
        assert!(
            words.contains(key.as_str()),
            "{what}: `{key}` stands nowhere"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_is_explained() {
    let folder = files();
    let json = |arguments: &[&str]| folder.run(&[arguments, &["--format", "json"]].concat());
    for arguments in [
        &["check"][..],
        &["test"],
        &["docs", "commerce.orders.v1"],
        &["release", "--all"],
    ] {
        explained(arguments[0], &json(arguments));
    }
    let scenario = looked_at().await;
    for (what, more) in [
        ("plan", &[][..]),
        ("dry-run", &["--show-rows", "--follow", "1s"]),
        ("discover", &["--force"]),
    ] {
        let more = [more, &["--format", "json"]].concat();
        explained(what, &run(&scenario, what, &more).await);
    }
    scenario.close().await;
}
