//! What each trouble with a registry becomes, and what no text ever holds.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail as its body does")]

mod stub;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use onramp_finding::{Failure, Kind};
use onramp_registry::{
    Foreseen, Level, RegistryClient, RegistryOptions, foresee, publish_contract,
};
use stub::{Reply, Stub};

const SECRET: &str = "s3cret-never-printed";
const SCHEMA: &str = r#"{"type":"record","name":"O","fields":[{"name":"id","type":"long"}]}"#;

fn options(url: &str) -> RegistryOptions {
    let mut options = RegistryOptions::new(url);
    options.username = Some("onramp".to_owned());
    options.password = Some(Arc::new(|| Ok(SECRET.to_owned())));
    options.connect_timeout = Duration::from_secs(60);
    options.timeout = Duration::from_secs(60);
    options.max_answer_bytes = 4096;
    options
}

/// Kind, whether it is tried again, and the code; no text holds the secret.
#[track_caller]
fn expect(failure: &Failure, kind: Kind, retry: bool, code: &str) {
    let text = format!("{failure} {failure:?}");
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(failure.kind, kind, "{text}");
    assert_eq!(failure.retry, retry, "{text}");
    assert_eq!(failure.findings[0].code.id, code, "{text}");
    assert!(failure.findings[0].remedy.is_some(), "{text}");
}

async fn failure_of(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Failure {
    let stub = Stub::start(move |_| reply()).await;
    let client = RegistryClient::new(options(&stub.url)).unwrap();
    client.versions("orders-value").await.unwrap_err()
}

#[tokio::test]
async fn statuses() {
    let refusal = r#"{"error_code":42201,"message":"no good"}"#;
    for (status, retry, code) in [
        (401, false, "ONR-602"),
        (403, false, "ONR-602"),
        (408, true, "ONR-601"),
        (409, false, "ONR-606"),
        (422, false, "ONR-606"),
        (429, true, "ONR-601"),
        (500, true, "ONR-601"),
        (503, true, "ONR-601"),
        (302, false, "ONR-603"),
        (400, false, "ONR-603"),
    ] {
        let failure = failure_of(move || Reply::Json(status, refusal.to_owned())).await;
        expect(&failure, Kind::Registry, retry, code);
    }
}

#[tokio::test]
async fn answers_of_something_else() {
    for body in [
        "<html>",
        "",
        "{}",
        "[\"a\"]",
        "[-1]",
        "[99999999999]",
        "null",
    ] {
        let failure = failure_of(move || Reply::Json(200, body.to_owned())).await;
        expect(&failure, Kind::Registry, false, "ONR-603");
    }
    let failure = failure_of(|| Reply::Json(404, "<html>not here</html>".to_owned())).await;
    expect(&failure, Kind::Registry, false, "ONR-603");
    let large = format!("[{}1]", "1,".repeat(4096));
    let failure = failure_of(move || Reply::Json(200, large.clone())).await;
    expect(&failure, Kind::Registry, false, "ONR-603");
}

#[tokio::test]
async fn connections_that_fail() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[1,";
    let failure = failure_of(move || Reply::Raw(half.to_owned())).await;
    expect(&failure, Kind::Registry, true, "ONR-601");

    let stub = Stub::start(|_| Reply::Silence).await;
    let mut hasty = options(&stub.url);
    hasty.timeout = Duration::from_millis(200);
    let client = RegistryClient::new(hasty).unwrap();
    let failure = client.versions("orders-value").await.unwrap_err();
    expect(&failure, Kind::Registry, true, "ONR-601");

    // Nobody listens there, and no other test is given it.
    let client = RegistryClient::new(options("http://127.0.0.1:1")).unwrap();
    let failure = client.versions("orders-value").await.unwrap_err();
    expect(&failure, Kind::Registry, true, "ONR-601");
    assert!(failure.to_string().contains("no connection"), "{failure}");
}

#[tokio::test]
async fn tls_that_is_none() {
    let stub = Stub::start(|_| Reply::Silence).await;
    let mut secure = options(&stub.url.replace("http:", "https:"));
    secure.ca = Some(ca_file("plain", CA));
    let client = RegistryClient::new(secure).unwrap();
    let failure = client.versions("orders-value").await.unwrap_err();
    expect(&failure, Kind::Registry, false, "ONR-605");
}

#[test]
fn settings_that_cannot_work() {
    for url in [
        "registry:8081",
        "",
        "ftp://registry",
        &format!("https://onramp:{SECRET}@registry"),
        &format!("http://registry/?token={SECRET}"),
    ] {
        let failure = RegistryClient::new(options(url)).err().unwrap();
        expect(&failure, Kind::Configuration, false, "ONR-604");
    }
    for ca in [ca_file("absent", ""), "/nowhere/ca.pem".into()] {
        let mut secure = options("https://registry");
        secure.ca = Some(ca);
        let failure = RegistryClient::new(secure).err().unwrap();
        expect(&failure, Kind::Configuration, false, "ONR-604");
        assert!(failure.to_string().contains("registry.ca"), "{failure}");
    }
    assert!(!format!("{:?}", options(&format!("http://u:{SECRET}@r"))).contains(SECRET));
}

#[tokio::test]
async fn the_password_is_read_for_each_request() {
    let stub = Stub::start(|_| Reply::Json(200, "[]".to_owned())).await;
    let reads = Arc::new(AtomicUsize::new(0));
    let mut rotating = options(&stub.url);
    let count = Arc::clone(&reads);
    rotating.password = Some(Arc::new(move || {
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Ok("one".to_owned()),
            1 => Ok("two".to_owned()),
            _ => Err("/run/secrets/registry: no such file".to_owned()),
        }
    }));
    let client = RegistryClient::new(rotating).unwrap();
    client.versions("a").await.unwrap();
    client.versions("a").await.unwrap();
    let failure = client.versions("a").await.unwrap_err();
    expect(&failure, Kind::Configuration, false, "ONR-604");
    let got = stub.got.lock().unwrap();
    assert_eq!(got.len(), 2);
    // onramp:one and onramp:two
    assert!(got[0].text.contains("Basic b25yYW1wOm9uZQ=="), "{got:?}");
    assert!(got[1].text.contains("Basic b25yYW1wOnR3bw=="), "{got:?}");
}

