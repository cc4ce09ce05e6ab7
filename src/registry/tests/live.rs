//! Contracts published to a real registry, at the address in ONRAMP_TEST_REGISTRY.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail as its body does")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use onramp_finding::Failure;
use onramp_registry::{
    Foreseen, Level, RegistryClient, RegistryOptions, foresee, publish_contract,
};

const FULL: Level = Level::FullTransitive;

fn client() -> RegistryClient {
    let url = std::env::var("ONRAMP_TEST_REGISTRY").expect(
        "ONRAMP_TEST_REGISTRY is not set: run `integration-tests/services/services start \
         registry` and set it to http://127.0.0.1:58081",
    );
    RegistryClient::new(RegistryOptions::new(url)).unwrap()
}

/// A topic that no earlier run has used.
fn topic() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("test.registry-{}-{n}.v1", now.as_nanos())
}

fn schema(fields: &[&str]) -> String {
    format!(
        r#"{{"type":"record","name":"Order","namespace":"shop","fields":[{}]}}"#,
        fields.join(",")
    )
}

const ID: &str = r#"{"name":"id","type":"long"}"#;
const TOTAL: &str =
    r#"{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}}"#;
const SCALED: &str =
    r#"{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":3}}"#;
const NOTE: &str = r#"{"name":"note","type":["null","string"],"default":null}"#;
const OTHER_NOTE: &str = r#"{"name":"note","type":["null","long"],"default":null}"#;
const REQUIRED: &str = r#"{"name":"state","type":"string"}"#;

fn codes(failure: &Failure) -> Vec<&str> {
    failure.findings.iter().map(|f| f.code.id).collect()
}

#[tokio::test]
async fn a_contract_is_published_evolves_and_is_found_again() {
    let (client, subject) = (client(), format!("{}-value", topic()));
    let first = schema(&[ID, TOTAL]);
    assert!(client.versions(&subject).await.unwrap().is_empty());
    assert_eq!(client.subject_level(&subject).await.unwrap(), None);

    let seen = foresee(&client, &subject, &first, FULL, false)
        .await
        .unwrap();
    assert_eq!(seen.foreseen, Foreseen::NewSubject);
    assert_eq!((seen.sets_level, seen.latest), (Some(FULL), None));
    assert_eq!(seen.unproven.len(), 1, "rights are told by the try alone");
    assert!(
        client.versions(&subject).await.unwrap().is_empty(),
        "dry is dry"
    );
    assert_eq!(client.subject_level(&subject).await.unwrap(), None);

    let id = publish_contract(&client, &subject, &first, FULL, false)
        .await
        .unwrap();
    assert_eq!(client.subject_level(&subject).await.unwrap(), Some(FULL));
    let again = publish_contract(&client, &subject, &first, FULL, true).await;
    assert_eq!(again, Ok(id));
    assert_eq!(client.versions(&subject).await.unwrap(), [1]);

    let second = schema(&[ID, TOTAL, NOTE]);
    let seen = foresee(&client, &subject, &second, FULL, true)
        .await
        .unwrap();
    assert_eq!(seen.foreseen, Foreseen::NewVersion { of: 1 });
    assert_eq!(seen.sets_level, None);
    assert_eq!(seen.latest.unwrap().id, id);
    let newer = publish_contract(&client, &subject, &second, FULL, true)
        .await
        .unwrap();
    assert_ne!(newer, id);
    // The earlier file again, as after a roll-back.
    let back = publish_contract(&client, &subject, &first, FULL, true).await;
    assert_eq!(back, Ok(id));
    let seen = foresee(&client, &subject, &first, FULL, true)
        .await
        .unwrap();
    assert_eq!(seen.foreseen, Foreseen::Unchanged { id, version: 1 });
    assert_eq!(seen.latest.unwrap().version, 2);
    assert!(seen.unproven.is_empty());

    let registered = client.version(&subject, 2).await.unwrap().unwrap();
    assert_eq!((registered.version, registered.id), (2, newer));
    assert_eq!(registered.kind, "AVRO");
    let by_id = client.schema_by_id(newer).await.unwrap().unwrap();
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parse(&by_id), parse(&second));
    assert_eq!(client.schema_by_id(u32::MAX / 2).await.unwrap(), None);
    assert_eq!(client.version(&subject, 9).await.unwrap(), None);
}

