//! Dry runs, as processes.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::process::{Child, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::operate::{command, onramp};
use crate::{Scenario, until};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A shop with every sort of row that fails, told by arithmetic.
pub const SHOP: &str = "
CREATE TABLE ordr (ord_no bigint PRIMARY KEY, stat char(1), amt numeric NOT NULL, ord_dt text,
                   email text, gone boolean NOT NULL DEFAULT false);
INSERT INTO ordr
SELECT n, CASE WHEN n % 100 = 1 THEN 'Q' ELSE 'P' END,
       CASE WHEN n % 250 = 2 THEN 12345678901.5 ELSE n + 0.25 END,
       CASE WHEN n % 500 = 3 THEN '20261025013000' ELSE '20260101120000' END,
       'customer-' || n || '@shop.test', n % 10 = 5
  FROM generate_series(1, 5000) n;
ANALYZE ordr;
";

/// The product over [`SHOP`].
pub const ORDERS: &str = r#"
product: DOMAIN.orders.v1
status: draft
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr, where: "!row.gone" }
key: [order_id]
unchanged_toast: stop
fields:
  order_id: { type: long, from: ord_no }
  status: { type: enum, from: stat, values: { P: PAID }, otherwise: fail, optional: true }
  total: { type: "decimal(12,2)", from: amt }
  placed_at: { type: timestamp, from: ord_dt, parse: "%Y%m%d%H%M%S", zone: Europe/London, optional: true }
  email: { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }
"#;

/// A scenario of the shop.
///
/// # Panics
/// Where a server does not answer.
pub async fn shop() -> Scenario {
    let scenario = Scenario::new(SHOP).await;
    scenario.write("products/orders.yaml", ORDERS);
    scenario
}

/// All that a command says.
///
/// # Panics
/// Where it is no text.
pub fn text(output: &Output) -> String {
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    out + &String::from_utf8_lossy(&output.stderr)
}

/// What a dry run says as machines have it, and its exit code.
///
/// # Panics
/// Where the binary is not built.
pub async fn dry_run(scenario: &Scenario, more: &[&str]) -> (Value, i32) {
    let more = [more, &["--format", "json"]].concat();
    told(onramp(scenario, "dry-run", &more).await)
}

/// What a command said as machines have it, and its exit code.
///
/// # Panics
/// Where it is no JSON.
pub fn told(output: Output) -> (Value, i32) {
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    (said, output.status.code().unwrap())
}

/// Starts a dry run.
///
/// # Panics
/// Where the binary is not built.
pub fn start(scenario: &Scenario, more: &[&str]) -> Child {
    let more = [more, &["--format", "json"]].concat();
    let mut command = command(scenario, "dry-run", &more);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary onramp is built")
}

/// Waits for the end of one.
///
/// # Panics
/// Where it says no JSON.
pub async fn ended(child: Child) -> (Value, i32) {
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    told(ended.await.unwrap().unwrap())
}

/// Waits until a temporary slot stands in the scenario's database, ready or not.
///
/// # Panics
/// Where none comes.
pub async fn slot(scenario: &Scenario, ready: bool) {
    let sql = format!(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND temporary
            AND slot_name LIKE 'onramp_look%' AND (confirmed_flush_lsn IS NOT NULL OR NOT {ready})"
    );
    until("the temporary slot", PATIENCE, async || {
        let found = scenario.db.query_one(&sql, &[]).await.unwrap();
        found.get::<_, i64>(0) == 1
    })
    .await;
}

/// The findings' codes.
///
/// # Panics
/// Where there are no findings.
pub fn codes(said: &Value) -> Vec<&str> {
    let findings = said["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect()
}
