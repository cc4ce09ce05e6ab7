//! `onramp test`, as whoever runs it has it: a row or a change in, events out, offline.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use onramp_integration_tests::Folder;

const TESTS: &str = "products/orders.test.yaml";

const GATEWAY: &str = "gateway: shop
source: { type: postgres, url: \"postgres://onramp@db/shop\" }
kafka: { brokers: [\"127.0.0.1:1\"] }
registry: { url: \"http://127.0.0.1:1\" }
keys: { pii: { env: NOT_SET_ANYWHERE } }
products: [products/*.yaml]
";

const ORDERS: &str = "product: commerce.orders.v2
status: active
owner: { team: order-management, contact: orders@shop.test }
description: Every order.
kind: entity
source: { table: public.ordr_hdr, where: row.del_flg != \"Y\" }
key: [order_id]
fields:
  order_id:    { type: long, from: ord_no }
  customer_id: { type: string, expr: \"'CUST-' + string(row.cust_no)\" }
  status:
    type: enum
    from: ord_stat
    values: { \"N\": NEW, \"P\": PAID }
    otherwise: fail
  total:       { type: \"decimal(12,2)\", from: tot_amt }
  placed_at:   { type: timestamp, from: ord_dt, parse: \"%Y%m%d%H%M%S\", zone: Europe/London }
  email:       { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }
  address:     { type: record, fields: { city: { type: string, from: adr_3, optional: true } } }
";

const FIXTURES: &str = "fixtures: commerce.orders.v2
tests:
  - name: a soft-deleted order becomes a tombstone
    change: update
    before: &row { ord_no: \"7\", del_flg: \"N\", ord_stat: \"P\", tot_amt: \"10.00\", cust_no: \"1\", ord_dt: \"20260101120000\", email: , adr_3: York }
    after: { del_flg: \"Y\" }
    expect:
      - { tombstone: \"7\" }
  - name: a paid order
    row: *row
    expect:
      - key: \"7\"
        event:
          order_id: 7
          customer_id: CUST-1
          status: PAID
          total: 10.00
          placed_at: 2026-01-01T12:00:00Z
          email: null
          address: { city: York }
  - name: an order whose code nobody knows
    change: update
    before: *row
    after: { ord_stat: \"?\" }
    expect: [ { fails: ONR-324 } ]
  - name: what goes
    change: delete
    before: *row
    expect: [ { tombstone: \"7\" } ]
  - name: a hidden row gives nothing
    change: insert
    after: { ord_no: \"7\", del_flg: \"Y\", ord_stat: \"P\", tot_amt: \"10.00\", cust_no: \"1\", ord_dt: \"20260101120000\", email: a@b.test, adr_3: null }
    expect: []
";

fn shop(fixtures: &str) -> Folder {
    Folder::with(&[
        ("onramp.yaml", GATEWAY),
        ("products/orders.yaml", ORDERS),
        (TESTS, fixtures),
    ])
}

/// What a command says on standard output, where alone it says anything, and its exit code.
fn answer(folder: &Folder, arguments: &[&str]) -> (String, i32) {
    let output = folder.run(arguments);
    assert!(output.stderr.is_empty(), "{output:?}");
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code().unwrap(),
    )
}

#[test]
fn every_kind_of_row_gives_what_the_gateway_would_publish() {
    let folder = shop(FIXTURES);
    let expected = "\
ok    commerce.orders.v2: a soft-deleted order becomes a tombstone
ok    commerce.orders.v2: a paid order
ok    commerce.orders.v2: an order whose code nobody knows
ok    commerce.orders.v2: what goes
ok    commerce.orders.v2: a hidden row gives nothing
test result: ok. 5 passed; 0 failed
";
    assert_eq!(answer(&folder, &["test"]), (expected.to_owned(), 0));
    assert_eq!(answer(&folder, &["check"]).1, 0);
}

#[test]
fn what_differs_is_shown_field_by_field_and_update_writes_it_down() {
    let folder = shop(
        &FIXTURES
            .replace("status: PAID", "status: NEW")
            .replace("city: York", "city: null")
            .replace("expect: []", "expect: # why\n      - { tombstone: \"7\" }"),
    );
    let (said, code) = answer(&folder, &["test"]);
    let expected = "\
FAIL  commerce.orders.v2: a paid order
      products/orders.test.yaml:9:11; expected -, given +
      event 1, status
        - NEW
        + PAID
      event 1, address.city
        - null
        + York
";
    assert!(said.contains(expected), "{said}");
    assert!(
        said.contains("event 1\n        - tombstone 7\n        + nothing"),
        "{said}"
    );
    assert!(
        said.ends_with("test result: FAILED. 3 passed; 2 failed\n"),
        "{said}"
    );
    assert_eq!(code, 1);

    let before = folder.read(TESTS);
    let (said, code) = answer(&folder, &["test", "--update"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.ends_with("3 passed; 0 failed; 2 updated\n"), "{said}");
    let after = folder.read(TESTS);
    // Every other line stands as it stood.
    assert_eq!(
        before.split("row: *row").next(),
        after.split("row: *row").next()
    );
    assert!(
        after.contains("          address:\n            city: \"York\"\n"),
        "{after}"
    );
    let (said, code) = answer(&folder, &["test"]);
    assert_eq!(code, 0, "{said}\n{after}");
}

#[test]
fn a_row_that_cannot_be_made_is_a_finding_with_its_place() {
    let folder = shop(
        &FIXTURES
            .replace(
                "ord_no: \"7\", del_flg: \"N\"",
                "ord_no: seven, del_flg: \"N\"",
            )
            .replace(", adr_3: York", ""),
    );
    let (said, code) = folder.json(&["test"]);
    assert_eq!(code, 1);
    let findings = said["findings"].as_array().unwrap();
    assert!(findings.iter().all(|f| f["code"] == "ONR-150"), "{said}");
    let told = |text: &str| {
        let message = |f: &serde_json::Value| f["message"].as_str().unwrap().contains(text);
        findings.iter().any(message)
    };
    assert!(told("the text is no long for ord_no"), "{said}");
    assert!(told("the row has no adr_3, which"), "{said}");
    assert_eq!((&said["passed"], &said["failed"]), (&1.into(), &4.into()));
}

#[test]
fn protected_values_need_no_secret_and_are_the_same_each_time() {
    let given = FIXTURES.replace("del_flg: \"Y\", ord_stat", "del_flg: \"N\", ord_stat");
    for (protect, shown) in [
        ("hmac: pii", "email: \"pii:"),
        ("encrypt: pii", "email: \"pii:"),
        ("mask: { keep: 4 }", "email: \"****test\""),
    ] {
        let folder = shop(&given);
        let orders = ORDERS.replace("hmac: pii", protect);
        folder.write("products/orders.yaml", &orders);
        answer(&folder, &["test", "--update"]);
        let written = folder.read(TESTS);
        assert!(written.contains(shown), "{written}");
        assert!(!written.contains("email: \"a@b.test\""), "{written}");
        assert_eq!(answer(&folder, &["test"]).1, 0);
    }
}

#[test]
fn columns_that_only_expressions_read_have_the_type_that_fits_or_is_said() {
    let folder = shop(
        "fixtures: commerce.lines.v1
columns: { qty: long }
tests:
  - name: a line
    row: { a: \"1\", qty: \"2\", price: \"2.50\", day: 2026-01-02, gone: false }
    expect:
      - { key: \"1\", event: { id: 1, label: \"2 pieces\", late: true } }
",
    );
    folder.write(
        "products/lines.yaml",
        "product: commerce.lines.v1
status: active
owner: { team: t, contact: t@shop.test }
description: Lines.
kind: entity
source: { table: public.lines, where: \"!row.gone && row.price > decimal('1.5')\" }
key: [id]
fields:
  id:    { type: long, from: a }
  label: { type: string, expr: \"string(row.qty) + ' pieces'\" }
  late:  { type: boolean, expr: \"row.day > date('2026-01-01')\" }
",
    );
    let (said, code) = answer(&folder, &["test"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn fixtures_of_no_product_and_faults_in_them_are_told() {
    let folder = shop(&FIXTURES.replace("orders.v2", "order.v2"));
    let (said, code) = answer(&folder, &["check"]);
    assert_eq!(code, 1);
    assert!(said.contains("ONR-140"), "{said}");
    assert!(
        said.contains("did you mean `commerce.orders.v2`?"),
        "{said}"
    );
    folder.write(
        TESTS,
        "fixtures: commerce.orders.v2\ntests:\n  - name: a\n    chnge: insert\n    expect: []\n  - name: b\n    change: delete\n    after: {}\n    expect: [ {} ]\n",
    );
    let (codes, _) = folder.found(&["check"]);
    assert_eq!(
        codes,
        ["ONR-103", "ONR-106", "ONR-123", "ONR-107"],
        "{said}"
    );
}

const LIFE: &str = "product: commerce.order-lifecycle.v1
status: active
owner: { team: order-management, contact: orders@shop.test }
description: What happens to orders.
kind: events
source: { table: public.ordr_hdr }
key: [order_id]
events:
  OrderPlaced:
    when: op == \"insert\"
    fields:
      order_id: { type: long, from: ord_no }
      by:       { type: string, expr: tx.id }
  OrderShipped:
    when: op == \"update\" && before.ord_stat != \"S\" && after.ord_stat == \"S\"
    fields:
      order_id: { type: long, from: ord_no }
      dearer:   { type: boolean, expr: after.tot_amt > before.tot_amt }
  OrderGone:
    when: op == \"delete\"
    fields:
      order_id: { type: long, from: ord_no }
";

const LIFE_TESTS: &str = "fixtures: commerce.order-lifecycle.v1
columns: { tot_amt: \"decimal(12,2)\" }
tests:
  - name: placed
    change: insert
    after: &row { ord_no: \"7\", ord_stat: \"N\", tot_amt: \"10.00\" }
    expect:
      - { type: OrderPlaced, event: { order_id: \"7\", by: \"1\" } }
  - name: shipped
    change: update
    before: *row
    after: { ord_stat: \"S\", tot_amt: \"11.00\" }
    expect:
      - key: \"7\"
        type: OrderShipped
        event: { order_id: \"7\", dearer: \"true\" }
  - name: nothing that anybody wants to know
    change: update
    before: *row
    after: { tot_amt: \"11.00\" }
    expect: []
  - name: gone
    change: delete
    before: *row
    expect:
      - { type: OrderShipped, event: { order_id: \"7\" } }
";

#[test]
fn facts_are_tested_by_their_types() {
    let folder = Folder::with(&[
        ("onramp.yaml", GATEWAY),
        ("products/life.yaml", LIFE),
        ("products/life.test.yaml", LIFE_TESTS),
    ]);
    let (said, code) = folder.json(&["test"]);
    assert_eq!(
        (&said["passed"], &said["failed"], code),
        (&3.into(), &1.into(), 1),
        "{said:#}"
    );
    let different = &said["tests"][3]["differences"][0];
    assert_eq!(different["at"], "event 1, type");
    assert_eq!(different["given"], "OrderGone");
    assert!(folder.run(&["test", "--update"]).status.success());
    assert!(
        folder
            .read("products/life.test.yaml")
            .contains("type: OrderGone")
    );
    let (said, code) = folder.json(&["test"]);
    assert_eq!((&said["failed"], code), (&0.into(), 0), "{said:#}");
}
