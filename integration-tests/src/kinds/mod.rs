//! One run of mishaps over an entity, a product of facts and an outbox at once, which tell the same
//! source transactions: what is killed, when, is drawn from a seed.
//!
//! Every change of a row writes a row of the outbox too, in its own transaction, with the number that
//! the database gave that one: so the three products, and the entity's quarantine, can be held against
//! each other and against what was committed.

mod committed;
mod told;

use crate::history::Dice;
use crate::{Gateway, LEAST_PATIENCE, Scenario, until};

use committed::Committed;
use told::{Told, expected, holds};

const SCHEMA: &str = "
CREATE TABLE acct (acct_no integer PRIMARY KEY, ver bigint NOT NULL, stat char(1) NOT NULL);
ALTER TABLE acct REPLICA IDENTITY FULL;
CREATE TABLE obx (no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, about integer NOT NULL,
  kind text NOT NULL DEFAULT 'Written', body text NOT NULL);
";

const HEAD: &str = "
status: active
owner: { team: accounts, contact: accounts@shop.test }
description: Accounts.
";

const ENTITY: &str = r#"
kind: entity
source: { table: public.acct }
key: [account_id]
on_error: quarantine
fields:
  account_id: { type: int, from: acct_no }
  version:    { type: long, from: ver }
  status:     { type: enum, from: stat, values: { "O": OPEN }, default: UNKNOWN, otherwise: fail }
"#;

const FACTS: &str = r#"
kind: events
source: { table: public.acct }
key: [account_id]
events:
  Opened:
    when: op == "insert"
    fields:
      account_id: { type: int, from: acct_no }
      version:    { type: long, expr: after.ver }
  Changed:
    when: op == "update"
    fields:
      account_id: { type: int, from: acct_no }
      version:    { type: long, expr: after.ver }
      was:        { type: long, expr: before.ver }
  Closed:
    when: op == "delete"
    fields:
      account_id: { type: int, from: acct_no }
      was:        { type: long, expr: before.ver }
"#;

const OUTBOX: &str = r#"
kind: outbox
source: { table: public.obx }
columns: { id: no, type: kind, key: about, payload: body }
events:
  Written:
    payload: json
    fields:
      version: { type: long }
      number:  { type: string }
"#;

/// Lets random transactions flow while the gateway is killed, and its connection cut, `times` times;
/// then holds the three topics and the quarantine against what was committed.
///
/// # Panics
/// Where they are not that; the message names the seed.
pub async fn run(seed: u64, times: u64) {
    let scenario = Scenario::new(SCHEMA).await;
    let file = scenario.gateway_file("headers: cloudevents\n");
    scenario.write("onramp.yaml", &file);
    for (name, kind) in [
        ("accounts", ENTITY),
        ("account-facts", FACTS),
        ("account-events", OUTBOX),
    ] {
        let text = format!("product: DOMAIN.{name}.v1{HEAD}{kind}");
        scenario.write(&format!("products/{name}.yaml"), &text);
    }
    let (mut dice, mut committed) = (Dice::new(seed), Committed::default());
    let mut gateway = Some(Gateway::streaming(&scenario).await);
    for mishap in 0..times {
        // Half of them hit a gateway that streams, half one that is anywhere in its start.
        let running = match gateway.take() {
            Some(gateway) => gateway,
            None if mishap % 2 == 0 => Gateway::streaming(&scenario).await,
            None => Gateway::start(&scenario),
        };
        for _ in 0..10 + dice.below(40) {
            committed.transaction(&scenario.db, &mut dice).await;
        }
        match dice.below(5) {
            0 => {
                cut(&scenario).await;
                gateway = Some(running);
            }
            _ => running.kill(),
        }
    }
    drop(gateway);
    let gateway = Gateway::streaming(&scenario).await;
    committed.last(&scenario.db).await;
    let wanted = expected(&committed);
    let mut told = Told::now(&scenario).await;
    until("every committed change", LEAST_PATIENCE, async || {
        told = Told::now(&scenario).await;
        told.len() >= wanted.len
    })
    .await;
    holds(seed, &wanted, &told);
    let product = scenario.topic("accounts.v1");
    let counted = gateway.metric(&format!(
        "onramp_quarantined_total{{product=\"{product}\"}}"
    ));
    // Of this process alone: nothing that was in quarantine already is counted, or kept, again.
    assert!(counted.unwrap_or(0.0) as usize <= wanted.quarantine.len());
    assert!(gateway.stop().await.success(), "seed {seed}");
    scenario.close().await;
}

async fn cut(scenario: &Scenario) {
    let sql = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL";
    let cut = scenario.db.execute(sql, &[&scenario.slot()]).await;
    cut.expect("the superuser may end a walsender");
}
