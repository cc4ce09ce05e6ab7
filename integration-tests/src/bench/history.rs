//! Rows that were there already, from the table to committed events, beside `COPY` of the same table
//! to nowhere.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::stage::Stage;
use super::watched::Watched;
use super::{Goal, Measure, Options, backlog, median};

#[derive(Default)]
struct Case {
    rows_per_second: Vec<f64>,
    streaming_rows_per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    peak_mib: Vec<f64>,
}

/// Rows a second, CPU a row and memory: by readers, by columns, by products of one table.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut stage = Stage::new().await;
    println!("history: writing {} rows", options.rows);
    stage.fill(0, options.rows, 100).await;
    stage.forget_log().await;
    let rows = options.rows;
    let mut all = Vec::new();
    for readers in [2, 1, 4] {
        let more = format!("snapshot: {{ readers: {readers} }}\n");
        let name = format!("history, {readers} reader(s)");
        let products = [Stage::product(1)];
        let (case, floor) = rounds(&mut stage, options, &more, &products, "sal_hdr", rows).await;
        all.extend(figures(&name, &case, floor, readers == 2));
    }
    let three: Vec<String> = (1..=3).map(Stage::product).collect();
    let (case, floor) = rounds(&mut stage, options, "", &three, "sal_hdr", rows).await;
    all.extend(figures(
        "history, 3 products on the table",
        &case,
        floor,
        false,
    ));
    let wide = options.rows / 2;
    stage.fill_wide(wide).await;
    stage.forget_log().await;
    for columns in [2, 10, 40] {
        let products = [Stage::wide(columns)];
        let name = format!("history, {columns} of 40 columns mapped");
        let (case, floor) = rounds(&mut stage, options, "", &products, "wide", wide).await;
        all.extend(figures(&name, &case, floor, false));
    }
    stage.close().await;
    all
}

async fn rounds(
    stage: &mut Stage,
    options: &Options,
    more: &str,
    products: &[String],
    table: &str,
    rows: u64,
) -> (Case, f64) {
    let (mut case, mut floors) = (Case::default(), Vec::new());
    for round in 1..=options.rounds {
        floors.push(floor(stage, table, rows).await);
        let run = stage.prepare_with(more, products).await;
        let began = Instant::now();
        let (gateway, starting) = Watched::start(stage).await;
        gateway.history(products.len()).await;
        let took = began.elapsed().as_secs_f64();
        let streaming = rows as f64 / (took - starting.as_secs_f64());
        let cpu = gateway.cpu_seconds();
        case.rows_per_second.push(rows as f64 / took);
        case.streaming_rows_per_second.push(streaming);
        case.cpu_us.push(cpu * 1e6 / rows as f64);
        case.peak_mib.push(gateway.peak_mib());
        println!(
            "history, round {round}: {:.0} rows/s ({streaming:.0} once it streams), {:.2} us CPU a row, {:.0} MiB; COPY {:.0} rows/s",
            rows as f64 / took,
            cpu * 1e6 / rows as f64,
            gateway.peak_mib(),
            floors.last().copied().unwrap_or_default(),
        );
        gateway.stop().await;
        for topic in &run.topics {
            backlog::check(stage, topic, rows).await;
        }
        stage.discard(&run).await;
    }
    (case, median(&floors))
}

fn figures(name: &str, case: &Case, floor: f64, goals: bool) -> Vec<Measure> {
    let set = |m: Measure, goal: Goal| if goals { m.goal(goal) } else { m };
    vec![
        set(
            Measure::new(name, median(&case.rows_per_second), "rows/s").beside("COPY", floor),
            Goal::RatioOfFloor(0.6),
        ),
        Measure::new(
            format!("{name}: once it streams"),
            median(&case.streaming_rows_per_second),
            "rows/s",
        )
        .beside("COPY", floor),
        set(
            Measure::new(format!("{name}: CPU"), median(&case.cpu_us), "us/row"),
            Goal::Most(2.0),
        ),
        set(
            Measure::new(
                format!("{name}: peak RSS"),
                case.peak_mib.iter().copied().fold(0.0, f64::max),
                "MiB",
            ),
            Goal::Most(64.0),
        ),
    ]
}

/// PostgreSQL's own client reads the table to nowhere.
async fn floor(stage: &Stage, table: &str, rows: u64) -> f64 {
    let folder = std::env::var("ONRAMP_TEST_POSTGRES15_BIN").expect("the services say where");
    let url = stage.scenario.servers.database(&stage.scenario.name);
    let mut command = Command::new(format!("{folder}/psql"));
    command
        .args(["-X", "-q", "-d", &url, "-c"])
        .arg(format!("COPY {table} TO STDOUT (FORMAT binary)"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || command.status()).await;
    let took = began.elapsed().as_secs_f64();
    let ended = ended.expect("no panic").expect("psql is there");
    assert!(ended.success(), "psql ends well");
    rows as f64 / took
}
