//! The model of history and live changes: random transactions of every kind against a table that is
//! read in small chunks while the gateway, and now and then the database, is killed.
//!
//! What was committed is known ([`tale`]), since one driver does it all by several sessions
//! ([`hands`]) that never touch each other's keys. A seed gives the same transactions and mishaps
//! each time; how they fall among the gateway's chunks is the machine's.

mod facts;
mod hands;
mod tale;

use std::time::Duration;

use crate::history::{Dice, PRODUCT, TABLE};
use crate::{Gateway, Private, Scenario, consume, latest_by_key, records, until};

use hands::Hands;
use tale::Tale;

/// Products over the table at most: each begins a run of its own at some start, so that runs meet
/// whatever lingers then, and stand at different places.
const PRODUCTS: usize = 4;
/// Keys there may be; so few that live changes often meet a chunk on its way.
const KEYS: u64 = 400;
/// How long the topic may take to tell everything in the end.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server whose commits can be made to wait for a standby, and that may be killed.
pub async fn server() -> Private {
    server_of("postgres15").await
}

/// The same of another version, as the services name it.
pub async fn server_of(postgres: &'static str) -> Private {
    let private = Private::start(&[postgres]).await;
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

/// What the products are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Entities,
    /// Facts with `history: insert`.
    Facts,
}

/// One run on a [`server`].
///
/// # Panics
/// Where the topic is not the table's history; the message names the seed.
pub async fn run(private: &Private, seed: u64) {
    run_of(private, seed, Kind::Entities).await;
}

/// The same of facts: each row that was there is told once, each change behind it once.
///
/// # Panics
/// Where that is not so; the message names the seed.
pub async fn run_facts(private: &Private, seed: u64) {
    run_of(private, seed, Kind::Facts).await;
}

async fn run_of(private: &Private, seed: u64, kind: Kind) {
    let mut dice = Dice::new(seed);
    let scenario = Scenario::on(private.servers(), TABLE).await;
    let settings = settings(&mut dice, kind);
    let file = scenario.gateway_file(&settings);
    let file = match kind {
        Kind::Entities => file,
        // All keys' facts in the order of the log.
        Kind::Facts => {
            let one = file.replace("partitions: 3", "partitions: 1");
            format!("{one}headers: cloudevents\n")
        }
    };
    scenario.write("onramp.yaml", &file);
    let mut products = vec![add_product(&scenario, kind, 1)];
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
            None => {
                if products.len() < PRODUCTS && dice.below(2) == 0 {
                    products.push(add_product(&scenario, kind, products.len() + 1));
                }
                if dice.below(2) == 0 {
                    hands.hold().await;
                }
                Gateway::start(&scenario)
            }
        };
        if dice.below(3) > 0 {
            running.wait_ready("streaming").await;
        }
        // While the log stands still chunks are read and wait, and what is committed passes them.
        let freezes = dice.below(3) == 0;
        if freezes {
            hands.walsenders("STOP").await;
        }
        let transactions = dice.below(60);
        let let_go = dice.below(60);
        for number in 0..transactions {
            if number == let_go {
                hands.let_go();
            }
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
    match kind {
        Kind::Entities => hands.short(&mut tale, &mut dice, KEYS).await,
        Kind::Facts => hands.last(&mut tale).await,
    }
    for product in &products {
        let told = match kind {
            Kind::Entities => settled(&scenario, &mut gateway, product, &tale).await,
            Kind::Facts => facts::settled(&scenario, &mut gateway, product, &tale).await,
        };
        assert!(
            told.is_none(),
            "seed {seed} ({settings}), {product}: {}\n{}",
            told.unwrap_or_default(),
            gateway.output()
        );
    }
    assert_eq!(
        tale.now(),
        &hands.table().await,
        "seed {seed}: the model itself"
    );
    assert!(gateway.stop().await.success(), "seed {seed}");
    drop(hands);
    scenario.close().await;
}

/// Writes a further product's file; its name.
fn add_product(scenario: &Scenario, kind: Kind, number: usize) -> String {
    let name = format!("accounts.v{number}");
    let text = match kind {
        Kind::Entities => PRODUCT.replace("accounts.v1", &name),
        Kind::Facts => facts::product(&name, number),
    };
    scenario.write(&format!("products/{name}.yaml"), &text);
    name
}

/// Waits until a product's run is done and its topic is as the table; what is wrong with what it
/// tells, if anything is.
async fn settled(
    scenario: &Scenario,
    gateway: &mut Gateway,
    product: &str,
    tale: &Tale,
) -> Option<String> {
    let topic = scenario.topic(product);
    let progress = format!("onramp.{}.progress", scenario.name);
    let history = format!("history/{topic}");
    let mut events = Vec::new();
    let mut why = String::new();
    let whole = async || {
        if !gateway.runs() {
            why = "the gateway ended".into();
            return true;
        }
        let notes = records(&scenario.servers, &progress).await;
        let note = notes.iter().rfind(|(key, _)| *key == history);
        if !note.is_some_and(|(_, note)| note.contains("\"stage\":\"done\"")) {
            why = format!("history is not done: {note:?}");
            return false;
        }
        events = consume(&scenario.servers, &topic).await;
        let now = latest_by_key(&events);
        let is_there = |(key, version): (&i32, &i64)| {
            let value = now.get(&key.to_string());
            value.is_some_and(|v| v["version"] == *version)
        };
        let same = now.len() == tale.now().len() && tale.now().iter().all(is_there);
        why = match same {
            true => String::new(),
            false => "the topic's state is not the table's".into(),
        };
        same
    };
    // What does not settle is told with what the topic tells, which is the likelier to say why.
    let _ = tokio::time::timeout(PATIENCE, patiently(whole)).await;
    match (why.is_empty(), tale.differs(&events)) {
        (true, None) => None,
        (_, wrong) => Some(format!("{why}; {}", wrong.unwrap_or_default())),
    }
}

async fn patiently(mut condition: impl AsyncFnMut() -> bool) {
    until("the end", PATIENCE * 2, async || condition().await).await;
}

/// Small chunks, few or many readers, and a memory of changed keys that overflows or not; where rows
/// are told once it holds all that the log brings.
fn settings(dice: &mut Dice, kind: Kind) -> String {
    let readers = 1 + dice.below(3);
    let rows = [1, 2, 5, 17][dice.below(4) as usize];
    let chunk = ["4KiB", "8MiB"][dice.below(2) as usize];
    let changed_keys = match kind {
        Kind::Entities => ["1KiB", "8KiB", "16MiB"],
        Kind::Facts => ["200KiB", "400KiB", "16MiB"],
    };
    let changed_keys = changed_keys[dice.below(3) as usize];
    format!(
        "snapshot: {{ readers: {readers}, chunk_rows: {rows} }}\n\
         limits: {{ row: 2KiB, chunk: {chunk}, changed_keys: {changed_keys} }}\n"
    )
}
