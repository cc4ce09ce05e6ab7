//! From the start of the process to streaming: the first time, again, and after a million commits.

use super::stage::{Run, Stage};
use super::watched::Watched;
use super::{Goal, Measure, Options, bare, kafka, median};

/// Seconds from the start of the process until /ready says that it streams.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut stage = Stage::new().await;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    let mut run: Option<Run> = None;
    for _ in 0..options.rounds {
        if let Some(run) = run.take() {
            stage.discard(&run).await;
        }
        let prepared = stage.prepare("transaction").await;
        first.push(once(&stage).await);
        for _ in 0..options.rounds {
            again.push(once(&stage).await);
        }
        run = Some(prepared);
    }
    let run = run.expect("at least one round");
    println!("start: writing {} records of progress", options.commits);
    let (brokers, topic) = (stage.scenario.servers.kafka.clone(), run.progress());
    let commits = options.commits;
    let written = tokio::task::spawn_blocking(move || {
        let last = kafka::last_record(&brokers, &topic);
        bare::repeat(&brokers, &topic, &last, commits);
    });
    written.await.expect("no panic");
    let after = once(&stage).await;
    stage.discard(&run).await;
    stage.close().await;
    vec![
        Measure::new("start to streaming, first", median(&first), "s").goal(Goal::Most(1.0)),
        Measure::new("start to streaming, again", median(&again), "s").goal(Goal::Most(1.0)),
        Measure::new(
            format!("start to streaming, {commits} commits of progress uncleaned"),
            after,
            "s",
        )
        .goal(Goal::Most(1.0)),
    ]
}

async fn once(stage: &Stage) -> f64 {
    let (gateway, took) = Watched::start(stage).await;
    // A position is written before it goes, so that the next start has progress to read.
    while gateway.counter("onramp_commits_total") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    gateway.stop().await;
    took.as_secs_f64()
}
