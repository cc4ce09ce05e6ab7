//! `make torture`: runs of mishaps, seed after seed, until one fails or the time is over.
//!
//! `--seed N` begins with that seed, `--minutes N` says how long (60), `--mishaps N` how many a
//! run (40). A seed that fails is printed, and fails again with `--seed`. `--only mishaps`, `--only
//! kinds` (an entity, facts and an outbox at once) and `--only model` (history among live changes, of
//! entities and of facts) and `--only facts` (that of facts alone) leave the others out.

#![allow(clippy::print_stdout)] // a program for people at a terminal

use std::time::{Duration, Instant};

use onramp_integration_tests::{kinds, mishaps, model};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, otherwise: u64| {
        arguments
            .iter()
            .position(|a| a == name)
            .and_then(|at| arguments.get(at + 1))
            .map_or(otherwise, |text| {
                text.parse().expect("a flag's value is a number")
            })
    };
    let only = arguments.iter().position(|a| a == "--only");
    let only = only
        .and_then(|at| arguments.get(at + 1))
        .map(String::as_str);
    let until = Instant::now() + Duration::from_secs(60 * number("--minutes", 60));
    let mut seed = number("--seed", 1);
    let mut runs = 0;
    let private = match only {
        Some("mishaps" | "kinds") => None,
        _ => Some(model::server().await),
    };
    while Instant::now() < until {
        println!("seed {seed}");
        if only.is_none_or(|only| only == "mishaps") {
            mishaps::run(seed, number("--mishaps", 40)).await;
        }
        if only.is_none_or(|only| only == "kinds") {
            kinds::run(seed, number("--mishaps", 40)).await;
        }
        if let Some(private) = &private {
            if only != Some("facts") {
                let began = Instant::now();
                model::run(private, seed).await;
                println!("model: {:.1} s", began.elapsed().as_secs_f64());
            }
            let began = Instant::now();
            model::run_facts(private, seed).await;
            println!("model of facts: {:.1} s", began.elapsed().as_secs_f64());
        }
        seed += 1;
        runs += 1;
    }
    println!("{runs} passed, 0 failed");
}
