//! `onramp test`, as whoever runs it has it: a row or a change in, events out, offline.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::process::{Command, Output};

use onramp_integration_tests::binary;

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

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(fixtures: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.0.path().join("products")).unwrap();
        folder.write("onramp.yaml", GATEWAY);
        folder.write("products/orders.yaml", ORDERS);
        folder.write("products/orders.test.yaml", fixtures);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn fixtures(&self) -> String {
        std::fs::read_to_string(self.0.path().join("products/orders.test.yaml")).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .current_dir(self.0.path())
            .env("COLUMNS", "80")
            .output()
            .unwrap()
    }

    fn said(&self, arguments: &[&str]) -> (String, i32) {
        let output = self.run(arguments);
        assert!(output.stderr.is_empty(), "{output:?}");
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code().unwrap(),
        )
    }
}

#[test]
fn every_kind_of_row_gives_what_the_gateway_would_publish() {
    let folder = Folder::new(FIXTURES);
    let expected = "\
ok    commerce.orders.v2: a soft-deleted order becomes a tombstone
ok    commerce.orders.v2: a paid order
ok    commerce.orders.v2: an order whose code nobody knows
ok    commerce.orders.v2: what goes
ok    commerce.orders.v2: a hidden row gives nothing
test result: ok. 5 passed; 0 failed
";
    assert_eq!(folder.said(&["test"]), (expected.to_owned(), 0));
    assert_eq!(folder.said(&["check"]).1, 0);
}

#[test]
fn what_differs_is_shown_field_by_field_and_update_writes_it_down() {
    let folder = Folder::new(
        &FIXTURES
            .replace("status: PAID", "status: NEW")
            .replace("city: York", "city: null")
            .replace("expect: []", "expect: # why\n      - { tombstone: \"7\" }"),
    );
    let (said, code) = folder.said(&["test"]);
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

    let before = folder.fixtures();
    let (said, code) = folder.said(&["test", "--update"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.ends_with("3 passed; 0 failed; 2 updated\n"), "{said}");
    let after = folder.fixtures();
    // Every other line stands as it stood.
    assert_eq!(
        before.split("row: *row").next(),
        after.split("row: *row").next()
    );
    assert!(
        after.contains("          address:\n            city: \"York\"\n"),
        "{after}"
    );
    let (said, code) = folder.said(&["test"]);
    assert_eq!(code, 0, "{said}\n{after}");
}

#[test]
fn a_row_that_cannot_be_made_is_a_finding_with_its_place() {
    let folder = Folder::new(
        &FIXTURES
            .replace(
                "ord_no: \"7\", del_flg: \"N\"",
                "ord_no: seven, del_flg: \"N\"",
            )
            .replace(", adr_3: York", ""),
    );
    let output = folder.run(&["test", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
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
fn pseudonyms_need_no_secret_and_are_the_same_each_time() {
    let given = FIXTURES.replace("del_flg: \"Y\", ord_stat", "del_flg: \"N\", ord_stat");
    let folder = Folder::new(&given);
    folder.said(&["test", "--update"]);
    let written = folder.fixtures();
    assert!(!written.contains("email: \"a@b.test\""), "{written}");
    assert_eq!(folder.said(&["test"]).1, 0);
}

#[test]
fn columns_that_only_expressions_read_have_the_type_that_fits_or_is_said() {
    let folder = Folder::new(
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
    let (said, code) = folder.said(&["test"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn fixtures_of_no_product_and_faults_in_them_are_told() {
    let folder = Folder::new(&FIXTURES.replace("orders.v2", "order.v2"));
    let (said, code) = folder.said(&["check"]);
    assert_eq!(code, 1);
    assert!(said.contains("ONR-140"), "{said}");
    assert!(
        said.contains("did you mean `commerce.orders.v2`?"),
        "{said}"
    );
    folder.write(
        "products/orders.test.yaml",
        "fixtures: commerce.orders.v2\ntests:\n  - name: a\n    chnge: insert\n    expect: []\n  - name: b\n    change: delete\n    after: {}\n    expect: [ {} ]\n",
    );
    let output = folder.run(&["check", "--format", "json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let codes: Vec<&str> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["ONR-103", "ONR-106", "ONR-123", "ONR-107"],
        "{said}"
    );
}
