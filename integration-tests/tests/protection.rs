//! Protected values, from the row to whoever reads them: nothing of them is in the topic as it was,
//! a table and its log give the same bytes, and who has the key reads them back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use onramp_integration_tests::{
    Event, Gateway, Scenario, binary, broker, consume, fits_80_columns, latest_by_key,
};
use serde_json::Value;

const TABLE: &str = r#"CREATE TABLE pers (
  pers_no integer PRIMARY KEY, email text, phone text, born date, card bigint, nam text, firm text,
  mobs text[] DEFAULT '{+44 1,NULL,+44 2,+44 1}', doc jsonb DEFAULT '{"kin": [{"nam": "Ann Ash", "tels": ["+44 1"]}]}');
ALTER TABLE pers REPLICA IDENTITY FULL;"#;

const PRODUCT: &str = r#"
product: DOMAIN.persons.v1
status: active
owner: { team: persons, contact: persons@shop.test }
description: Persons.
kind: entity
source: { table: public.pers }
key: [person_id]
fields:
  person_id: { type: int, from: pers_no }
  email: { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }
  phone: { type: string, from: phone, optional: true, classification: personal, protect: { encrypt: crm_1 } }
  born:  { type: date, from: born, optional: true, classification: personal, protect: { encrypt: crm_1 } }
  card:  { type: long, from: card, optional: true, classification: personal, protect: { mask: { keep: 4 } } }
  name:  { type: string, from: nam, optional: true, classification: personal, protect: { drop: true } }
  firm:  { type: string, from: firm, optional: true, classification: personal, protect: { none: "in the register" } }
  mobiles:   { type: array, from: mobs, classification: personal, protect: { encrypt: crm_1 }, items: { type: string, optional: true } }
  callers:   { type: array, from: mobs, classification: personal, protect: { hmac: pii }, items: { type: string, optional: true } }
  ends:      { type: array, from: mobs, classification: personal, protect: { mask: { keep: 1 } }, items: { type: string, optional: true } }
  kin:
    type: array
    from: doc
    at: kin
    items:
      type: record
      fields:
        name: { type: string, at: nam, classification: personal, protect: { encrypt: crm_1 } }
        tels: { type: array, classification: personal, protect: { encrypt: crm_1 }, items: { type: string } }
"#;

const PERSON: &str = "'ann@shop.test', '+44 20 7946 0000 é\n', '1970-01-31', 4929123456784444, 'Ann Ash', 'Ash & Sons'";
const PHONE: &str = "+44 20 7946 0000 é\n";
/// What must be in no topic.
const PLAIN: [&str; 6] = [
    "+44 1",
    "ann@shop.test",
    "7946 0000",
    "1970-01-31",
    "4929123456",
    "Ann Ash",
];

const SECRETS: [(&str, &str); 2] = [
    ("TEST_CRM_1", "the first secret of the crm"),
    ("TEST_CRM_2", "the second secret of the crm"),
];

async fn persons() -> Scenario {
    let scenario = Scenario::new(TABLE).await;
    let keys = "keys: { crm_1: { env: TEST_CRM_1 }, crm_2: { env: TEST_CRM_2 }, pii_2: { env: TEST_CRM_2 }, ";
    let file = scenario.gateway_file("").replace("keys: { ", keys);
    scenario.write("onramp.yaml", &file);
    scenario.write("products/persons.yaml", PRODUCT);
    scenario
}

fn start(scenario: &Scenario, change: &[(&str, &str)]) -> Gateway {
    Gateway::start_with(scenario, |command| {
        command.envs(SECRETS).envs(change.iter().copied());
    })
}

async fn streaming(scenario: &Scenario) -> Gateway {
    let mut gateway = start(scenario, &[]);
    gateway.wait_ready("streaming").await;
    gateway.wait_history().await;
    gateway
}

async fn insert(scenario: &Scenario, number: u32, person: &str) {
    let sql = format!("INSERT INTO pers VALUES ({number}, {person})");
    scenario.db.batch_execute(&sql).await.unwrap();
}

async fn published(scenario: &Scenario, enough: usize) -> Vec<Event> {
    scenario.events("persons.v1", enough).await
}

