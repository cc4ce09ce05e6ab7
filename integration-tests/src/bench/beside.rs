//! Variants of one gateway over one log, run in turn: what one has more than another is what it costs.
//!
//! CPU is told twice: of the whole process, and of the thread that reads the log and translates it.
//! What a product's messages take is on other threads (the publisher's, and librdkafka's), so that the
//! second figure is what a variant costs beside its own messages.

use std::time::Instant;

use super::stage::{END, Stage};
use super::watched::Watched;
use super::{Options, backlog, median};

/// A gateway's files that differ from those of the other variants.
pub(crate) struct Variant {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    /// More lines of the gateway file.
    pub(crate) more: &'static str,
    /// Its products, the one of the log's end excepted.
    pub(crate) products: Vec<String>,
    /// Events that each of them gives for a row: one, or none where nobody wants it.
    pub(crate) events: u64,
}

/// What a variant took, in each round.
#[derive(Default)]
pub(crate) struct Taken {
    rows_per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    source_us: Vec<f64>,
}

impl Taken {
    /// Rows a second.
    pub(crate) fn rows_per_second(&self) -> f64 {
        median(&self.rows_per_second)
    }

    /// Microseconds of CPU a row, all threads.
    pub(crate) fn cpu_us(&self) -> f64 {
        median(&self.cpu_us)
    }

    /// The same of the thread that reads and translates.
    pub(crate) fn source_us(&self) -> f64 {
        median(&self.source_us)
    }

    /// What this one has more than another, each round beside its own: the median of the differences,
    /// for the whole process and for the thread that reads and translates.
    pub(crate) fn more_than(&self, other: &Taken) -> (f64, f64) {
        let differences = |a: &[f64], b: &[f64]| {
            let each: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            median(&each)
        };
        (
            differences(&self.cpu_us, &other.cpu_us),
            differences(&self.source_us, &other.source_us),
        )
    }
}

/// Runs every variant once, and that as often as there are rounds. Each reads its stage's log from its
/// beginning to its end.
pub(crate) async fn alternate(
    options: &Options,
    variants: &mut [(&mut Stage, Vec<Variant>)],
) -> Vec<Taken> {
    let count = variants.iter().map(|(_, of)| of.len()).sum();
    let mut taken: Vec<Taken> = std::iter::repeat_with(Taken::default).take(count).collect();
    for round in 1..=options.rounds {
        let mut places = taken.iter_mut();
        for (stage, variants) in variants.iter_mut() {
            for (variant, taken) in variants.iter().zip(&mut places) {
                once(stage, options.rows, variant, taken).await;
                println!(
                    "{}, round {round}: {:.0} rows/s, {:.2} us CPU a row, {:.2} of them to read and translate",
                    variant.name,
                    taken.rows_per_second.last().copied().unwrap_or_default(),
                    taken.cpu_us.last().copied().unwrap_or_default(),
                    taken.source_us.last().copied().unwrap_or_default(),
                );
            }
        }
    }
    taken
}

async fn once(stage: &mut Stage, rows: u64, variant: &Variant, taken: &mut Taken) {
    let mut products = variant.products.clone();
    products.push(Stage::end_product());
    let run = stage.prepare_with(variant.more, &products).await;
    let (gateway, _) = Watched::start(stage).await;
    let began = Instant::now();
    let (cpu, source) = (gateway.cpu_seconds(), gateway.source_seconds());
    let end = run.topics.last().expect("it has one of its own");
    gateway
        .reaches(&format!("onramp_events_total{{product=\"{end}\"}}"), END)
        .await;
    let took = began.elapsed().as_secs_f64();
    let (cpu, source) = (
        gateway.cpu_seconds() - cpu,
        gateway.source_seconds() - source,
    );
    gateway.stop().await;
    let us = 1e6 / rows as f64;
    taken.rows_per_second.push(rows as f64 / took);
    taken.cpu_us.push(cpu * us);
    taken.source_us.push(source * us);
    // A figure counts for nothing where events are missing.
    for topic in run.topics.iter().take(variant.products.len()) {
        backlog::check(stage, topic, rows * variant.events).await;
    }
    stage.discard(&run).await;
}
