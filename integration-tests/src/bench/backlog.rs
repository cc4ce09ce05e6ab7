//! A backlog read as fast as it goes, beside `pg_recvlogical` over the same log.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::stage::Stage;
use super::watched::Watched;
use super::{Goal, Measure, Options, kafka, median};

const MODES: [&str; 3] = ["transaction", "cloudevents", "none"];

#[derive(Default)]
struct Mode {
    rows_per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    peak_mib: Vec<f64>,
    commits: Vec<f64>,
}

/// Rows a second, CPU a row and memory, in each header mode.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut stage = Stage::new().await;
    println!(
        "backlog: writing {} rows in 1000 transactions",
        options.rows
    );
    stage.fill(0, options.rows, 1000).await;
    let end = stage.end_of_log().await;
    // What is measured is the log, and not the reading of the table.
    stage.empty().await;
    let mut modes: [Mode; 3] = Default::default();
    let mut floors = Vec::new();
    for round in 1..=options.rounds {
        for (mode, name) in modes.iter_mut().zip(MODES) {
            let floor = floor(&stage, options.rows, &end).await;
            gateway(&mut stage, name, options.rows, mode).await;
            let value = mode.rows_per_second.last().copied().unwrap_or(0.0);
            println!(
                "backlog, round {round}, {name}: {value:.0} rows/s, {:.2} us CPU a row, {:.0} commits; pg_recvlogical {floor:.0} rows/s",
                mode.cpu_us.last().copied().unwrap_or(0.0),
                mode.commits.last().copied().unwrap_or(0.0),
            );
            floors.push(floor);
        }
    }
    stage.close().await;
    let floor = median(&floors);
    let mut all = Vec::new();
    for (mode, name) in modes.iter().zip(MODES) {
        // Goals stand for one mode; the others are beside it to choose by.
        let set = |m: Measure, goal: Goal| if name == MODES[0] { m.goal(goal) } else { m };
        let rows = Measure::new(
            format!("backlog, headers {name}"),
            median(&mode.rows_per_second),
            "rows/s",
        );
        all.push(set(
            rows.beside("pg_recvlogical", floor),
            Goal::RatioOfFloor(1.15),
        ));
        let cpu = Measure::new(
            format!("backlog, headers {name}: CPU"),
            median(&mode.cpu_us),
            "us/row",
        );
        all.push(set(cpu, Goal::Most(2.5)));
        let peak = Measure::new(
            format!("backlog, headers {name}: peak RSS"),
            mode.peak_mib.iter().copied().fold(0.0, f64::max),
            "MiB",
        );
        all.push(set(peak, Goal::Most(40.0)));
    }
    all
}

async fn gateway(stage: &mut Stage, headers: &str, rows: u64, mode: &mut Mode) {
    let run = stage.prepare(headers).await;
    let (gateway, _) = Watched::start(stage).await;
    let (began, cpu) = (Instant::now(), gateway.cpu_seconds());
    gateway.committed(rows).await;
    let took = began.elapsed().as_secs_f64();
    let cpu = gateway.cpu_seconds() - cpu;
    mode.rows_per_second.push(rows as f64 / took);
    mode.cpu_us.push(cpu * 1e6 / rows as f64);
    mode.peak_mib.push(gateway.peak_mib());
    mode.commits
        .push(gateway.counter("onramp_commits_total") as f64);
    gateway.stop().await;
    check(stage, &run.topic, rows).await;
    stage.discard(&run).await;
}

/// A figure counts for nothing where events are missing.
pub(crate) async fn check(stage: &Stage, topic: &str, rows: u64) {
    let (brokers, topic) = (stage.scenario.servers.kafka.clone(), topic.to_owned());
    let found = tokio::task::spawn_blocking(move || kafka::count(&brokers, &topic, rows)).await;
    assert_eq!(found.expect("no panic"), rows, "each row is one event");
}

/// PostgreSQL's own client over the same log, to nowhere.
async fn floor(stage: &Stage, rows: u64, end: &str) -> f64 {
    let slot = stage.copy_slot("floor").await;
    let folder = std::env::var("ONRAMP_TEST_POSTGRES15_BIN").expect("the services say where");
    let url = stage.scenario.servers.database(&stage.scenario.name);
    let mut command = Command::new(format!("{folder}/pg_recvlogical"));
    command
        .args(["-d", &url, "-S", &slot, "--start", "-f", "/dev/null"])
        .args(["-o", "proto_version=1", "-o", "publication_names=bench"])
        .args(["--endpos", end, "--no-loop"])
        .stdin(Stdio::null());
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || command.status()).await;
    let took = began.elapsed().as_secs_f64();
    let ended = ended.expect("no panic").expect("pg_recvlogical is there");
    assert!(ended.success(), "pg_recvlogical ends well");
    stage.drop_slot(&slot).await;
    rows as f64 / took
}