#[tokio::test]
async fn every_violation_of_every_version_is_told_at_once() {
    let (client, topic) = (client(), topic());
    let subject = format!("{topic}-value");
    for fields in [&[ID, TOTAL][..], &[ID, TOTAL, NOTE]] {
        publish_contract(&client, &subject, &schema(fields), FULL, false)
            .await
            .unwrap();
    }
    let broken = schema(&[ID, SCALED, OTHER_NOTE, REQUIRED]);
    let failure = publish_contract(&client, &subject, &broken, FULL, true)
        .await
        .unwrap_err();
    assert!(!failure.retry);
    assert!(codes(&failure).iter().all(|code| *code == "ONR-611"));
    let text = failure.to_string();
    for part in [
        "field total changed from decimal(10,2) to decimal(10,3) since version 1",
        "field total changed from decimal(10,2) to decimal(10,3) since version 2",
        "field note changed from string to long since version 2",
        "field state was added without a default since version 1",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let remedy = failure.findings[0].remedy.clone().unwrap();
    assert!(remedy.ends_with(&format!("or start {}", topic.replace(".v1", ".v2"))));
    let seen = foresee(&client, &subject, &broken, FULL, true)
        .await
        .unwrap();
    assert_eq!(seen.foreseen, Foreseen::Refused(failure.findings));
    assert_eq!(client.versions(&subject).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn avro_alone_would_have_let_a_changed_meaning_pass() {
    let (client, subject) = (client(), format!("{}-value", topic()));
    let field = |t: &str| format!(r#"{{"name":"at","type":{t}}}"#);
    let long = schema(&[&field(r#""long""#)]);
    let time = schema(&[&field(
        r#"{"type":"long","logicalType":"timestamp-micros"}"#,
    )]);
    publish_contract(&client, &subject, &long, FULL, false)
        .await
        .unwrap();
    let verdict = client.compatible(&subject, 1, &time).await.unwrap();
    assert!(verdict.compatible, "{verdict:?}");
    let failure = publish_contract(&client, &subject, &time, FULL, true)
        .await
        .unwrap_err();
    assert_eq!(codes(&failure), ["ONR-611"]);
}

#[tokio::test]
async fn a_level_that_differs_names_both() {
    let (client, subject) = (client(), format!("{}-value", topic()));
    client
        .set_subject_level(&subject, Level::Backward)
        .await
        .unwrap();
    let failure = publish_contract(&client, &subject, &schema(&[ID]), FULL, false)
        .await
        .unwrap_err();
    assert_eq!(codes(&failure), ["ONR-610"]);
    let text = failure.to_string();
    assert!(
        text.contains("BACKWARD,") && text.contains("FULL_TRANSITIVE"),
        "{text}"
    );
    assert!(client.versions(&subject).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_never_gets_a_second_schema() {
    let (client, subject) = (client(), format!("{}-key", topic()));
    let id = publish_contract(&client, &subject, &schema(&[ID]), FULL, false)
        .await
        .unwrap();
    let again = publish_contract(&client, &subject, &schema(&[ID]), FULL, true).await;
    assert_eq!(again, Ok(id));
    let failure = publish_contract(&client, &subject, &schema(&[ID, NOTE]), FULL, true)
        .await
        .unwrap_err();
    assert_eq!(codes(&failure), ["ONR-614"]);
}

#[tokio::test]
async fn the_registry_says_what_it_refuses() {
    let (client, subject) = (client(), format!("{}-value", topic()));
    let failure = client
        .register(&subject, r#"{"type":"record","name":"X"}"#)
        .await
        .unwrap_err();
    assert_eq!(codes(&failure), ["ONR-606"]);
    publish_contract(&client, &subject, &schema(&[ID]), FULL, false)
        .await
        .unwrap();
    let required = schema(&[ID, REQUIRED]);
    let failure = client.register(&subject, &required).await.unwrap_err();
    assert_eq!(codes(&failure), ["ONR-606"]);
    let verdict = client.compatible(&subject, 1, &required).await.unwrap();
    assert!(
        !verdict.compatible && !verdict.messages.is_empty(),
        "{verdict:?}"
    );
    client.global_level().await.unwrap();
}
