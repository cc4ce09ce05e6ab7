//! `make bench`: what the gateway does on this machine, beside what the machine allows.
//!
//! Every figure that has a floor is measured next to it in the same run, alternating, since
//! absolute figures move with whatever else the machine does: ratios are what to compare.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a table for whoever started it

#[path = "../bench/mod.rs"]
mod bench;

use std::process::ExitCode;

use bench::{
    Measure, Options, backlog, big, history, history_latency, latency, outbox, products,
    protection, report, start,
};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("{reason}\n\n{}", bench::USAGE);
            return ExitCode::from(64);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads can be had");
    let measures = runtime.block_on(measure(&options));
    println!("\n{}", report::table(&measures));
    match report::write(&measures) {
        Ok(path) => println!("written to {}", path.display()),
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn measure(options: &Options) -> Vec<Measure> {
    let mut all = Vec::new();
    println!("{}", report::machine());
    if options.wants("start") {
        all.extend(start::measure(options).await);
    }
    if options.wants("latency") {
        all.extend(latency::measure(options).await);
    }
    if options.wants("backlog") {
        all.extend(backlog::measure(options).await);
    }
    if options.wants("big") {
        all.extend(big::measure(options).await);
    }
    if options.wants("history") {
        all.extend(history::measure(options).await);
    }
    if options.wants("history-latency") {
        all.extend(history_latency::measure(options).await);
    }
    if options.wants("products") {
        all.extend(products::measure(options).await);
    }
    if options.wants("predicates") {
        all.extend(products::predicates(options).await);
    }
    if options.wants("outbox") {
        all.extend(outbox::measure(options).await);
    }
    for way in ["hmac", "encrypt"] {
        if options.wants(way) {
            all.extend(protection::measure(options, way).await);
        }
    }
    all
}
