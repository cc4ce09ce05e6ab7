//! No secret and no value of a row is ever shown: planted ones are searched for in everything that
//! the gateway says, whatever happens to it.

use std::process::Command;
use std::time::Duration;

use onramp_integration_tests::{Gateway, Scenario, consume, until};

const PASSWORD: &str = "planted-password-7d1f";
const WRONG: &str = "planted-wrong-password-9c2e";
const KEY: &str = "planted-hmac-key-4b8a";
const NAME: &str = "planted-name-e5c3";
const BIRTH: &str = "planted-birth-a716";
const STATUS: &str = "Q7planted";
const EMAIL: &str = "planted-email-58f0@shop.test";

const PLANTED: [&str; 7] = [PASSWORD, WRONG, KEY, NAME, BIRTH, STATUS, EMAIL];

const TABLE: &str = "
CREATE TABLE pers (
  pers_no integer PRIMARY KEY, nam text, birth varchar(40) NOT NULL, stat varchar(10) NOT NULL,
  email text, amt numeric NOT NULL DEFAULT 0);
ALTER TABLE pers REPLICA IDENTITY FULL;
";

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
  name:      { type: string, from: nam, optional: true }
  born:      { type: date, from: birth, parse: "%Y%m%d" }
  state:     { type: enum, from: stat, values: { "A": ACTIVE }, default: ACTIVE, otherwise: fail }
  amount:    { type: "decimal(6,2)", from: amt }
  email:     { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }
  sealed:    { type: string, from: email, optional: true, classification: personal, protect: { encrypt: pii } }
  masked:    { type: string, from: email, optional: true, classification: personal, protect: { mask: { keep: 4 } } }
"#;

/// Everything logged, with the secrets planted.
fn talkative(command: &mut Command) {
    command
        .env("TEST_DB_PASSWORD", PASSWORD)
        .env("TEST_PII_KEY", KEY)
        .env("ONRAMP_LOG", "trace");
}

fn shows_nothing(what: &str, text: &str) {
    assert!(!text.is_empty(), "{what} says something");
    for planted in PLANTED {
        if let Some(at) = text.find(planted) {
            let line = text[..at].lines().count();
            panic!("{planted} stands in {what}, line {line}:\n{text}");
        }
    }
}

async fn persons() -> Scenario {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/persons.yaml", PRODUCT);
    let role = &scenario.name;
    let make = format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{PASSWORD}'");
    scenario
        .db
        .batch_execute(&make)
        .await
        .expect("the folder is writable");
    let file = scenario.gateway_file("");
    scenario.write(
        "onramp.yaml",
        &file.replace("postgres@", &format!("{role}@")),
    );
    scenario
}

async fn close(scenario: Scenario) {
    let drop = format!("DROP OWNED BY {0}; DROP ROLE {0}", scenario.name);
    scenario
        .db
        .batch_execute(&drop)
        .await
        .expect("the folder is writable");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_shows_no_secret_and_no_value() {
    let scenario = persons().await;
    let mut gateway = Gateway::start_with(&scenario, talkative);
    gateway.wait_ready("streaming").await;
    let row = format!("INSERT INTO pers VALUES (1, '{NAME}', '19700101', 'A', '{EMAIL}')");
    scenario.db.batch_execute(&row).await.unwrap();
    let topic = scenario.topic("persons.v1");
    let mut events = Vec::new();
    until("the event", Duration::from_secs(30), async || {
        events = consume(&scenario.servers, &topic).await;
        !events.is_empty()
    })
    .await;
    // The subject is alive: the value went where it belongs, the protected one only protected.
    let value = events[0].value.as_ref().unwrap();
    assert_eq!(value["name"], NAME);
    for protected in ["email", "sealed", "masked"] {
        assert_ne!(value[protected], EMAIL);
        assert!(value[protected].is_string());
    }
    for page in ["/live", "/ready", "/caught-up", "/metrics"] {
        shows_nothing(page, &gateway.get(page).unwrap());
    }
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    shows_nothing("the log", &gateway.output());
    close(scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_stops_the_gateway_is_not_shown() {
    let insert = |values: &str| format!("INSERT INTO pers VALUES (1, '{NAME}', {values})");
    for (row, code) in [
        (insert(&format!("'{BIRTH}', 'A', '{EMAIL}'")), "ONR-326"),
        (
            insert(&format!("'19700101', '{STATUS}', '{EMAIL}'")),
            "ONR-324",
        ),
        (
            insert(&format!("'19700101', 'A', '{EMAIL}', 1234567")),
            "ONR-320",
        ),
    ] {
        let scenario = persons().await;
        let mut gateway = Gateway::start_with(&scenario, talkative);
        gateway.wait_ready("streaming").await;
        scenario.db.batch_execute(&row).await.unwrap();
        let output = gateway.refuses(65, code).await;
        shows_nothing("the log", &output);
        assert!(!output.contains("1234567"), "{output}");
        close(scenario).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_not_shown() {
    let scenario = persons().await;
    let mut gateway = Gateway::start_with(&scenario, |command| {
        talkative(command);
        command
            .env("TEST_DB_PASSWORD", WRONG)
            .args(["--logs", "json"]);
    });
    shows_nothing("the log", &gateway.refuses(66, "ONR-402").await);
    close(scenario).await;
}
