//! Rows of an outbox, JSON to Avro, beside rows of a table of the same fields.

use super::beside::{Variant, alternate};
use super::products::filled;
use super::stage::Stage;
use super::{Measure, Options};

const OUTBOX: &str = r#"
product: SPACE.events.v1
status: active
owner: { team: sales, contact: sales@shop.test }
description: What the shop sells.
kind: outbox
source: { table: public.obx }
on_truncate: ignore
columns: { id: id, type: kind, key: about, payload: body, timestamp: at }
events:
  Sold:
    payload: json
    fields:
      order_id:    { type: long }
      customer_id: { type: string }
      status:      { type: string }
      placed_at:   { type: timestamp }
      shipped_on:  { type: date, optional: true }
      total:       { type: "decimal(12,2)" }
      currency:    { type: string }
      reference:   { type: string }
      note:        { type: string, optional: true }
      updated_at:  { type: timestamp }
"#;

/// Each in its own log, since whoever reads one reads all of it.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut entity = filled(options, "outbox, the entity beside it").await;
    let mut outbox = Stage::new().await;
    println!("outbox: writing {} rows in 1000 transactions", options.rows);
    outbox.fill_outbox(options.rows, 1000).await;
    outbox.end().await;
    let variant = |name, product| Variant {
        name,
        more: "",
        products: vec![product],
        events: 1,
    };
    let taken = alternate(
        options,
        &mut [
            (
                &mut entity,
                vec![variant("an entity's rows", Stage::product(1))],
            ),
            (
                &mut outbox,
                vec![variant("an outbox's rows", OUTBOX.to_owned())],
            ),
        ],
    )
    .await;
    entity.close().await;
    outbox.close().await;
    let [entity, outbox] = &taken[..] else {
        return Vec::new();
    };
    vec![
        Measure::new("outbox", outbox.rows_per_second(), "rows/s")
            .beside("an entity", entity.rows_per_second()),
        Measure::new("outbox: CPU", outbox.cpu_us(), "us/row").beside("an entity", entity.cpu_us()),
        Measure::new(
            "outbox: reading and translating",
            outbox.source_us(),
            "us/row",
        )
        .beside("an entity", entity.source_us()),
    ]
}
