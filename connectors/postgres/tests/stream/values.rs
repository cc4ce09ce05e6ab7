//! What every type's values arrive as.

use crate::source::{Source, read};

const MICROSECONDS: &str = "(extract(epoch FROM v) * 1000000)::int8::text";

/// An array's elements as the server writes each.
const LIST: &str = "'{' || array_to_string(v, ',', 'null') || '}'";

/// Column type, a list of values as SQL, and how the server itself writes one canonically.
const TYPES: &[(&str, &[&str], &str)] = &[
    ("int2", &["-32768", "0", "32767"], "v::text"),
    ("int4", &["-2147483648", "0", "2147483647"], "v::text"),
    (
        "int8",
        &["-9223372036854775808", "0", "9223372036854775807"],
        "v::text",
    ),
    ("float4", &["1.5", "-0.25", "65536.5", "0.1"], "v::text"),
    ("float8", &["1.5", "-0.1", "0.30000000000000004"], "v::text"),
    (
        "numeric",
        &[
            "0",
            "0.00",
            "1.50",
            "-12345.678900",
            "10000",
            "0.0001",
            "0.00012",
            "100000000",
            "12345678901234567890123456789012345678",
            "-0.12345678901234567890123456789012345678",
            "99999999999999999999999999999999999999",
        ],
        "v::text",
    ),
    (
        "numeric(12,2)",
        &["0", "1.005", "-9999999999.99"],
        "v::text",
    ),
    ("text", &["''", "'é|ü'", "'x'"], "v"),
    ("varchar(9)", &["''", "'abc '"], "v"),
    ("char(5)", &["''", "'ab'", "' cd'"], "v::text"),
    ("\"char\"", &["''", "'x'"], "v::text"),
    ("name", &["'n'"], "v::text"),
    ("bool", &["true", "false"], "v::text"),
    (
        "date",
        &[
            "'1970-01-01'",
            "'0044-03-15 BC'",
            "'2026-02-28'",
            "'5874897-12-31'",
        ],
        "(v - '1970-01-01'::date)::text",
    ),
    ("time", &["'00:00'", "'23:59:59.999999'"], MICROSECONDS),
    (
        "timestamp",
        &[
            "'1970-01-01'",
            "'0044-03-15 BC'",
            "'2026-02-28 01:02:03.000004'",
        ],
        MICROSECONDS,
    ),
    (
        "timestamptz",
        &[
            "'1970-01-01 00:00+02'",
            "'2026-02-28 01:02:03.000004+05:30'",
        ],
        MICROSECONDS,
    ),
    (
        "uuid",
        &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
        "replace(v::text, '-', '')",
    ),
    ("json", &["'{\"a\":  [1, null]}'"], "v::text"),
    ("jsonb", &["'{\"b\":  [1, null], \"a\": 1.10}'"], "v::text"),
    ("bytea", &["''", "'\\x00ff10'"], "encode(v, 'hex')"),
    ("mood", &["'sad'", "'very happy'"], "v::text"),
    ("positive", &["'7'"], "v::text"),
    ("label", &["'l'"], "v::text"),
    (
        "int4[]",
        &["'{}'", "'{1,NULL,-2147483648}'", "'{2147483647}'"],
        LIST,
    ),
    ("int2[]", &["'{-32768,32767}'"], LIST),
    ("int8[]", &["'{9223372036854775807}'"], LIST),
    ("text[]", &["'{a,NULL,\"\"}'", "'{\"é|ü\",\"{}\"}'"], LIST),
    ("varchar(9)[]", &["'{\"abc \"}'"], LIST),
    ("numeric(12,2)[]", &["'{1.005,NULL,-0.5}'"], LIST),
    ("numeric[]", &["'{1.50,0.00012,100000000}'"], LIST),
    ("float8[]", &["'{1.5,-0.1}'"], LIST),
    (
        "uuid[]",
        &["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"],
        "replace('{' || array_to_string(v, ',', 'null') || '}', '-', '')",
    ),
    ("jsonb[]", &["ARRAY['{\"a\":  1.10}', NULL]::jsonb[]"], LIST),
    ("mood[]", &["'{sad,\"very happy\",NULL}'"], LIST),
    ("moods", &["'{sad}'"], LIST),
];

