//! A union's tables come and go: what does not fit stops nothing, and the file's own change is decided.

use onramp_integration_tests::operate::{onramp, status};
use onramp_integration_tests::unions::{MOVES, PATIENCE, SHOPS, TWO_TABLES, latest, shop};
use onramp_integration_tests::{Gateway, Scenario, consume, until};

/// Tables that come and do not fit hold nobody up: neither those that stream nor, once they are
/// mended, themselves.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_come_and_do_not_fit_stop_nothing() {
    let scenario = Scenario::new(&[shop(1), shop(2)].concat()).await;
    scenario.write(
        "products/orders.yaml",
        &SHOPS.replace("shop_*.ordr", "shop_*.ordr*"),
    );
    let mut gateway = Gateway::streaming(&scenario).await;
    scenario
        .db
        .batch_execute(
            &(shop(3)
                + "INSERT INTO shop_3.ordr VALUES (1, 3);
                   CREATE TABLE shop_1.ordr_2 (LIKE shop_1.ordr INCLUDING ALL);
                   CREATE SCHEMA shop_4;
                   CREATE TABLE shop_4.ordr (ord_no bigint, amt numeric(12,2) NOT NULL);"),
        )
        .await
        .unwrap();
    until("the log to tell of them", PATIENCE, async || {
        let told = gateway.output();
        assert!(gateway.runs(), "{told}");
        ["ONR-330", "ONR-414"]
            .iter()
            .all(|code| told.contains(code))
    })
    .await;
    scenario
        .db
        .batch_execute("INSERT INTO shop_1.ordr VALUES (7, 7)")
        .await
        .unwrap();
    latest(&scenario, |found| found.contains_key(r#"["S1",7]"#)).await;
    assert!(gateway.runs(), "{}", gateway.output());
    scenario
        .db
        .batch_execute("DROP TABLE shop_1.ordr_2; ALTER TABLE shop_4.ordr ADD PRIMARY KEY (ord_no); INSERT INTO shop_4.ordr VALUES (4, 4)")
        .await
        .unwrap();
    latest(&scenario, |found| found.len() == 3).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// One table becomes two, and two become one: what the file says of the change decides.
#[tokio::test(flavor = "multi_thread")]
async fn one_table_becomes_several_and_again_one() {
    for change in ["keep", "backfill"] {
        let scenario = Scenario::new(TWO_TABLES).await;
        let one = MOVES
            .replace(
                "tables: [public.ordr, public.ordr_arch]",
                "table: public.ordr",
            )
            .replace("moves: true\n", "");
        scenario.write("products/orders.yaml", &one);
        scenario
            .db
            .batch_execute(
                "INSERT INTO ordr VALUES (1, 'a'), (2, 'a'); INSERT INTO ordr_arch VALUES (3, 'b')",
            )
            .await
            .unwrap();
        let gateway = Gateway::streaming(&scenario).await;
        latest(&scenario, |found| found.len() == 2).await;
        assert!(gateway.stop().await.success());
        let deciding =
            |text: &str| text.replace("key: [", &format!("on_mapping_change: {change}\nkey: ["));
        scenario.write("products/orders.yaml", &deciding(MOVES));
        let gateway = Gateway::streaming(&scenario).await;
        scenario
            .db
            .batch_execute("INSERT INTO ordr_arch VALUES (4, 'b'); BEGIN; INSERT INTO ordr_arch SELECT * FROM ordr WHERE ord_no = 1; DELETE FROM ordr WHERE ord_no = 1; COMMIT")
            .await
            .unwrap();
        let found = latest(&scenario, |found| {
            found.contains_key("4") && found["1"]["archived"] == true
        })
        .await;
        assert_eq!(found.len(), 4, "{change}: the archive's rows too");
        let told = consume(&scenario.servers, &scenario.topic("orders.v1"))
            .await
            .len();
        let again = if change == "keep" { 0 } else { 2 };
        assert_eq!(told, 5 + again, "{change}: what was published stays");
        assert!(gateway.stop().await.success());
        scenario.write("products/orders.yaml", &deciding(&one));
        let gateway = Gateway::streaming(&scenario).await;
        scenario
            .db
            .batch_execute("INSERT INTO ordr VALUES (9, 'z')")
            .await
            .unwrap();
        // With `keep` nobody takes away what the archive gave.
        let left = if change == "keep" { 5 } else { 2 };
        latest(&scenario, |found| {
            found.contains_key("9") && found.len() == left
        })
        .await;
        assert!(gateway.stop().await.success());
        scenario.close().await;
    }
}

/// A standby looked at the source when it began: what came since it must not miss.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_with_the_tables_that_came_since_it_began() {
    let scenario = Scenario::new(&[shop(1), shop(2)].concat()).await;
    scenario.write("products/orders.yaml", SHOPS);
    let first = Gateway::streaming(&scenario).await;
    let mut second = Gateway::start(&scenario);
    second.wait_says("standby").await;
    scenario
        .db
        .batch_execute(&(shop(3) + "INSERT INTO shop_3.ordr VALUES (1, 3)"))
        .await
        .unwrap();
    latest(&scenario, |found| found.contains_key(r#"["S3",1]"#)).await;
    first.kill();
    scenario
        .db
        .batch_execute(
            "INSERT INTO shop_3.ordr VALUES (2, 3); DELETE FROM shop_3.ordr WHERE ord_no = 1",
        )
        .await
        .unwrap();
    second.wait_ready("streaming").await;
    latest(&scenario, |found| {
        found.contains_key(r#"["S3",2]"#) && !found.contains_key(r#"["S3",1]"#)
    })
    .await;
    assert!(second.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_union_that_returns_lacks_the_rows_of_a_table_that_went_meanwhile() {
    let scenario = Scenario::new(&[shop(1), shop(2)].concat()).await;
    let other = SHOPS.replace("orders.v1", "others.v1");
    scenario.write("products/others.yaml", &other);
    scenario.write("products/orders.yaml", SHOPS);
    let both = "INSERT INTO shop_1.ordr VALUES (1, 1); INSERT INTO shop_2.ordr VALUES (1, 1)";
    scenario.db.batch_execute(both).await.unwrap();
    let gateway = Gateway::streaming(&scenario).await;
    latest(&scenario, |found| found.len() == 2).await;
    assert!(gateway.stop().await.success());
    let retired = SHOPS.replace("active", "retired");
    scenario.write("products/orders.yaml", &retired);
    let gateway = Gateway::streaming(&scenario).await;
    // It is retired once that is committed.
    until("the product to be retired", PATIENCE, async || {
        let told = status(&scenario).await;
        let products = told["products"].as_array().unwrap().clone();
        products
            .iter()
            .any(|p| p["product"] == scenario.topic("orders.v1") && p["status"] == "retired")
    })
    .await;
    assert!(gateway.stop().await.success());
    let drop = "DROP SCHEMA shop_2 CASCADE";
    scenario.db.batch_execute(drop).await.unwrap();
    scenario.write("products/orders.yaml", SHOPS);
    // Of the product that stayed, its rows went without a word; a plan foretells it.
    let planned = onramp(&scenario, "plan", &[]).await;
    let told = String::from_utf8_lossy(&planned.stdout).into_owned()
        + &String::from_utf8_lossy(&planned.stderr);
    assert_eq!(told.matches("ONR-718").count(), 1, "{told}");
    let ignoring = other.replace("key: [shop", "on_truncate: ignore\nkey: [shop");
    scenario.write("products/others.yaml", &ignoring);
    let gateway = Gateway::streaming(&scenario).await;
    let found = latest(&scenario, |found| found.len() == 1).await;
    assert!(found.contains_key(r#"["S1",1]"#));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
