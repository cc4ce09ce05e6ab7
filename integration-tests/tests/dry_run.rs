//! `onramp dry-run` tells what a run would make of the rows that are there, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::looking::{ORDERS, codes, dry_run, shop, text, told};
use onramp_integration_tests::operate::{command, onramp};
use onramp_integration_tests::seam::run;
use onramp_integration_tests::traces::traces;
use onramp_integration_tests::{Gateway, Scenario};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_would_fail_are_counted_exactly_and_grouped_by_reason() {
    let scenario = shop().await;
    let before = traces(&scenario, &["orders.v1"]).await;
    let (said, code) = dry_run(&scenario, &["--all"]).await;
    assert_eq!(code, 1);
    let product = &said["products"][0];
    let rows = &product["rows"];
    // 10 n + 5 is left out, and fails in no other way.
    let read = |key: &str| rows[key].as_u64().unwrap();
    assert_eq!(rows["all"], true);
    assert_eq!((read("read"), read("left_out")), (5000, 500));
    assert_eq!(read("failing"), 50 + 20 + 10);
    assert_eq!(read("events"), 5000 - 500 - 80);
    let groups: BTreeMap<&str, (u64, usize)> = product["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| {
            let keys = g["keys"].as_array().unwrap();
            (
                g["field"].as_str().unwrap(),
                (g["count"].as_u64().unwrap(), keys.len()),
            )
        })
        .collect();
    assert_eq!(
        groups,
        BTreeMap::from([
            ("status", (50, 5)),
            ("total", (20, 5)),
            ("placed_at", (10, 5))
        ])
    );
    let findings = said["findings"].as_array().unwrap();
    let fails: Vec<&Value> = findings.iter().filter(|f| f["code"] == "ONR-746").collect();
    assert_eq!(fails.len(), 3);
    assert_eq!(fails[0]["file"], "products/orders.yaml");
    let status = &product["fields"][1];
    assert_eq!(status["codes"], json!([{ "code": "Q", "count": 50 }]));
    let total = &product["fields"][2];
    // The least and the most of what can be carried: 2 is too large, 5000 % 10 is 0.
    assert_eq!(
        (&total["min"], &total["max"]),
        (&json!("1.25"), &json!("5000.25"))
    );
    assert_eq!(total["failing"][0]["count"], 20);
    assert_eq!(product["fields"][3]["ambiguous"], 10);
    // A sample says so, and looks at both ends.
    let (said, _) = dry_run(&scenario, &["--sample", "10"]).await;
    let product = &said["products"][0];
    assert_eq!(product["rows"]["read"], 10);
    assert_eq!(product["fields"][0]["max"], "5000");
    assert_eq!(product["rows"]["read_back"], product["rows"]["events"]);
    let unproven = said["unproven"].to_string();
    assert!(unproven.contains("10 were looked at"), "{unproven}");
    assert_eq!(traces(&scenario, &["orders.v1"]).await, before);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_fewer_rows_than_asked_for_is_read_whole_and_none_is_fine() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let (said, code) = dry_run(&scenario, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(said["products"][0]["rows"]["all"], true);
    run(
        &scenario.db,
        "INSERT INTO acct SELECT n, n, 'x' FROM generate_series(1, 7) n",
    )
    .await;
    for (sample, read, all) in [("8", 7, true), ("7", 7, false), ("1", 1, false)] {
        let (said, _) = dry_run(&scenario, &["--sample", sample]).await;
        let rows = &said["products"][0]["rows"];
        assert_eq!(
            (&rows["read"], &rows["all"]),
            (&json!(read), &json!(all)),
            "{sample}"
        );
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn classified_values_stay_back_unless_they_are_asked_for() {
    let scenario = shop().await;
    // The key itself is personal.
    run(
        &scenario.db,
        "ALTER TABLE ordr DROP CONSTRAINT ordr_pkey, ADD PRIMARY KEY (email)",
    )
    .await;
    let personal = ORDERS
        .replace("key: [order_id]", "key: [email]")
        .replace("from: email, optional: true,", "from: email,")
        .replace(
            "status: { type: enum,",
            "status: { classification: personal, protect: { none: shown to auditors }, type: enum,",
        );
    scenario.write("products/orders.yaml", &personal);
    run(&scenario.db, "UPDATE ordr SET stat = '!' WHERE ord_no = 1").await;
    for format in ["text", "json"] {
        let hidden = onramp(&scenario, "dry-run", &["--all", "--format", format]).await;
        let said = text(&hidden);
        assert!(!said.contains("@shop.test"), "{said}");
        assert!(!said.contains("\"!\"") && !said.contains("PAID"), "{said}");
        assert!(
            said.contains("pii:") && said.contains("kept back"),
            "{said}"
        );
        let shown = onramp(
            &scenario,
            "dry-run",
            &["--all", "--format", format, "--show-rows"],
        )
        .await;
        let said = text(&shown);
        assert!(said.contains("customer-1001@shop.test"), "{said}");
        assert!(said.contains("\"!\"") && said.contains("PAID"), "{said}");
    }
    let (said, _) = dry_run(&scenario, &["--all"]).await;
    let product = &said["products"][0];
    assert_eq!(product["failures"][0]["keys"], Value::Null);
    let status = &product["fields"][1];
    assert_eq!(
        (&status["codes"], &status["unlisted"]),
        (&Value::Null, &json!(50))
    );
    assert_eq!(product["samples"][0]["row"], Value::Null);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_shown_beside_the_registrys_with_a_verdict() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let verdict = async || {
        let (said, code) = dry_run(&scenario, &[]).await;
        let schema = said["products"][0]["schemas"][0].clone();
        (
            schema["verdict"].as_str().unwrap().to_owned(),
            schema,
            said,
            code,
        )
    };
    let (word, schema, ..) = verdict().await;
    assert_eq!(
        (word.as_str(), &schema["sets_level"]),
        ("new subject", &json!(true))
    );
    let gateway = Gateway::streaming(&scenario).await;
    assert!(gateway.stop().await.success());
    assert_eq!(verdict().await.0, "unchanged");
    let wider = format!("{PRODUCT}  also: {{ type: string, from: note, optional: true }}\n");
    scenario.write("products/accounts.yaml", &wider);
    // A run would ask what becomes of the events that the older mapping gave.
    let (.., said, code) = verdict().await;
    assert!(codes(&said).contains(&"ONR-706") && code == 1, "{said}");
    let wider = wider.replace("fields:", "on_mapping_change: keep\nfields:");
    scenario.write("products/accounts.yaml", &wider);
    let (word, schema, _, code) = verdict().await;
    assert_eq!((word.as_str(), code), ("new version", 0));
    let added = json!([{ "field": "also", "before": null, "after": "string, optional" }]);
    assert_eq!(
        (&schema["latest"], &schema["differences"]),
        (&json!(1), &added)
    );
    let broken = PRODUCT.replace("version:    { type: long", "version:    { type: string");
    scenario.write(
        "products/accounts.yaml",
        &broken.replace("from: ver", "expr: string(row.ver)"),
    );
    let (word, schema, said, code) = verdict().await;
    assert_eq!((word.as_str(), code), ("refused", 1), "{said}");
    assert!(codes(&said).contains(&"ONR-611"));
    assert_eq!(schema["differences"][0]["field"], "version");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_reach_takes_its_own_part_with_it_alone() {
    let scenario = shop().await;
    let nowhere = |setting: &str| format!("{setting}127.0.0.1:1");
    let (registry, broker) = (nowhere("registry.url=http://"), nowhere("kafka.brokers="));
    let source = "source.url=postgres://postgres@127.0.0.1:1/x".to_owned();
    let (said, code) = dry_run(&scenario, &["--set", &registry]).await;
    assert_eq!(code, 68);
    assert_eq!(
        said["reached"],
        json!({ "source": true, "broker": true, "registry": false })
    );
    assert_eq!(said["products"][0]["rows"]["read"], 1000);
    assert_eq!(said["products"][0]["schemas"], json!([]));
    let (said, code) = dry_run(&scenario, &["--set", &broker, "--set", &registry]).await;
    assert_eq!(code, 67);
    assert_eq!(said["products"][0]["rows"]["read"], 1000);
    assert!(said["unproven"].to_string().contains("published before"));
    let (said, code) = dry_run(&scenario, &["--set", &source]).await;
    assert_eq!(code, 66);
    assert_eq!(said["products"][0]["rows"], Value::Null);
    assert_eq!(said["products"][0]["schemas"][0]["verdict"], "new subject");
    let (said, code) = dry_run(&scenario, &["--set", &broker, "--set", &source]).await;
    assert_eq!(code, 66, "the source is told of first");
    assert!(codes(&said).contains(&"ONR-501") && codes(&said).contains(&"ONR-401"));
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_lines_of_80_columns_and_a_product_misspelt_is_understood() {
    let scenario = shop().await;
    let mut narrow = command(&scenario, "dry-run", &["--show-rows"]);
    let narrow = narrow.env("COLUMNS", "80").output().unwrap();
    let said = text(&narrow);
    // A name of the test's own may be longer than there is room.
    let fits = |line: &&str| line.chars().count() <= 80 || line.contains(&scenario.name);
    let wide: Vec<&str> = said.lines().filter(|line| !fits(line)).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(!said.contains('\x1b'), "no colour but on a terminal");
    assert!(said.ends_with("rows and changes would fail\n"), "{said}");
    let wrong = scenario.topic("order.v1");
    let (said, code) = dry_run(&scenario, &[&wrong]).await;
    assert_eq!((code, codes(&said)), (1, vec!["ONR-712"]));
    let remedy = format!("did you mean `{}`?", scenario.topic("orders.v1"));
    assert_eq!(said["findings"][0]["remedy"], remedy);
    for wrong in [
        &["--follow", "30"][..],
        &["--sample", "0"],
        &["--all", "--sample", "3"],
    ] {
        let output = onramp(&scenario, "dry-run", wrong).await;
        assert_eq!(output.status.code(), Some(64), "{wrong:?}");
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_get_the_keys_that_the_page_tells_of() {
    let scenario = shop().await;
    let (said, _) = dry_run(&scenario, &["--follow", "100ms", "--show-rows"]).await;
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let product = &said["products"][0];
    for (value, wanted) in [
        (
            &said,
            "findings gateway reached unproven followed products plan refused",
        ),
        (&said["followed"], "by seconds waited_for waited_seconds"),
        (
            product,
            "product status table rows changes failures samples fields schemas",
        ),
        (
            &product["rows"],
            "all about read events left_out failing read_back seconds",
        ),
        (
            &product["changes"],
            "read events tombstones failing read_back",
        ),
        (
            &product["failures"][0],
            "of code field column reason count keys",
        ),
        (&product["samples"][0], "of row key event"),
        (
            &product["fields"][0],
            "field type classification values nulls failing unlisted codes ambiguous min max longest",
        ),
        (
            &product["schemas"][0],
            "subject verdict level sets_level latest id differences",
        ),
    ] {
        assert_eq!(keys(value), wanted);
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn products_of_one_table_are_judged_apart() {
    let scenario = shop().await;
    let strict = ORDERS
        .replace("orders.v1", "strict.v1")
        .replace(", values: { P: PAID }", ", values: { Z: ZERO }")
        .replace(", where: \"!row.gone\"", "");
    scenario.write("products/strict.yaml", &strict);
    let (said, code) = dry_run(&scenario, &["--all"]).await;
    assert_eq!(code, 1);
    let rows = |place: usize| {
        let rows = &said["products"][place]["rows"];
        let of = |key: &str| rows[key].as_u64().unwrap();
        (of("read"), of("events"), of("left_out"), of("failing"))
    };
    assert_eq!(rows(0), (5000, 4420, 500, 80));
    assert_eq!(
        rows(1),
        (5000, 0, 0, 5000),
        "and its rows take none of the other's with them"
    );
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_of_protection_another_one_stands_in() {
    let scenario = shop().await;
    let (with, _) = dry_run(&scenario, &[]).await;
    let mut command = command(&scenario, "dry-run", &["--format", "json"]);
    let (without, code) = told(command.env_remove("TEST_PII_KEY").output().unwrap());
    assert_eq!(code, 1, "rows would fail all the same: {without}");
    let unproven = without["unproven"].to_string();
    assert!(
        unproven.contains("key pii") && unproven.contains("stands in"),
        "{unproven}"
    );
    let (with, without) = (&with["products"][0], &without["products"][0]);
    assert_eq!(with["rows"]["failing"], without["rows"]["failing"]);
    let email = |product: &Value| product["samples"][0]["event"]["email"].to_string();
    assert!(email(without).contains("pii:") && email(with) != email(without));
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_product_that_returns_it_foretells_what_a_run_makes_of_its_subjects() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let others = PRODUCT.replace("accounts.v1", "others.v1");
    scenario.write("products/others.yaml", &others);
    assert!(Gateway::streaming(&scenario).await.stop().await.success());
    let retired = PRODUCT.replace("status: active", "status: retired");
    scenario.write("products/accounts.yaml", &retired);
    let gateway = Gateway::streaming(&scenario).await;
    // What is noted of the retired one goes with the next commit.
    run(&scenario.db, "INSERT INTO acct VALUES (1, 1, 'x')").await;
    scenario.events("others.v1", 1).await;
    assert!(gateway.stop().await.success());
    // It returns with keys that no subject stands for, though it was published before.
    scenario.write(
        "products/accounts.yaml",
        &format!("{PRODUCT}key_format: avro\n"),
    );
    let (said, code) = dry_run(&scenario, &[&scenario.topic("accounts.v1")]).await;
    assert_eq!(code, 1, "{said}");
    let schemas = said["products"][0]["schemas"].as_array().unwrap();
    let of_key = schemas.iter().find(|s| {
        let subject = s["subject"].as_str().unwrap();
        subject.ends_with("-key")
    });
    assert_eq!(of_key.unwrap()["verdict"], "refused", "{said}");
    let mut gateway = Gateway::start(&scenario);
    gateway.refuses(68, codes(&said)[0]).await;
    scenario.close().await;
}
