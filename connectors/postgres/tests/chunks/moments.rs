//! What had begun when visibility is asked for, whatever ends while the question is answered.

use std::sync::Arc;

use onramp_connector::Connector;
use onramp_postgres::Postgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::database::{Database, SERVERS};
use crate::private::Private;

/// The two things that are asked: who holds a number, and what a snapshot sees.
const QUESTIONS: [&[u8]; 2] = [b"pg_locks", b"pg_current_snapshot"];

/// A forwarder that holds the second of the two questions back, whichever it is.
struct Gate {
    port: u16,
    held: Arc<Notify>,
    open: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Gate {
    async fn before(host: &str, port: u16) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (held, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait, host) = (held.clone(), open.clone(), host.to_owned());
        let task = tokio::spawn(async move {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect((host, port)).await.unwrap();
            let (mut from_near, mut to_near) = near.into_split();
            let (mut from_far, mut to_far) = far.into_split();
            let up = async {
                let (mut buffer, mut asked) = (vec![0; 64 << 10], [false; 2]);
                loop {
                    let n = from_near.read(&mut buffer).await?;
                    if n == 0 {
                        return Ok::<(), std::io::Error>(());
                    }
                    let before = asked;
                    for (asked, question) in asked.iter_mut().zip(QUESTIONS) {
                        let said = buffer[..n].windows(question.len());
                        *asked |= said.into_iter().any(|text| text == question);
                    }
                    if asked == [true; 2] && before != asked {
                        assert_ne!(before, [false; 2], "one question after the other");
                        tell.notify_one();
                        wait.notified().await;
                    }
                    to_far.write_all(&buffer[..n]).await?;
                }
            };
            let down = tokio::io::copy(&mut from_far, &mut to_near);
            tokio::select! { up = up => up.unwrap(), _ = down => {} }
        });
        Gate {
            port: own,
            held,
            open,
            task,
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A snapshot lists what is open below the last number that ended, and above it nobody; who is open
/// there is known by locks alone. One who ends between the two questions must be in either answer:
/// asked the other way round he would be in neither, and a first chunk would count that lacks him.
#[tokio::test]
async fn one_who_ends_while_it_is_asked_had_begun_all_the_same() {
    for server in SERVERS {
        // Nobody else's transactions end there, so that the last number is this one's.
        let private = Private::start(server, &["autovacuum = off"]).await;
        let db = Database::at(private.config(), "moments").await;
        db.run("CREATE TABLE t (k int PRIMARY KEY)").await;
        let other = db.session().await;
        other
            .batch_execute("BEGIN; INSERT INTO t VALUES (1)")
            .await
            .unwrap();
        let row = other.query_one("SELECT pg_current_xact_id()::text", &[]);
        let number: u64 = row.await.unwrap().get::<_, &str>(0).parse().unwrap();

        let mut names = db.names.clone();
        let gate = Gate::before(&names.target.host, names.target.port).await;
        names.target.port = gate.port;
        let postgres = Postgres::new(names);
        let asking = tokio::spawn(async move { postgres.visibility().await });
        gate.held.notified().await;
        other.batch_execute("COMMIT").await.unwrap();
        gate.open.notify_one();
        let moment = asking.await.unwrap().unwrap();
        assert!(
            moment.next() > number,
            "{server}: {number} had begun, and what had begun ends at {}",
            moment.next()
        );
        db.end().await;
    }
}
