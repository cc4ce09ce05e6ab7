//! Products of several tables: what their tests stand on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::{Scenario, consume, latest_by_key, until};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A shop's schema, with its table of orders.
pub fn shop(number: u32) -> String {
    format!(
        "CREATE SCHEMA shop_{number};
         CREATE TABLE shop_{number}.ordr (ord_no bigint PRIMARY KEY, amt numeric(12,2) NOT NULL);"
    )
}

/// The orders of all shops, told apart by their table.
pub const SHOPS: &str = r#"
product: DOMAIN.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders of all shops.
kind: entity
source: { tables: ["shop_*.ordr"] }
key: [shop, order_id]
fields:
  shop:     { type: string, expr: "table.schema.replace('shop_', 'S')" }
  order_id: { type: long, from: ord_no }
  amount:   { type: "decimal(12,2)", from: amt }
"#;

/// Orders that may go from one table to the other.
pub const MOVES: &str = r#"
product: DOMAIN.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders, live and archived.
kind: entity
source: { tables: [public.ordr, public.ordr_arch] }
moves: true
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
  note:     { type: string, from: nte }
  archived: { type: boolean, expr: table.name == "ordr_arch" }
"#;

/// The tables of [`MOVES`].
pub const TWO_TABLES: &str = "
CREATE TABLE ordr (ord_no bigint PRIMARY KEY, nte text NOT NULL);
CREATE TABLE ordr_arch (LIKE ordr INCLUDING ALL);
";

/// Waits until the topic of orders, compacted, fits.
///
/// # Panics
/// Where it does not come to that.
pub async fn latest(
    scenario: &Scenario,
    fits: impl Fn(&BTreeMap<String, Value>) -> bool,
) -> BTreeMap<String, Value> {
    let topic = scenario.topic("orders.v1");
    let mut found = BTreeMap::new();
    until("the topic to fit", PATIENCE, async || {
        found = latest_by_key(&consume(&scenario.servers, &topic).await);
        fits(&found)
    })
    .await;
    found
}
