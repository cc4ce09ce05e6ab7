//! `onramp check`: what is wrong with the files, offline.

use std::process::ExitCode;

use onramp_finding::Kind;
use serde_json::{Map, json};

use super::files::Files;
use super::report::{self, Report};

/// Reads the files, offline, and says everything that is wrong with them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp check --config onramp.yaml
  onramp check --config onramp.yaml --format json
  onramp check --config onramp.yaml --fail-on warning

Exit codes: 0 fine, 1 findings, 64 wrong usage or an unreadable gateway file.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (report, unreadable) = (arguments.report, Kind::Configuration);
    let reading = match arguments.files.read() {
        Ok(reading) => reading,
        Err(findings) => return report::refused(report.format, unreadable, &findings),
    };
    let Some(gateway) = &reading.gateway else {
        return report::refused(report.format, unreadable, &reading.findings);
    };
    let mut more = Map::new();
    more.insert("gateway".to_owned(), json!(gateway.name.value));
    more.insert("products".to_owned(), json!(gateway.products.len()));
    more.insert("refused".to_owned(), json!(reading.refused));
    let text = match onramp_finding::any_error(&reading.findings) {
        true => String::new(),
        false => format!(
            "{}: {} product(s), nothing wrong\n",
            gateway.name.value,
            gateway.products.len()
        ),
    };
    report.end(&reading.findings, more, &text)
}
