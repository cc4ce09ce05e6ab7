//! Connections: how they are made, secured, counted and cut.

use std::time::Duration;

use onramp_connector::{Acquired, Batch, Connector, Ident, Instance, PrepareRequest, TableRequest};
use onramp_postgres::{Postgres, TlsMode};

use crate::forwarder::Forwarder;
use crate::source::{self, LIMITS, Source, read};

#[tokio::test]
async fn a_cut_connection_may_be_tried_again_and_a_missing_slot_may_not() {
    let source = Source::new("cut").await;
    let failure = source.acquire().await.err().expect("there is no slot");
    assert!(!failure.retry, "{failure}");
    assert_eq!(failure.findings[0].code.id, "ONR-453");
    let from = source.hold().await;
    let mut stream = source.stream(&from).await;
    let cut =
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1";
    source
        .sql
        .execute(cut, &[&source.names.slot])
        .await
        .unwrap();
    let mut batch = Batch::default();
    let failure = loop {
        if let Err(failure) = stream.next(&mut batch, Duration::from_secs(5)).await {
            break failure;
        }
    };
    assert!(failure.retry, "{failure}");
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again() {
    let mut source = Source::new("password").await;
    source.hold().await;
    source.names.target.password = Some(std::sync::Arc::new(|| Ok("wr0ng-s3cret".into())));
    let failure = source.acquire().await.err().expect("the password is wrong");
    assert!(!failure.retry);
    assert_eq!(failure.findings[0].code.id, "ONR-402");
    assert!(!format!("{failure:?}").contains("wr0ng"));
    source.end().await;
}

#[tokio::test]
async fn tls_is_verified_as_the_file_says() {
    let mut source = Source::new("tls").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1)").await;
    let ca = std::env::var_os("ONRAMP_TEST_CA")
        .expect("ONRAMP_TEST_CA is not set: eval \"$(integration-tests/services/services env)\"");
    source.names.target.tls = TlsMode::VerifyFull;
    let refused = async |source: &Source| {
        let failure = source.acquire().await.err();
        let failure = failure.expect("the certificate is not to be trusted");
        (failure.findings[0].code.id, failure.retry)
    };
    // The machine's own authorities did not sign it.
    assert_eq!(refused(&source).await, ("ONR-450", false));
    source.names.target.ca = Some(ca.into());
    for mode in [
        TlsMode::VerifyFull,
        TlsMode::VerifyCa,
        TlsMode::Require,
        TlsMode::Prefer,
    ] {
        source.names.target.tls = mode;
        let mut stream = source.stream(&from).await;
        read(&mut *stream, 1).await;
        let secured = "SELECT ssl FROM pg_stat_ssl JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1";
        let row = source
            .sql
            .query_one(secured, &[&source.names.slot])
            .await
            .unwrap();
        assert!(row.get::<_, bool>(0), "{mode:?}");
    }
    // The same server under a name that its certificate does not have.
    let port = source.names.target.port;
    let other = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    source.names.target.host = "127.0.0.2".into();
    source.names.target.port = other.local_addr().unwrap().port();
    let forwarder = tokio::spawn(async move {
        while let Ok((mut near, _)) = other.accept().await {
            let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    source.names.target.tls = TlsMode::VerifyCa;
    read(&mut *source.stream(&from).await, 1).await;
    source.names.target.tls = TlsMode::VerifyFull;
    assert_eq!(refused(&source).await, ("ONR-450", false), "another name");
    forwarder.abort();
    source.end().await;
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let mut source = Source::new("socket").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1)").await;
    source.names.target.host = source::variable("SOCKET_DIR");
    read(&mut *source.stream(&from).await, 1).await;
    source.end().await;
}

#[tokio::test]
async fn a_start_connects_twice_once_to_ask_and_once_for_the_log() {
    let mut source = Source::new("counted").await;
    source
        .run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
        .await;
    let forwarder = Forwarder::to(&source.names.target, None).await;
    source.names.target.port = forwarder.port;
    source.names.publication = "counted".into();
    let postgres = Postgres::new(source.names.clone());
    let tables = ["a", "b"].map(|table| Ident {
        schema: "public".into(),
        table: table.into(),
    });
    let mut request = PrepareRequest {
        tables: tables
            .iter()
            .map(|table| TableRequest {
                table: table.clone(),
                columns: vec!["id".into()],
                products: vec!["shop.things.v1".into()],
                published_before: false,
                accept_left_out: false,
            })
            .collect(),
        progress: None,
        identity: None,
    };
    assert_eq!(postgres.describe(&tables).await.unwrap().len(), 2);
    assert_eq!(postgres.preflight(&request).await.unwrap(), []);
    let prepared = postgres.prepare(&request).await.unwrap();
    assert!(prepared.created);
    let identity = postgres.identity().await.unwrap();
    let Acquired::Lease(lease) = postgres.acquire(&Instance("one".into())).await.unwrap() else {
        panic!("nobody else has it");
    };
    request.progress = Some(prepared.from.clone());
    request.identity = Some(identity);
    assert!(!postgres.prepare(&request).await.unwrap().created);
    let mut stream = lease.stream(&prepared.from, LIMITS).await.unwrap();
    stream
        .next(&mut Batch::default(), Duration::from_millis(1))
        .await
        .unwrap();
    assert_eq!(forwarder.accepted(), 2);
    // What is kept for the next question is given up when none comes.
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let start = std::time::Instant::now();
    while source
        .sql
        .query_one(idle, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        assert!(start.elapsed() < source::DEADLINE, "it stays connected");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // And one that the server ends is not used again.
    postgres.identity().await.unwrap();
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE datname = current_database() AND backend_type = 'client backend'
                  AND pid <> pg_backend_pid()";
    source.sql.execute(end, &[]).await.unwrap();
    let start = std::time::Instant::now();
    while let Err(failure) = postgres.identity().await {
        assert!(failure.retry && start.elapsed() < source::DEADLINE);
    }
    drop(stream);
    source.end().await;
}