#[tokio::test]
async fn every_type_arrives_as_the_server_writes_it() {
    let source = Source::new("types").await;
    source
        .run(
            "CREATE TYPE mood AS ENUM ('sad', 'very happy');
             CREATE DOMAIN positive AS int4 CHECK (value > 0);
             CREATE DOMAIN short AS varchar(9); CREATE DOMAIN label AS short NOT NULL;
             CREATE DOMAIN moods AS mood[]",
        )
        .await;
    for (n, (name, _, _)) in TYPES.iter().enumerate() {
        source
            .run(&format!(
                "CREATE TABLE t{n} (k serial PRIMARY KEY, v {name})"
            ))
            .await;
    }
    let from = source.hold().await;
    let (mut expected, mut commits) = (Vec::new(), 0);
    for (n, (name, values, text)) in TYPES.iter().enumerate() {
        let list = values.join("), (");
        source
            .run(&format!("INSERT INTO t{n} (v) VALUES ({list})"))
            .await;
        if *name != "label" {
            source
                .run(&format!("INSERT INTO t{n} (v) VALUES (null)"))
                .await;
            commits += 1;
        }
        commits += 1;
        let sql = format!("SELECT k, {text} FROM t{n} ORDER BY k");
        for row in source.sql.query(&sql, &[]).await.unwrap() {
            let value: Option<&str> = row.get(1);
            let (key, value) = (row.get::<_, i32>(0), value.unwrap_or("null"));
            expected.push(format!("Insert - => {key}|{value}"));
        }
    }
    let log = read(&mut *source.stream(&from).await, commits).await;
    let rows: Vec<&String> = log
        .lines
        .iter()
        .filter(|l| l.starts_with("Insert"))
        .collect();
    assert!(expected.len() > 60, "{}", expected.len());
    assert_eq!(rows, expected.iter().collect::<Vec<_>>());
    source.end().await;
}

#[tokio::test]
async fn what_cannot_be_carried_is_told_and_never_guessed() {
    let source = Source::new("refused").await;
    source
        .run(
            "CREATE DOMAIN id AS int4;
             CREATE TABLE t (n numeric, d date, s timestamp, h time, p point, i int4range,
               a int4[], b text[], c point[], e id[])",
        )
        .await;
    let from = source.hold().await;
    source
        .run(
            "INSERT INTO t VALUES ('NaN', 'infinity', '-infinity', '24:00', '(1,2)', '[1,2)',
               '{{1,2}}', '[0:0]={a}', '{\"(1,2)\"}', '{1}');
             INSERT INTO t (n) VALUES ('Infinity'), (1e38)",
        )
        .await;
    let log = read(&mut *source.stream(&from).await, 1).await;
    assert_eq!(
        log.lines,
        [
            "begin",
            "layout public.t",
            "Insert - => NotFinite|NotFinite|NotFinite|TooWide|Malformed|Malformed|NotAList|NotAList|Malformed|Malformed",
            "Insert - => NotFinite|null|null|null|null|null|null|null|null|null",
            "Insert - => TooWide|null|null|null|null|null|null|null|null|null",
            "commit"
        ]
    );
    source.end().await;
}

#[tokio::test]
async fn a_database_in_another_encoding_and_with_other_settings_arrives_alike() {
    let mut source = Source::new("latin").await;
    let latin = format!("{}_latin", source.names.database);
    source
        .run(&format!("DROP DATABASE IF EXISTS {latin} WITH (FORCE)"))
        .await;
    source
        .run(&format!(
            "CREATE DATABASE {latin} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .await;
    for setting in [
        "datestyle = 'German'",
        "timezone = 'Asia/Kathmandu'",
        "extra_float_digits = -15",
        "bytea_output = 'escape'",
        "intervalstyle = 'sql_standard'",
        "client_encoding = 'LATIN1'",
    ] {
        source
            .run(&format!("ALTER DATABASE {latin} SET {setting}"))
            .await;
    }
    let mut config = crate::source::config();
    let first = std::mem::replace(
        &mut source.sql,
        crate::source::connect(config.dbname(&latin)).await,
    );
    source.names.target.database = latin.clone();
    source
        .run(
            "CREATE TYPE \"Gemüt\" AS ENUM ('trüb');
             CREATE TABLE \"Größe\" (\"é\" text, j jsonb, e \"Gemüt\", f float8, b bytea, t timestamptz);
             CREATE PUBLICATION p FOR ALL TABLES",
        )
        .await;
    let from = source.hold().await;
    source
        .run(
            "INSERT INTO \"Größe\" VALUES ('naïve', '{\"ä\": \"ö\"}', 'trüb', 0.1, '\\x00ff',
             '1970-01-01 00:00:01+00')",
        )
        .await;
    let log = read(&mut *source.stream(&from).await, 1).await;
    assert_eq!(
        log.lines,
        [
            "begin",
            "layout public.Größe",
            "Insert - => naïve|{\"ä\": \"ö\"}|trüb|0.1|00ff|1000000",
            "commit"
        ]
    );
    source.sql = first;
    let slot = &source.names.slot;
    source
        .run(&format!(
            "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots
              WHERE slot_name = '{slot}' AND active;
             SELECT pg_drop_replication_slot('{slot}')"
        ))
        .await;
    source
        .run(&format!("DROP DATABASE {latin} WITH (FORCE)"))
        .await;
    source.hold().await;
    source.end().await;
}
