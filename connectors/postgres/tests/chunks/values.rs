//! The same value from a chunk and from the log.

use std::time::{Duration, Instant};

use onramp_connector::{Batch, Item, Stream};

use crate::database::{ALL, DEADLINE, Database, SERVERS, after, column};

/// A type, the values at its edges, and an expression for others; `n` counts them.
const TYPES: &[(&str, &str, &str)] = &[
    (
        "int2",
        "'-32768', '32767'",
        "floor(random() * 65536 - 32768)",
    ),
    (
        "int4",
        "'-2147483648', '2147483647'",
        "floor(random() * 4294967296 - 2147483648)",
    ),
    (
        "int8",
        "'-9223372036854775808', '9223372036854775807'",
        "(random() - 0.5) * 1.8e19",
    ),
    (
        "float4",
        "'NaN', '-Infinity', '-0', '1e-40', '3.4e38'",
        "(random() - 0.5) * 10 ^ (n % 60 - 30)",
    ),
    (
        "float8",
        "'NaN', 'Infinity', '-0', '5e-324', '1.7e308'",
        "(random() - 0.5) * 10 ^ (n * 5 % 600 - 300)",
    ),
    (
        "numeric",
        "'NaN', 'Infinity', '0', '-0.000', '1e38', '1e-38', '99999999999999999999999999999999999999'",
        "(random()::numeric - 0.5) * 10::numeric ^ (n % 40 - 20)",
    ),
    (
        "numeric(12,2)",
        "'-9999999999.99', '0.005'",
        "(random()::numeric - 0.5) * 10::numeric ^ (n % 10)",
    ),
    (
        "numeric(3,-2)",
        "'99900', '-150'",
        "(random() - 0.5) * 199800",
    ),
    (
        "text",
        "'', E'\\n\\t\\\\', repeat('long ', 100000)",
        "repeat(chr(33 + n * 97 % 50000), n)",
    ),
    (
        "varchar(40)",
        "' ', 'abc  '",
        "left(md5(random()::text), n % 40)",
    ),
    (
        "char(7)",
        "'', 'a b', ' x'",
        "left(md5(random()::text), n % 8)",
    ),
    ("\"char\"", "'', 'x', '\\377'", "chr(1 + n % 126)"),
    ("name", "'', 'n'", "md5(random()::text)"),
    ("bool", "true, false", "random() < 0.5"),
    (
        "date",
        "'infinity', '-infinity', '4713-01-01 BC', '5874897-12-31'",
        "'epoch'::date + floor((random() - 0.5) * 1e6)::int",
    ),
    (
        "time",
        "'00:00', '23:59:59.999999', '24:00'",
        "'00:00'::time + random() * interval '1 day'",
    ),
    (
        "timestamp",
        "'infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999'",
        "'epoch'::timestamp + (random() - 0.5) * interval '4000 years'",
    ),
    (
        "timestamptz",
        "'infinity', '-infinity', '4713-01-02 BC', '294276-12-31 23:59:59.999999+00'",
        "'epoch'::timestamptz + (random() - 0.5) * interval '4000 years'",
    ),
    (
        "uuid",
        "'00000000-0000-0000-0000-000000000000'",
        "gen_random_uuid()",
    ),
    (
        "json",
        "'{\"b\":  [1, 1.10, null]}', '\"\\u00e9\"'",
        "json_build_object('n', n, 'x', random())",
    ),
    (
        "jsonb",
        "'{\"b\":  [1, 1.10, null], \"a\": 1}', '\"\\u00e9\"'",
        "jsonb_build_object('n', n, 'x', random())",
    ),
    (
        "bytea",
        "'', '\\x00ff'",
        "decode(repeat(md5(random()::text), n % 300), 'hex')",
    ),
    (
        "mood",
        "'sad', 'very happy'",
        "(ARRAY['sad', 'very happy'])[n % 2 + 1]::mood",
    ),
    (
        "money_like",
        "'-1.5', '99999999.99'",
        "random() * 10 ^ (n % 8)",
    ),
    ("label", "'l'", "left(md5(random()::text), 9)"),
    ("any_mood", "'sad'", "'very happy'::mood"),
    (
        "int4[]",
        "'{}', '{1,NULL,-3}', '{{1,2},{3,4}}', '[0:1]={1,2}', '[2:2]={5}'",
        "array_fill(n, ARRAY[n % 5])",
    ),
    (
        "text[]",
        "'{}', '{\"a,b\",NULL,\"\",\"{}\"}'",
        "string_to_array(md5(random()::text), (n % 9)::text)",
    ),
    (
        "numeric(12,2)[]",
        "'{0.005,NULL}', '{NaN}'",
        "ARRAY[random() * 10 ^ (n % 8), n]",
    ),
    ("bool[]", "'{t,f,NULL}'", "ARRAY[random() < 0.5]"),
    ("int8[]", "'{-9223372036854775808}'", "ARRAY[n, -n]"),
    ("float8[]", "'{NaN,-0}'", "ARRAY[random(), n]"),
    (
        "char(5)[]",
        "'{a,\"b c\"}'",
        "ARRAY[left(md5(random()::text), n % 5)]",
    ),
    (
        "bytea[]",
        "'{\\x00ff}'",
        "ARRAY[decode(md5(random()::text), 'hex'), '']",
    ),
    (
        "date[]",
        "'{2026-02-28,infinity}'",
        "ARRAY['epoch'::date + n]",
    ),
    (
        "timestamptz[]",
        "'{1970-01-01 00:00+02}'",
        "ARRAY['epoch'::timestamptz + random() * interval '40 years', NULL]",
    ),
    ("uuid[]", "'{}'", "ARRAY[gen_random_uuid()]"),
    (
        "jsonb[]",
        "'{}'",
        "ARRAY[jsonb_build_object('n', n), 'null']",
    ),
    (
        "mood[]",
        "'{sad,NULL}'",
        "ARRAY['very happy', 'sad']::mood[]",
    ),
    ("moods", "'{sad}'", "ARRAY['very happy']::mood[]"),
    ("numbers", "'{7}'", "ARRAY[n]"),
];