#[tokio::test]
async fn a_subject_is_one_part_of_the_path() {
    let stub = Stub::start(|_| Reply::Json(200, "[2,1]".to_owned())).await;
    let base = format!("{}/apis/ccompat/v7/", stub.url);
    let client = RegistryClient::new(options(&base)).unwrap();
    assert_eq!(client.versions("a/b?c-value").await.unwrap(), [1, 2]);
    assert_eq!(
        stub.lines(),
        ["GET /apis/ccompat/v7/subjects/a%2Fb%3Fc-value/versions"]
    );
}

/// A registry of one subject with no level of its own and one version, or none.
async fn small(version: Option<&'static str>, keeps_early_level: bool) -> Stub {
    let registered = AtomicUsize::new(usize::from(version.is_some()));
    let missing = |code: u32| Reply::Json(404, format!(r#"{{"error_code":{code},"message":"x"}}"#));
    let one = format!(
        r#"{{"subject":"o.v1-value","version":1,"id":7,"schema":{:?}}}"#,
        version.unwrap_or(SCHEMA)
    );
    Stub::start(move |request| {
        let there = registered.load(Ordering::SeqCst) > 0;
        match request.line.as_str() {
            "GET /subjects/o.v1-value/versions" if there => Reply::Json(200, "[1]".to_owned()),
            "GET /subjects/o.v1-value/versions/1" if there => Reply::Json(200, one.clone()),
            "POST /subjects/o.v1-value" if there && version.is_none_or(|v| v == SCHEMA) => {
                Reply::Json(200, one.clone())
            }
            "GET /config" => Reply::Json(200, r#"{"compatibilityLevel":"BACKWARD"}"#.to_owned()),
            "GET /config/o.v1-value" => missing(40408),
            "PUT /config/o.v1-value" if there || keeps_early_level => {
                Reply::Json(200, r#"{"compatibility":"FULL_TRANSITIVE"}"#.to_owned())
            }
            "POST /subjects/o.v1-value/versions" => {
                registered.store(1, Ordering::SeqCst);
                Reply::Json(200, r#"{"id":7}"#.to_owned())
            }
            _ => missing(40401),
        }
    })
    .await
}

async fn publish(stub: &Stub, already_published: bool) -> Result<u32, Failure> {
    let client = RegistryClient::new(options(&stub.url)).unwrap();
    let level = Level::FullTransitive;
    publish_contract(&client, "o.v1-value", SCHEMA, level, already_published).await
}

fn writes(stub: &Stub) -> Vec<String> {
    let mut lines = stub.lines();
    lines.retain(|line| {
        line.starts_with("PUT") || line.ends_with("POST /subjects/o.v1-value/versions")
    });
    lines
}

#[tokio::test]
async fn the_level_is_written_before_the_first_version() {
    let (level, version) = (
        "PUT /config/o.v1-value",
        "POST /subjects/o.v1-value/versions",
    );
    let stub = small(None, true).await;
    assert_eq!(publish(&stub, false).await, Ok(7));
    assert_eq!(writes(&stub), [level, version]);
    // A registry that keeps no level for a subject without versions gets it right after.
    let stub = small(None, false).await;
    assert_eq!(publish(&stub, false).await, Ok(7));
    assert_eq!(writes(&stub), [level, version, level]);
    // And when the first start was interrupted between the two.
    let stub = small(Some(SCHEMA), false).await;
    assert_eq!(publish(&stub, false).await, Ok(7));
    assert_eq!(writes(&stub), [level]);
}

#[tokio::test]
async fn a_subject_of_others_keeps_its_level() {
    let other = r#"{"type":"record","name":"O","fields":[]}"#;
    for (version, already_published) in [(other, false), (SCHEMA, true)] {
        let stub = small(Some(version), true).await;
        let failure = publish(&stub, already_published).await.unwrap_err();
        expect(&failure, Kind::Registry, false, "ONR-610");
        let text = failure.to_string();
        assert!(text.contains("BACKWARD") && text.contains("FULL_TRANSITIVE"));
        assert_eq!(writes(&stub), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_published_contract_that_is_gone_is_not_registered_again() {
    let stub = small(None, true).await;
    let failure = publish(&stub, true).await.unwrap_err();
    expect(&failure, Kind::Registry, false, "ONR-613");
    assert_eq!(writes(&stub), [] as [&str; 0]);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let stub = small(None, true).await;
    let client = RegistryClient::new(options(&stub.url)).unwrap();
    let level = Level::FullTransitive;
    let seen = foresee(&client, "o.v1-value", SCHEMA, level, false)
        .await
        .unwrap();
    assert_eq!(seen.foreseen, Foreseen::NewSubject);
    assert_eq!(seen.sets_level, Some(level));
    assert_eq!(writes(&stub), [] as [&str; 0]);
}

/// A subject with one version, whose own check answers so.
async fn checked(status: u16, body: &'static str) -> Stub {
    Stub::start(move |request| {
        let missing = |code: u32| format!(r#"{{"error_code":{code},"message":"not found"}}"#);
        let (status, body) = match request.line.as_str() {
            "GET /subjects/o.v1-value/versions" => (200, "[1]".to_owned()),
            "GET /subjects/o.v1-value/versions/1" => {
                let schema = serde_json::Value::from(SCHEMA);
                (200, format!(r#"{{"version":1,"id":7,"schema":{schema}}}"#))
            }
            "GET /config/o.v1-value" => (200, r#"{"compatibilityLevel":"FULL"}"#.to_owned()),
            line if line.starts_with("POST /compatibility/") => (status, body.to_owned()),
            _ => (404, missing(40403)),
        };
        Reply::Json(status, body)
    })
    .await
}

const WIDER: &str = r#"{"type":"record","name":"O","fields":[{"name":"id","type":"long"},
    {"name":"note","type":["null","string"],"default":null}]}"#;

async fn foreseen(stub: &Stub) -> Result<onramp_registry::Foresight, Failure> {
    let client = RegistryClient::new(options(&stub.url)).unwrap();
    foresee(&client, "o.v1-value", WIDER, Level::Full, true).await
}

#[tokio::test]
async fn the_registrys_own_check_counts_where_it_can_be_asked() {
    let fine = foreseen(&checked(200, r#"{"is_compatible":true}"#).await).await;
    assert_eq!(fine.unwrap().foreseen, Foreseen::NewVersion { of: 1 });

    let refuses = r#"{"is_compatible":false,"messages":["it does not like it"]}"#;
    let refused = foreseen(&checked(200, refuses).await).await.unwrap();
    let Foreseen::Refused(findings) = &refused.foreseen else {
        panic!("{refused:?}");
    };
    assert_eq!(findings[0].code.id, "ONR-615");
    assert!(
        findings[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("does not like it")
    );

    for status in [403, 404] {
        let body = r#"{"error_code":40301,"message":"no"}"#;
        let unasked = foreseen(&checked(status, body).await).await.unwrap();
        assert_eq!(unasked.foreseen, Foreseen::NewVersion { of: 1 });
        assert!(
            unasked.unproven[0].starts_with("whether the registry's own check takes o.v1-value"),
            "{:?}",
            unasked.unproven
        );
    }
    let away = foreseen(&checked(503, "{}").await).await.unwrap_err();
    expect(&away, Kind::Registry, true, "ONR-601");
}

/// A certificate that signs nothing that is used here.
const CA: &str = include_str!("stub/ca.pem");

fn ca_file(name: &str, text: &str) -> std::path::PathBuf {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-ca.pem"));
    std::fs::write(&path, text).unwrap();
    path
}
