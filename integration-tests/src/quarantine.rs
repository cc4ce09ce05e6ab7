//! `onramp quarantine`, as a process.

use std::process::{Command, Output};

use serde_json::Value;

use crate::{Scenario, binary};

/// The command, to be run on a terminal of 80 columns.
pub fn command(scenario: &Scenario, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("quarantine")
        .args(arguments)
        .arg("--config")
        .arg(scenario.config())
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone")
        .env("COLUMNS", "80");
    command
}

/// What came of it.
///
/// # Panics
/// Where there is no program.
pub fn quarantine(scenario: &Scenario, arguments: &[&str]) -> Output {
    let mut command = command(scenario, arguments);
    command.output().expect("the binary runs")
}

/// What it says under `--format json`.
///
/// # Panics
/// Where it fails, or says anything else.
pub fn told(scenario: &Scenario, arguments: &[&str]) -> Value {
    let output = quarantine(scenario, &[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