#[tokio::test]
async fn a_value_is_the_same_from_a_chunk_and_from_the_log() {
    for server in SERVERS {
        let db = Database::new(server, "values").await;
        db.run(
            "CREATE TYPE mood AS ENUM ('sad', 'very happy'); CREATE DOMAIN any_mood AS mood;
             CREATE DOMAIN money_like AS numeric(10,2);
             CREATE DOMAIN short AS varchar(9); CREATE DOMAIN label AS short;
             CREATE DOMAIN moods AS mood[]; CREATE DOMAIN numbers AS int4[]",
        )
        .await;
        for (n, (name, ..)) in TYPES.iter().enumerate() {
            db.run(&format!(
                "CREATE TABLE t{n} (k serial PRIMARY KEY, other point, v {name})"
            ))
            .await;
        }
        let from = db.hold().await;
        // The seed decides what is random below.
        db.run("SELECT setseed(0.25)").await;
        for (n, (name, edges, expression)) in TYPES.iter().enumerate() {
            let edges = edges_of(edges);
            db.run(&format!(
                "INSERT INTO t{n} (v) SELECT e::{name} FROM unnest(ARRAY[{edges}]) e;
                 INSERT INTO t{n} (v) SELECT CASE WHEN n % 10 > 0 THEN ({expression})::{name} END
                   FROM generate_series(1, 120) n"
            ))
            .await;
        }
        let mut stream = db.stream(&from).await;
        let logged = logged(&mut *stream, TYPES.len()).await;
        for (n, (name, ..)) in TYPES.iter().enumerate() {
            let table = format!("t{n}");
            let mut reader = db.reader(&table, &["v"]).await.unwrap();
            let mut batch = Batch::default();
            let chunk = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
            let found = column(&batch, "v");
            let expected = logged.get(&table).unwrap();
            assert!(
                chunk.rows > 120 && found.contains(&"Ok(Null)".to_owned()),
                "{name}"
            );
            assert_eq!(&found, expected, "{server} {name}");
        }
        drop(stream);
        db.end().await;
    }
}

/// All as texts, so that one array holds them.
fn edges_of(edges: &str) -> String {
    match edges {
        "true, false" => "true::text, false::text".into(),
        edges => format!("{edges}]::text[] || ARRAY[NULL"),
    }
}

/// What the log has, by table, in order.
async fn logged(
    stream: &mut dyn Stream,
    mut commits: usize,
) -> std::collections::HashMap<String, Vec<String>> {
    let (mut batch, mut found, start) = (
        Batch::default(),
        std::collections::HashMap::new(),
        Instant::now(),
    );
    while commits > 0 {
        assert!(
            start.elapsed() < DEADLINE,
            "{commits} transactions are missing"
        );
        stream
            .next(&mut batch, Duration::from_millis(200))
            .await
            .unwrap();
        for item in &batch.items {
            commits -= usize::from(*item == Item::Commit);
            let Item::Change(change) = item else { continue };
            let layout = batch.layout(change.table);
            let place = layout.columns.iter().position(|(c, ..)| c == "v").unwrap();
            let mut cells = Vec::new();
            let row = batch.slice(change.after.unwrap());
            (layout.read)(row, &[place as u16], &mut cells).unwrap();
            let value = format!("{:?}", cells[0].decode(layout.columns[place].2));
            let rows: &mut Vec<String> = found.entry(layout.name.table.clone()).or_default();
            rows.push(value);
        }
    }
    found
}
