//! The model of history and live changes: random transactions of every kind against a table that is
//! read in small chunks while the gateway, and now and then the database, is killed.
//!
//! What was committed is known ([`tale`]), since one driver does it all by several sessions
//! ([`hands`]) that never touch each other's keys. A seed gives the same transactions and mishaps
//! each time; how they fall among the gateway's chunks is the machine's.

mod hands;
mod tale;

use std::time::Duration;

use crate::history::{Dice, PRODUCT, TABLE};
use crate::{Gateway, Private, Scenario, consume, latest_by_key, records, until};

use hands::Hands;
use tale::Tale;

/// Keys there may be; so few that live changes often meet a chunk on its way.
const KEYS: u64 = 400;
/// How long the topic may take to tell everything in the end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server whose commits can be made to wait for a standby, and that may be killed.
pub async fn server() -> Private {
    let private = Private::start(&["postgres15"]).await;
    let admin = crate::connect(&private.servers().postgres).await;
    // Nobody ever confirms; only sessions that ask for it wait. And only processes are killed here,
    // so nothing need be flushed for the sake of a machine.
    for setting in [
        "synchronous_standby_names = 'nobody'",
        "synchronous_commit = 'local'",
        "fsync = off",
    ] {
        admin
            .batch_execute(&format!("ALTER SYSTEM SET {setting}"))
            .await
            .expect("the superuser may alter the system");
    }
    admin
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .expect("the superuser may reload");
    private
}

/// One run on a [`server`].
///
/// # Panics
/// Where the topic is not the table's history; the message names the seed.
pub async fn run(private: &Private, seed: u64) {
    let mut dice = Dice::new(seed);
    let scenario = Scenario::on(private.servers(), TABLE).await;
    let settings = settings(&mut dice);
    scenario.write("onramp.yaml", &scenario.gateway_file(&settings));
    scenario.write("products/accounts.yaml", PRODUCT);
    let mut tale = Tale::default();
    let mut hands = Hands::new(&scenario).await;
    hands.fill(&mut tale, KEYS * 3 / 4).await;

    // Seeds of every fifth kind lose the database too.
    let crashes = seed.is_multiple_of(5);
    // The slot first, whose making waits for every transaction that is open.
    let mut gateway = Some(Gateway::reading(&scenario).await);
    for phase in 0..8 {
        let mut running = match gateway.take() {
            Some(running) => running,
            None => Gateway::start(&scenario),
        };
        if dice.below(3) > 0 {
            running.wait_ready("streaming").await;
        }
        // While the log stands still chunks are read and wait, and what is committed passes them.
        let freezes = dice.below(3) == 0;
        if freezes {
            hands.walsenders("STOP").await;
        }
        for _ in 0..dice.below(60) {
            hands.short(&mut tale, &mut dice, KEYS).await;
            if dice.below(6) == 0 {
                hands.linger(&mut tale, &mut dice, KEYS).await;
            }
        }
        if freezes {
            hands.walsenders("CONT").await;
        }
        if crashes && phase == 3 {
            hands.crash(&mut tale, private, &scenario).await;
            running.wait_ready("streaming").await;
        }
        if dice.below(3) == 0 {
            gateway = Some(running);
        } else {
            running.kill();
        }
    }
    hands.finish(&mut tale, &mut dice).await;
    drop(gateway);

    let mut gateway = Gateway::reading(&scenario).await;
    hands.short(&mut tale, &mut dice, KEYS).await;
    let (topic, progress) = (
        scenario.topic("accounts.v1"),
        format!("onramp.{}.progress", scenario.name),
    );
    let history = format!("history/{topic}");
    let mut events = Vec::new();
    let mut why = String::new();
    let whole = async || {
        assert!(gateway.runs(), "seed {seed}: ended\n{}", gateway.output());
        let notes = records(&scenario.servers, &progress).await;
        let note = notes.iter().rfind(|(key, _)| *key == history);
        if !note.is_some_and(|(_, note)| note.contains("\"stage\":\"done\"")) {
            why = format!("history is not done: {note:?}");
            return false;
        }
        events = consume(&scenario.servers, &topic).await;
        let now = latest_by_key(&events);
        why = "the topic's state is not the table's".into();
        now.len() == tale.now().len()
            && tale.now().iter().all(|(key, version)| {
                now.get(&key.to_string())
                    .is_some_and(|v| v["version"] == *version)
            })
    };
    let waited = tokio::time::timeout(PATIENCE, patiently(whole)).await;
    let wrong = tale.differs(&events);
    assert!(
        waited.is_ok() && wrong.is_none(),
        "seed {seed} ({settings}): {}; {}\n{}",
        if waited.is_ok() { "settled" } else { &why },
        wrong.unwrap_or_default(),
        gateway.output()
    );
    assert_eq!(
        tale.now(),
        &hands.table().await,
        "seed {seed}: the model itself"
    );
    assert!(gateway.stop().await.success(), "seed {seed}");
    drop(hands);
    scenario.close().await;
}

async fn patiently(mut condition: impl AsyncFnMut() -> bool) {
    until("the end", PATIENCE * 2, async || condition().await).await;
}

/// Small chunks, few or many readers, and a memory of changed keys that overflows or not.
fn settings(dice: &mut Dice) -> String {
    let readers = 1 + dice.below(3);
    let rows = [1, 2, 5, 17][dice.below(4) as usize];
    let chunk = ["4KiB", "8MiB"][dice.below(2) as usize];
    let changed_keys = ["1KiB", "8KiB", "16MiB"][dice.below(3) as usize];
    format!(
        "snapshot: {{ readers: {readers}, chunk_rows: {rows} }}\n\
         limits: {{ row: 2KiB, chunk: {chunk}, changed_keys: {changed_keys} }}\n"
    )
}
