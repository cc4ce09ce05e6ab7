//! `onramp plan`: what a run would create, alter or refuse.

use std::process::ExitCode;

use onramp_language::{Gateway, Reading};
use serde_json::Map;

use super::files::Files;
use super::report::{self, Report};
use crate::run::protection;
use crate::{operate, plan, terminal};

/// Tells what `run` would create, alter or refuse, and changes nothing.
///
/// Asks source, registry and Kafka. The hash that it prints is what `run --plan` insists on; it stands
/// for what the gateway will be, so that it stays the same while a run does what was planned.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp plan --config onramp.yaml
  onramp plan --format json | jq -r .plan
  onramp run --plan 3f9a1c20b7d4e865

Exit codes: 0 planned, 1 run would refuse, 64 wrong usage or an unreadable
gateway file, 66 source, 67 broker, 68 registry out of reach.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let report = arguments.report;
    let files = &arguments.files;
    files.with_reading(report.format, |reading, gateway| {
        // A run refuses the files as they are: there is nothing to ask a server about.
        if onramp_finding::any_error(&reading.findings) {
            return report.end(&reading.findings, Map::new(), "");
        }
        planned(report, reading, gateway)
    })
}

fn planned(report: Report, reading: &Reading, gateway: &Gateway) -> ExitCode {
    let runtime = match operate::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return report::failed(report.format, &failure),
    };
    let shown = terminal::Progress::default();
    let keys = protection::preflight(gateway);
    let mut plan = runtime.block_on(plan::look(gateway, keys, true, Some(&shown)));
    shown.clear();
    plan.findings.splice(0..0, reading.findings.clone());
    let text = plan.text(terminal::width());
    // A first line is not empty.
    let text = match plan.findings.is_empty() {
        true => text.trim_start(),
        false => &text,
    };
    report.tell(&plan.findings, plan.json(), text);
    match plan.out_of_reach {
        Some(unasked) => ExitCode::from(unasked.kind.exit_code()),
        None => report.code(&plan.findings),
    }
}
