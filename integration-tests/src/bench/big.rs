//! One transaction of millions of rows: it becomes one Kafka transaction, and memory stays flat.

use std::time::Instant;

use super::stage::Stage;
use super::watched::Watched;
use super::{Goal, Measure, Options, backlog};

/// Memory and pace during one big transaction.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut stage = Stage::new().await;
    let run = stage.prepare("transaction").await;
    let (gateway, _) = Watched::start(&stage).await;
    let before = gateway.mib("VmRSS");
    println!("big: {} rows in one transaction", options.big);
    stage.fill(0, options.big, 1).await;
    let (began, cpu) = (Instant::now(), gateway.cpu_seconds());
    gateway.committed(options.big).await;
    let took = began.elapsed().as_secs_f64();
    let cpu = gateway.cpu_seconds() - cpu;
    let (peak, commits) = (gateway.peak_mib(), gateway.counter("onramp_commits_total"));
    println!("big: {took:.1} s after its commit, {commits} Kafka transactions since the start");
    gateway.stop().await;
    backlog::check(&stage, &run.topic, options.big).await;
    stage.discard(&run).await;
    stage.close().await;
    let rows = options.big as f64;
    vec![
        Measure::new("one big transaction: peak RSS", peak, "MiB")
            .beside("before it", before)
            .goal(Goal::Most(40.0)),
        Measure::new(
            "one big transaction: from its commit",
            rows / took,
            "rows/s",
        ),
        Measure::new("one big transaction: CPU", cpu * 1e6 / rows, "us/row"),
    ]
}
