//! Tables of every shape are read whole: each row once, whatever its key.

use std::collections::BTreeSet;

use onramp_integration_tests::seam::done;
use onramp_integration_tests::{Gateway, Scenario, Servers, consume};

/// A table, its rows, and the product's key fields.
struct Shape {
    name: &'static str,
    sql: &'static str,
    key: &'static str,
    fields: &'static str,
    rows: usize,
}

const SHAPES: [Shape; 8] = [
    Shape {
        name: "composite",
        sql: "CREATE TABLE composite (a int, b varchar(20), PRIMARY KEY (a, b));
              INSERT INTO composite SELECT 7, 'it''s \"' || n FROM generate_series(1, 40) n;
              INSERT INTO composite SELECT n, 'x' FROM generate_series(-20, 20) n",
        key: "[a, b]",
        fields: "a: { type: int, from: a }\n  b: { type: string, from: b }",
        rows: 81,
    },
    Shape {
        name: "ids",
        sql: "CREATE TABLE ids (id uuid PRIMARY KEY);
              INSERT INTO ids SELECT md5(n::text)::uuid FROM generate_series(1, 60) n",
        key: "[id]",
        fields: "id: { type: uuid, from: id }",
        rows: 60,
    },
    Shape {
        name: "gaps",
        sql: "CREATE TABLE gaps (id bigint PRIMARY KEY);
              INSERT INTO gaps SELECT n::bigint * 100000000 FROM generate_series(-30, 30) n;
              INSERT INTO gaps VALUES (-9223372036854775808), (9223372036854775807)",
        key: "[id]",
        fields: "id: { type: long, from: id }",
        rows: 63,
    },
    Shape {
        name: "words",
        sql: "CREATE TABLE words (id varchar(40) COLLATE \"und-x-icu\" PRIMARY KEY);
              INSERT INTO words SELECT w || n FROM unnest(ARRAY['a','B','ä','Z','ß','_','é','É',' ']) w, generate_series(1, 9) n",
        key: "[id]",
        fields: "id: { type: string, from: id }",
        rows: 81,
    },
    Shape {
        name: "nothing",
        sql: "CREATE TABLE nothing (id int PRIMARY KEY)",
        key: "[id]",
        fields: "id: { type: int, from: id }",
        rows: 0,
    },
    Shape {
        name: "single",
        sql: "CREATE TABLE single (id int PRIMARY KEY); INSERT INTO single VALUES (1)",
        key: "[id]",
        fields: "id: { type: int, from: id }",
        rows: 1,
    },
    // A row takes almost as much as a chunk may.
    Shape {
        name: "wide",
        sql: "CREATE TABLE wide (id int PRIMARY KEY, note varchar(1800));
              INSERT INTO wide SELECT n, repeat('w', 100 + n * 50) FROM generate_series(1, 30) n",
        key: "[id]",
        fields: "id: { type: int, from: id }\n  note: { type: string, from: note, optional: true }",
        rows: 30,
    },
    Shape {
        name: "parted",
        sql: "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
              CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (0);
              CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (0) TO (MAXVALUE);
              INSERT INTO parted SELECT n FROM generate_series(-25, 25) n",
        key: "[id]",
        fields: "id: { type: int, from: id }",
        rows: 51,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_row_comes_once_whatever_its_key() {
    let (usual, newest) = (Servers::find(), Servers::newest());
    for (servers, chunk_rows) in [(&usual, 1), (&usual, 7), (&newest, 7), (&usual, 10_000)] {
        let schema: Vec<&str> = SHAPES.iter().map(|shape| shape.sql).collect();
        let scenario = Scenario::on(servers.clone(), &schema.join(";")).await;
        let settings = format!(
            "snapshot: {{ readers: 3, chunk_rows: {chunk_rows} }}\n\
             limits: {{ row: 3KiB, chunk: 4KiB }}\n"
        );
        scenario.write("onramp.yaml", &scenario.gateway_file(&settings));
        for shape in &SHAPES {
            let file = format!("products/{}.yaml", shape.name);
            scenario.write(&file, &product(shape));
        }
        let gateway = Gateway::reading(&scenario).await;
        for shape in &SHAPES {
            let product = format!("{}.v1", shape.name);
            done(&scenario, &product).await;
            let events = consume(&scenario.servers, &scenario.topic(&product)).await;
            let keys: BTreeSet<&String> = events.iter().map(|e| &e.key).collect();
            let what = format!("{} in chunks of {chunk_rows}", shape.name);
            assert_eq!(
                (events.len(), keys.len()),
                (shape.rows, shape.rows),
                "{what}"
            );
        }
        assert!(gateway.stop().await.success());
        scenario.close().await;
    }
}

fn product(shape: &Shape) -> String {
    format!(
        "product: DOMAIN.{name}.v1\nstatus: active\n\
         owner: {{ team: shapes, contact: shapes@shop.test }}\n\
         description: A table of its own shape.\nkind: entity\n\
         source: {{ table: public.{name} }}\nkey: {key}\nunchanged_toast: stop\nfields:\n  {fields}\n",
        name = shape.name,
        key = shape.key,
        fields = shape.fields,
    )
}
