//! Live changes while rows that were there already are read: from a commit until a read-committed
//! consumer has its event, with the default settings, while another table is read and the same one.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::latency::{EACH, Listener};
use super::stage::Stage;
use super::watched::Watched;
use super::{Goal, Measure, Options, quantile};

/// The first live row's number: beyond all that were there.
const LIVE: u64 = 1_000_000_000;
/// What is left out at the beginning: statements and connections that are new.
const WARM_UP: usize = 100;

/// p50 and p99 of both.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut stage = Stage::new().await;
    println!("live changes during history: writing {} rows", options.rows);
    stage.fill(0, options.rows, 100).await;
    stage.forget_log().await;
    let mut all = Vec::new();
    let history = Stage::product(1);
    let live = Stage::live_product();
    for (name, products, table) in [
        ("another table", vec![live, history.clone()], "sal_live"),
        ("the same table", vec![history], "sal_hdr"),
    ] {
        let mut taken = Vec::new();
        for round in 1..=options.rounds {
            let (found, seconds) = during(&mut stage, &products, table).await;
            println!(
                "live changes while {name} is read, round {round}: {} in {seconds:.1} s, p50 {:.0} ms, p99 {:.0} ms",
                found.len(),
                quantile(&found, 0.5),
                quantile(&found, 0.99),
            );
            taken.extend(found);
        }
        let of = |share: f64, what: &str| {
            let name = format!("live change while {name} is read, {what}");
            Measure::new(name, quantile(&taken, share), "ms")
        };
        all.extend([
            of(0.5, "p50"),
            of(0.99, "p99").goal(Goal::Most(1000.0)),
            of(1.0, "worst"),
        ]);
    }
    stage.close().await;
    all
}

/// Milliseconds that each took of those committed before history was done, and how long that took.
async fn during(stage: &mut Stage, products: &[String], table: &str) -> (Vec<f64>, f64) {
    let run = stage.prepare_with("", products).await;
    let db = stage.scenario.connect().await;
    let insert = db.prepare(&Stage::insert_one_into(table)).await;
    let insert = insert.expect("the statement is right");
    let (gateway, _) = Watched::start(stage).await;
    let listener = Listener::start(&stage.scenario.servers.kafka, &run.topic, LIVE).await;
    let began = Instant::now();
    let mut committed = Vec::new();
    let done = Cell::new(false);
    let ticking = async {
        for n in (0_u32..).take_while(|_| !done.get()) {
            tokio::time::sleep_until((began + EACH * n).into()).await;
            let number = LIVE + u64::from(n);
            let written = db.execute(&insert, &[&(number as i64)]).await;
            written.expect("the table takes the row");
            committed.push((number, Instant::now()));
        }
    };
    let reading = async {
        gateway.history(products.len()).await;
        done.set(true);
    };
    tokio::join!(reading, ticking);
    let took = began.elapsed();
    let seen = listener.all_of(&committed).await;
    gateway.stop().await;
    let sql = format!("DELETE FROM {table} WHERE ord_no >= {LIVE}");
    let gone = stage.scenario.db.execute(&sql, &[]).await;
    gone.expect("the rows may go");
    stage.discard(&run).await;
    let late = committed.iter().skip(WARM_UP);
    let found = late
        .map(|(n, at)| seen[n].saturating_duration_since(*at))
        .map(|d: Duration| d.as_secs_f64() * 1e3);
    (found.collect(), took.as_secs_f64())
}
