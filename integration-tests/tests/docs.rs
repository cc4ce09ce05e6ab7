//! Contracts as documents: what consumers are promised, and nothing of where it comes from.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::path::Path;
use std::process::Command;

use onramp_integration_tests::{Folder, is_as_expected};
use serde_json::Value;

const GATEWAY: &str = "gateway: shop
source: { type: postgres, url: \"postgres://onramp@db/shop\" }
kafka: { brokers: [\"kafka-1:9092\", \"kafka-2:9092\"] }
registry: { url: \"http://registry:8081\" }
keys: { pii_2026: { env: PII } }
headers: cloudevents
products: [products/*.yaml]
";

/// Every type, and texts that a careless writer would break.
const ORDERS: &str = r#"product: commerce.order-headers.v3
status: active
owner: { team: "yes", contact: "orders@shop.test" }
description: "Orders: \"as they stand\" | now # really"
sla: { tier: 1, freshness: 5s, retention: 30d }
compatibility: backward
kind: entity
source: { table: legacy.ordr_hdr, where: row.secret_flg != "Y" }
key: [order_id, region]
key_format: avro
fields:
  order_id: { type: long, from: ord_no, doc: "The number:\n no more" }
  region:   { type: string, from: rgn_cd }
  small:    { type: int, from: c1 }
  big:      { type: long, from: c2 }
  ratio:    { type: float, from: c3 }
  exact:    { type: double, from: c4 }
  total:    { type: "decimal(12,2)", from: c5, optional: true }
  raw:      { type: bytes, from: c6 }
  day:      { type: date, from: c7 }
  at:       { type: timestamp, from: c8 }
  local:    { type: local-timestamp, from: c9 }
  time:     { type: time, from: c10 }
  id:       { type: uuid, from: c11 }
  extra:    { type: json, from: c12 }
  flag:     { type: boolean, from: c13 }
  status:   { type: enum, from: ord_stat, values: { "N": NEW, "P": PAID }, default: UNKNOWN, otherwise: fail }
  labels:   { type: array, from: c14, doc: "In order.", items: { type: enum, optional: true, values: { "a": AIR, "s": SEA } } }
  rates:    { type: array, from: c15, optional: true, items: { type: "decimal(5,2)" } }
  unit:     { type: string, value: KG }
  carrier:  { type: string, from: c16, lookup: { file: carriers.csv } }
  weight:   { type: long, from: c12, at: weight }
  email:    { type: string, from: eml, optional: true, classification: personal, protect: { hmac: pii_2026 } }
  phone:    { type: string, from: c14, classification: personal, protect: { encrypt: pii_2026 } }
  salary:   { type: "decimal(9,2)", from: c15, protect: { encrypt: pii_2026 } }
  card:     { type: long, from: c16, optional: true, classification: personal, protect: { mask: { keep: 4 } } }
  name:     { type: string, from: cust_nm, classification: personal, protect: { drop: true } }
  note:     { type: string, from: nte, classification: internal, protect: { none: "no person is named" } }
  address:
    type: record
    doc: Where to.
    fields:
      city: { type: string, from: adr_3 }
  mobiles:  { type: array, from: c17, classification: personal, protect: { mask: { keep: 2 } }, items: { type: string, optional: true } }
  payer:    { type: record, from: c12, at: eml, optional: true, fields: { title: { type: string, at: cust_nm } } }
  lines:
    type: array
    from: c12
    at: ordr_lin
    items:
      type: record
      fields:
        sku:   { type: string, at: ord_no, doc: "The article." }
        sizes: { type: array, optional: true, items: { type: array, items: { type: enum, values: { "N": SMALL } } } }
        for:   { type: string, classification: personal, protect: { encrypt: pii_2026 } }
        name:  { type: string, classification: personal, protect: { drop: true } }
"#;

const NAME: &str = "commerce.order-headers.v3";

fn shop() -> Folder {
    let carriers = "code,value\nsecret_code,Air Mail\n";
    Folder::with(&[
        ("onramp.yaml", GATEWAY),
        ("products/orders.yaml", ORDERS),
        ("carriers.csv", carriers),
    ])
}

/// Validates contracts as the standard does, and gives them as they are read.
fn validated(files: &[&Path]) -> (bool, Vec<Value>) {
    let validator = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/odcs");
    let output = Command::new(validator).args(files).output().unwrap();
    let read = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty());
    let read = read.map(|line| serde_json::from_slice(line).unwrap());
    (output.status.success(), read.collect())
}

#[test]
fn a_contract_is_written_in_every_form_and_tells_nothing_of_the_legacy_schema() {
    let folder = shop();
    let output = folder.run(&["docs", "--out", "contracts"]);
    assert!(output.status.success(), "{output:?}");
    let files =
        [".md", ".odcs.yaml", ".avsc", "-key.avsc"].map(|end| format!("contracts/{NAME}{end}"));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        files.join("\n") + "\n"
    );
    for file in &files {
        let text = folder.read(file);
        let name = file.strip_prefix("contracts/").unwrap();
        is_as_expected(name, &text);
        for legacy in [
            "ordr_hdr",
            "secret_flg",
            "secret_code",
            "ord_no",
            "ord_stat",
            "cust_nm",
            "adr_3",
            "eml\"",
            "\"N\"",
        ] {
            assert!(!text.contains(legacy), "{legacy} is in {name}");
        }
        // A dropped field is not part of what is promised.
        assert!(!text.contains("`name`") && !text.contains("\"name\": \"name\""));
    }
    let contract = folder.path().join(&files[1]);
    let (valid, read) = validated(&[&contract]);
    assert!(valid);
    assert_eq!(
        read[0]["description"]["purpose"],
        "Orders: \"as they stand\" | now # really"
    );
    assert_eq!(read[0]["team"]["name"], "yes");
    assert_eq!(
        read[0]["schema"][0]["properties"][0]["description"],
        "The number:\n no more"
    );

    let avro = apache_avro::Schema::parse_str(&folder.read(&files[2])).unwrap();
    assert_eq!(avro.name().unwrap().name(), "OrderHeaders");
}

#[test]
fn the_validator_refuses_what_the_standard_does_not_have() {
    let folder = shop();
    let output = folder.run(&["docs", NAME, "--as", "odcs"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let spoilt = text.replacen("physicalType: \"topic\"", "physicalTyp: \"topic\"", 1);
    assert_ne!(spoilt, text);
    folder.write("spoilt.yaml", &spoilt);
    assert!(!validated(&[&folder.path().join("spoilt.yaml")]).0);
}

#[test]
fn the_examples_contracts_are_valid() {
    let out = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(&examples).unwrap() {
        let config = folder.unwrap().path().join("onramp.yaml");
        if !config.is_file() {
            continue;
        }
        let done = Command::new(onramp_integration_tests::binary())
            .args(["docs", "--as", "odcs", "--config"])
            .arg(&config)
            .arg("--out")
            .arg(out.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    for file in std::fs::read_dir(out.path()).unwrap() {
        files.push(file.unwrap().path());
    }
    assert!(!files.is_empty());
    let paths: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
    assert!(validated(&paths).0);
}

#[test]
fn one_document_is_printed_alone_and_machines_get_it_in_json() {
    let folder = shop();
    let output = folder.run(&["docs", NAME, "--as", "avro"]);
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["name"], "OrderHeaders");
    let (said, code) = folder.json(&["docs", NAME]);
    assert_eq!(code, 0);
    assert_eq!(said["documents"][0]["form"], "markdown");
    assert_eq!(said["documents"][0]["file"], format!("{NAME}.md"));
}

#[test]
fn a_name_that_no_file_has_is_no_success() {
    let folder = shop();
    for command in ["docs", "test"] {
        let (said, code) = folder.json(&[command, "commerce.order-header.v3"]);
        assert_eq!(
            (said["findings"][0]["code"].as_str(), code),
            (Some("ONR-712"), 1)
        );
        let remedy = said["findings"][0]["remedy"].as_str().unwrap();
        assert_eq!(remedy, format!("did you mean `{NAME}`?"));
    }
    // A folder that cannot be made: there is a file of its name.
    let (said, code) = folder.json(&["docs", "--out", "onramp.yaml"]);
    assert_eq!(
        (said["findings"][0]["code"].as_str(), code),
        (Some("ONR-713"), 64)
    );
}
