//! `onramp dry-run`: the mapping against the real data, and nothing left behind.

use std::process::ExitCode;
use std::time::Duration;

use onramp_finding::codes::dry_run as codes;
use onramp_finding::codes::files;
use onramp_finding::{Finding, Place};
use onramp_language::{Gateway, Product, Status};

use serde_json::Map;

use super::files::Files;
use super::named;
use super::report::{self, Report};
use crate::dry_run::{self, Outcome, Rows, Wishes};
use crate::{operate, terminal};

/// The longest that changes are followed: what holds the log for it is held for so long.
const FOLLOW_MAX: Duration = Duration::from_secs(3600);

/// Proves mappings against the real data, read-only, and leaves nothing behind.
///
/// Asks source, brokers and registry as a start does. Puts rows, and with `--follow` changes, through
/// the mapping: translated, encoded, read back by the schema that would be registered. Tells which
/// would fail and why, what each field holds, what consumers would see, and how the schema stands to
/// the registry's. A gateway that runs is not disturbed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp dry-run --config onramp.yaml
  onramp dry-run commerce.orders.v1 --all
  onramp dry-run commerce.orders.v1 --sample 100 --follow 30s --show-rows

Exit codes: 0 fine, 1 rows would fail, or findings, 64 wrong usage or an
unreadable gateway file, 66 source, 67 broker, 68 registry out of reach (all are
told; the first one counts).")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// Only these products, drafts too; without it all that are not retired.
    products: Vec<String>,
    /// Look at so many rows of each table: the first and the last by its key.
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "all",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: u32,
    /// Look at every row.
    #[arg(long)]
    all: bool,
    /// Follow what commits for so long, e.g. `30s`.
    #[arg(long, value_name = "DURATION", value_parser = follow)]
    follow: Option<Duration>,
    /// Show raw values of rows: columns beside events, classified keys, codes, least and most.
    #[arg(long)]
    show_rows: bool,
}

fn follow(text: &str) -> Result<Duration, String> {
    onramp_language::duration(text)
        .filter(|duration| *duration <= FOLLOW_MAX)
        .ok_or_else(|| "at most an hour, as `30s`".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let format = arguments.report.format;
    arguments.files.with_reading(format, |reading, gateway| {
        let mut findings = reading.findings.clone();
        // To look at a draft is what this is for.
        findings.retain(|f| f.code != &files::UNPUBLISHED_DRAFT);
        let products = chosen(arguments, gateway, &reading.refused, &mut findings);
        // None of what was named can be looked at: there is nothing to ask a server about.
        if products.is_empty() && !arguments.products.is_empty() {
            return arguments.report.end(&findings, Map::new(), "");
        }
        let wishes = Wishes {
            rows: match arguments.all {
                true => Rows::All,
                false => Rows::Sample(arguments.sample),
            },
            follow: arguments.follow,
            show_rows: arguments.show_rows,
        };
        let runtime = match operate::runtime() {
            Ok(runtime) => runtime,
            Err(failure) => return report::failed(format, &failure),
        };
        let outcome = runtime.block_on(dry_run::look(gateway, products, &wishes));
        // A call to a broker that does not answer is nothing to wait for.
        runtime.shutdown_background();
        told(arguments.report, findings, &reading.refused, &outcome)
    })
}

fn told(
    report: Report,
    mut findings: Vec<Finding>,
    refused: &[String],
    outcome: &Outcome,
) -> ExitCode {
    let text = outcome.text(terminal::width());
    let mut more = outcome.json();
    more.insert("refused".to_owned(), refused.into());
    findings.extend(outcome.findings.iter().cloned());
    let code = report.code(&findings);
    if !report.json() {
        // Rows that fail are shown in their product's part, with their keys.
        findings.retain(|f| f.code != &codes::ROWS_FAIL);
        if !findings.is_empty() {
            report.tell(&findings, Map::new(), "\n");
            findings.clear();
        }
    }
    report.tell(&findings, more, &text);
    match outcome.out_of_reach {
        Some(kind) => ExitCode::from(kind.exit_code()),
        None => code,
    }
}

/// The products that are meant; what cannot be looked at is a finding.
fn chosen(
    arguments: &Arguments,
    gateway: &Gateway,
    refused: &[String],
    findings: &mut Vec<Finding>,
) -> Vec<Product> {
    let fit = |p: &&Product| p.status != Status::Retired;
    if arguments.products.is_empty() {
        return gateway.products.iter().filter(fit).cloned().collect();
    }
    let mut chosen: Vec<Product> = Vec::new();
    for name in &arguments.products {
        let named = |p: &&Product| p.name.value.to_string() == *name;
        let found = gateway.products.iter().find(named);
        let (message, remedy) = match found {
            Some(product) if fit(&product) => {
                if !chosen.iter().any(|p| named(&p)) {
                    chosen.push(product.clone());
                }
                continue;
            }
            Some(_) => (
                format!("{name} is retired, and has no rows to look at"),
                codes::NOT_TO_LOOK_AT.remedy.to_owned(),
            ),
            // Its faults are told.
            None if refused.contains(name) => continue,
            None => {
                findings.push(named::unknown_product(gateway, name));
                continue;
            }
        };
        let place = found.map_or(Place::Nowhere, |p| p.name.place());
        let finding = Finding::error(&codes::NOT_TO_LOOK_AT, place, message);
        findings.push(finding.remedy(remedy).of_product(name.clone()));
    }
    chosen
}