/// Runs a command on values, one a line.
fn fed(mut command: Command, lines: &[&str]) -> Output {
    let mut child = command
        .envs(SECRETS)
        .env("COLUMNS", "80")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

fn decrypt(arguments: &[&str], lines: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("decrypt").args(arguments);
    fed(command, lines)
}

/// What the values say, by the program and by what docs/protection.md has for Python.
fn read_back(scenario: &Scenario, field: &str, values: &[&str]) -> Vec<String> {
    let product = scenario.topic("persons.v1");
    let config = scenario.config().display().to_string();
    let of = ["--product", &product, "--field", field, "--format", "json"];
    let by_files = decrypt(&[&["--config", &config], &of[..]].concat(), values);
    let keys = [
        "--key",
        "crm_1=env:TEST_CRM_1",
        "--key",
        "crm_2=env:TEST_CRM_2",
    ];
    let by_keys = decrypt(&[&keys[..], &of].concat(), values);
    assert!(by_files.status.success(), "{by_files:?}");
    assert_eq!(by_files.stdout, by_keys.stdout);
    let said: Value = serde_json::from_slice(&by_files.stdout).unwrap();
    let read: Vec<String> = serde_json::from_value(said["values"].clone()).unwrap();
    assert_eq!(by_python(&product, field, values), read);
    read
}

fn by_python(product: &str, field: &str, values: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../docs/protection.md")).unwrap();
    let (_, rest) = page.split_once("```python\n").expect("a snippet");
    let (snippet, _) = rest.split_once("```").expect("its end");
    assert!(snippet.lines().count() <= 20, "a small decrypt path");
    let main = r#"
import json, os, sys
secrets = {"crm_1": os.environb[b"TEST_CRM_1"], "crm_2": os.environb[b"TEST_CRM_2"]}
lines = sys.stdin.read().splitlines()
print(json.dumps([decrypt(line, secrets, *sys.argv[1:]) for line in lines]))
"#;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{snippet}{main}").unwrap();
    let mut command = Command::new(root.join("services/cryptography"));
    command.arg(file.path()).args([product, field]);
    let output = fed(command, values);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'e>(event: &'e Event, field: &str) -> &'e str {
    event.value.as_ref().unwrap()[field].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_holds_no_protected_value_and_who_has_the_key_reads_it() {
    let scenario = persons().await;
    insert(&scenario, 1, PERSON).await;
    insert(&scenario, 2, "'', '', NULL, 4, '', ''").await;
    let gateway = streaming(&scenario).await;
    insert(&scenario, 3, PERSON).await;
    let events = published(&scenario, 3).await;
    let of = |key: &str| events.iter().find(|e| e.key == key).unwrap();
    let (table, few, log) = (of("1"), of("2"), of("3"));
    // The table's row and the log's differ in their number alone: a varint of one byte.
    let bytes = |event: &Event| event.bytes.clone().unwrap()[6..].to_vec();
    assert_eq!(bytes(table), bytes(log));
    for event in &events {
        let bytes = event.bytes.as_ref().unwrap();
        for plain in PLAIN {
            let mut windows = bytes.windows(plain.len());
            assert!(!windows.any(|window| window == plain.as_bytes()), "{plain}");
        }
    }
    // The subject is alive: what is not protected is there.
    assert_eq!(text(log, "firm"), "Ash & Sons");
    assert_eq!(text(log, "card"), "****4444");
    assert_eq!(text(few, "card"), "****");
    assert!(text(log, "email").starts_with("pii:"));
    assert!(few.value.as_ref().unwrap()["born"].is_null());
    assert!(log.value.as_ref().unwrap().get("name").is_none());
    let phones = [text(log, "phone"), text(few, "phone")];
    assert_eq!(read_back(&scenario, "phone", &phones), [PHONE, ""]);
    assert_eq!(
        read_back(&scenario, "born", &[text(log, "born")]),
        ["1970-01-31"]
    );
    // Elements: each by itself, nulls as they are, equal ones equal.
    let value = log.value.as_ref().unwrap();
    assert_eq!(
        value["ends"],
        serde_json::json!(["****1", null, "****2", "****1"])
    );
    for field in ["mobiles", "callers"] {
        let of = &value[field];
        assert!(
            of[0].as_str().unwrap().contains(':') && of[1].is_null(),
            "{of}"
        );
        assert!(of[0] == of[3] && of[0] != of[2], "{of}");
    }
    let mobiles = [&value["mobiles"][2], &value["mobiles"][0]].map(|v| v.as_str().unwrap());
    assert_eq!(
        read_back(&scenario, "mobiles", &mobiles),
        ["+44 2", "+44 1"]
    );
    let kin = &value["kin"][0];
    let name = kin["name"].as_str().unwrap();
    assert_eq!(read_back(&scenario, "kin[].name", &[name]), ["Ann Ash"]);
    let tel = kin["tels"][0].as_str().unwrap();
    assert_eq!(read_back(&scenario, "kin[].tels", &[tel]), ["+44 1"]);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_gives_new_values_and_both_are_read() {
    let scenario = persons().await;
    insert(&scenario, 1, PERSON).await;
    assert!(streaming(&scenario).await.stop().await.success());
    let rotated = PRODUCT.replace("encrypt: crm_1", "encrypt: crm_2");
    let rotated = format!("{rotated}on_mapping_change: backfill\n");
    scenario.write("products/persons.yaml", &rotated);
    let gateway = streaming(&scenario).await;
    let events = published(&scenario, 2).await;
    let values = [text(&events[0], "phone"), text(&events[1], "phone")];
    assert!(values[0].starts_with("crm_1:") && values[1].starts_with("crm_2:"));
    assert_eq!(read_back(&scenario, "phone", &values), [PHONE, PHONE]);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_behind_a_name_stops_a_start() {
    let scenario = persons().await;
    insert(&scenario, 1, PERSON).await;
    assert!(streaming(&scenario).await.stop().await.success());
    // Another product comes at the same time: nothing of it is made before the refusal.
    let new = PRODUCT.replace("persons.v1", "newcomers.v1");
    scenario.write("products/newcomers.yaml", &new);
    for (variable, key) in [("TEST_CRM_1", "crm_1"), ("TEST_PII_KEY", "pii")] {
        let other = [(variable, "planted, and another secret")];
        let output = start(&scenario, &other).refuses(64, "ONR-342").await;
        assert!(output.contains(&format!("keys.{key}")), "{output}");
        assert!(!output.contains("planted"), "{output}");
    }
    let topic = scenario.topic("newcomers.v1");
    assert_eq!(broker::leader(&scenario.servers, &topic).await, None);
    let newcomers = scenario.config().with_file_name("products/newcomers.yaml");
    std::fs::remove_file(newcomers).unwrap();
    // Rotated by name away and back: what the name stood for is not forgotten.
    let rotated = PRODUCT.replace("encrypt: crm_1", "encrypt: crm_2");
    let rotated = format!("{rotated}on_mapping_change: keep\n");
    scenario.write("products/persons.yaml", &rotated);
    assert!(streaming(&scenario).await.stop().await.success());
    scenario.write(
        "products/persons.yaml",
        &format!("{PRODUCT}on_mapping_change: keep\n"),
    );
    let other = [("TEST_CRM_1", "and another secret")];
    start(&scenario, &other).refuses(64, "ONR-342").await;
    assert!(streaming(&scenario).await.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_secret_encrypts_nothing_and_a_pseudonym_under_one_is_warned_of() {
    let scenario = persons().await;
    let short = [("TEST_CRM_1", "fifteen-bytes-0")];
    let output = start(&scenario, &short).refuses(64, "ONR-341").await;
    assert!(!output.contains("fifteen-bytes-0"), "{output}");
    // Pseudonyms that were published with one go on: another secret would give them other values.
    let mut gateway = start(&scenario, &[("TEST_PII_KEY", "fifteen-bytes-0")]);
    gateway.wait_ready("streaming").await;
    let said = gateway.output();
    assert!(said.contains("WARN") && said.contains("ONR-341"), "{said}");
    assert!(!said.contains("fifteen-bytes-0"), "{said}");
    assert!(gateway.stop().await.success());
    // A start that insists on a plan reads the keys once, as every other.
    let config = scenario.config().display().to_string();
    let mut plan = Command::new(binary());
    plan.args(["plan", "--format", "json", "--config", &config])
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "fifteen-bytes-0");
    let planned: Value = serde_json::from_slice(&fed(plan, &[]).stdout).unwrap();
    let mut gateway = Gateway::start_with(&scenario, |command| {
        command.envs(SECRETS).env("TEST_PII_KEY", "fifteen-bytes-0");
        command.args(["--plan", planned["plan"].as_str().unwrap()]);
    });
    gateway.wait_ready("streaming").await;
    let said = gateway.output();
    assert_eq!(said.matches("ONR-341").count(), 1, "{said}");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hmac_key_of_a_key_field_is_not_rotated() {
    let scenario = persons().await;
    let keyed = PRODUCT
        .replace(
            "key: [person_id]",
            "key: [email]\nkey_unique: { reason: \"one account an address\" }",
        )
        .replace("from: email, optional: true", "from: email");
    scenario.write("products/persons.yaml", &keyed);
    insert(&scenario, 1, PERSON).await;
    assert!(streaming(&scenario).await.stop().await.success());
    let rotated = keyed.replace("hmac: pii ", "hmac: pii_2 ");
    assert_ne!(rotated, keyed);
    let rotated = format!("{rotated}on_mapping_change: backfill\n");
    scenario.write("products/persons.yaml", &rotated);
    start(&scenario, &[]).refuses(64, "ONR-709").await;
    let mut plan = Command::new(binary());
    plan.args(["plan", "--format", "json", "--config"])
        .arg(scenario.config())
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone");
    let said: Value = serde_json::from_slice(&fed(plan, &[]).stdout).unwrap();
    let findings = said["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["code"] == "ONR-709"), "{said}");
    assert_eq!(said["products"][0]["fate"], "refused");
    scenario.write("products/persons.yaml", &keyed);
    let gateway = streaming(&scenario).await;
    let events = consume(&scenario.servers, &scenario.topic("persons.v1")).await;
    assert_eq!(latest_by_key(&events).len(), 1);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// A pseudonym and an address are both a string: neither schema nor registry tells that one came in
/// the other's place, so the file has to.
#[tokio::test(flavor = "multi_thread")]
async fn no_field_loses_its_protection_unless_the_file_says_why() {
    let scenario = persons().await;
    insert(&scenario, 1, PERSON).await;
    assert!(streaming(&scenario).await.stop().await.success());
    let mail = "email: { type: string, from: email, optional: true";
    let protected = ", classification: personal, protect: { hmac: pii } }";
    let bare = PRODUCT.replace(&format!("{mail}{protected}"), &format!("{mail} }}"));
    assert_ne!(bare, PRODUCT);
    for policy in ["keep", "backfill"] {
        let bare = format!("{bare}on_mapping_change: {policy}\n");
        scenario.write("products/persons.yaml", &bare);
        let said = start(&scenario, &[]).refuses(64, "ONR-346").await;
        let what = "nothing protects email, which was published with hmac";
        assert!(said.contains(what), "{said}");
    }
    let mut plan = Command::new(binary());
    plan.args(["plan", "--format", "json", "--config"])
        .arg(scenario.config())
        .envs(SECRETS)
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone");
    let said: Value = serde_json::from_slice(&fed(plan, &[]).stdout).unwrap();
    let findings = said["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["code"] == "ONR-346"), "{said}");
    let said = format!("{mail}, protect: {{ none: \"a public register\" }} }}");
    let open = PRODUCT.replace(&format!("{mail}{protected}"), &said);
    let open = format!("{open}on_mapping_change: keep\n");
    scenario.write("products/persons.yaml", &open);
    assert!(streaming(&scenario).await.stop().await.success());
    scenario.close().await;
}

#[test]
fn decrypt_tells_what_it_cannot_read_and_shows_nothing_of_it() {
    let of = ["--product", "commerce.orders.v1", "--field", "x"];
    let key = ["--key", "pii=env:TEST_CRM_1"];
    let lines = [
        "pii:AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "",
        "planted@shop.test",
        "planted_key:AAAAAAAAAAAAAAAAAAAAAAAA",
        "Planted: no name of a key",
    ];
    let output = decrypt(&[&key[..], &of].concat(), &lines);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"\n\n\n\n\n");
    let told = String::from_utf8(output.stderr).unwrap();
    fits_80_columns(&told);
    for (code, times) in [("[ONR-343]", 3), ("[ONR-344]", 1)] {
        assert_eq!(told.matches(code).count(), times, "{told}");
    }
    assert!(
        told.contains("line 5") && told.contains("planted_key"),
        "{told}"
    );
    assert!(
        !told.contains("planted@") && !told.contains("Planted"),
        "{told}"
    );
    // So many that nobody reads them are counted.
    let output = decrypt(&[&key[..], &of].concat(), &["x"; 50]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("30 more values"), "{told}");
    for (key, code) in [
        ("pii=env:TEST_NOT_SET", "[ONR-708]"),
        ("pii=planted", "[ONR-107]"),
        ("PLANTED=env:A", "[ONR-107]"),
    ] {
        let output = decrypt(&[&["--key", key], &of[..]].concat(), &lines);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{told}");
        assert!(told.contains(code), "{told}");
        assert!(!told.to_lowercase().contains("planted"), "{told}");
    }
}
