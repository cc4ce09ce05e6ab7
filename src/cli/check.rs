//! `onramp check`: what is wrong with the files, offline.

use std::process::ExitCode;

use onramp_finding::Finding;
use onramp_language::{Gateway, Reading};
use serde_json::{Map, json};

use super::files::Files;
use super::report::Report;
use crate::released::{Contracts, Revision};

/// Reads the files, offline, and says everything that is wrong with them.
///
/// Contracts are held against `contracts.lock`, the released ones, where it stands beside the
/// gateway file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp check --config onramp.yaml
  onramp check --against origin/main
  onramp check --fail-on warning --format json

Exit codes: 0 fine, 1 findings, 64 wrong usage or an unreadable gateway file.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// Hold contracts against git's revision too, e.g. the branch that is merged into.
    #[arg(long, value_name = "REV")]
    against: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let format = arguments.report.format;
    arguments.files.with_reading(format, |reading, gateway| {
        checked(arguments, reading, gateway)
    })
}

fn checked(arguments: &Arguments, reading: &Reading, gateway: &Gateway) -> ExitCode {
    let report = arguments.report;
    let config = &arguments.files.config;
    let mut findings = reading.findings.clone();
    findings.extend(promises(
        arguments,
        &Contracts::read(reading, gateway, config),
    ));
    let mut more = Map::new();
    more.insert("gateway".to_owned(), json!(gateway.name.value));
    more.insert("products".to_owned(), json!(gateway.products.len()));
    more.insert("refused".to_owned(), json!(reading.refused));
    let text = match onramp_finding::any_error(&findings) {
        true => String::new(),
        false => format!(
            "{}: {} product(s), nothing wrong\n",
            gateway.name.value,
            gateway.products.len()
        ),
    };
    report.end(&findings, more, &text)
}

/// What the files break of what consumers were promised.
fn promises(arguments: &Arguments, contracts: &Contracts<'_>) -> Vec<Finding> {
    let mut findings = contracts.check();
    let Some(revision) = &arguments.against else {
        return findings;
    };
    let overrides = match arguments.files.overrides() {
        Ok(overrides) => overrides,
        Err(more) => return more,
    };
    match Revision::read(revision, &arguments.files.config, &overrides) {
        Ok(revision) => findings.extend(contracts.check_against(&revision)),
        Err(finding) => findings.push(*finding),
    }
    findings
}
