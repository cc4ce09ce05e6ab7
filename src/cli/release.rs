//! `onramp release`: contracts that consumers may rely on from now on.

use std::process::ExitCode;

use onramp_finding::codes::contracts as codes;
use onramp_finding::{Finding, Place};
use onramp_language::{Gateway, Product, Reading};
use serde_json::{Map, json};

use super::files::Files;
use super::named::unknown_product;
use super::report::Report;
use crate::released::{Contracts, NAME};

/// Writes products' contracts into `contracts.lock`, which is kept in version control.
///
/// Runs `check` first. From then on `check` refuses what breaks a released contract.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp release commerce.orders.v1
  onramp release --all

Exit codes: 0 released, 1 findings: nothing was written, 64 wrong usage or an
unreadable gateway file.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// The products, as `commerce.orders.v1`.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    products: Vec<String>,
    /// Every product that is active or deprecated.
    #[arg(long)]
    all: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let format = arguments.report.format;
    arguments.files.with_reading(format, |reading, gateway| {
        released(arguments, reading, gateway)
    })
}

fn released(arguments: &Arguments, reading: &Reading, gateway: &Gateway) -> ExitCode {
    let report = arguments.report;
    let config = &arguments.files.config;
    let mut findings = reading.findings.clone();
    let contracts = Contracts::read(reading, gateway, config);
    findings.extend(contracts.check());
    // It is about to be mended.
    findings.retain(|f| f.code != &codes::NOT_RELEASED);
    let chosen = chosen(arguments, gateway, &reading.refused, &mut findings);
    let mut written = Vec::new();
    let mut text = String::new();
    if !onramp_finding::any_error(&findings) {
        let mut lock = contracts.lock();
        for product in chosen {
            let name = product.name.value.to_string();
            let (new, schemas) = contracts.release(product, &mut lock);
            text.push_str(&match new {
                true => format!("{name}: released, schema {schemas}\n"),
                false => format!("{name}: released already, nothing changed\n"),
            });
            if new {
                written.push(name);
            }
        }
        if !written.is_empty()
            && let Err(error) = lock.write(config)
        {
            let message = format!("{NAME} cannot be written");
            let place = Place::Path(NAME.to_owned());
            let finding = Finding::error(&codes::LOCK_UNREADABLE, place, message);
            findings.push(
                finding
                    .because(error.to_string())
                    .remedy("check that the gateway file's folder can be written to"),
            );
            (text, written) = (String::new(), Vec::new());
        }
    }
    let mut more = Map::new();
    more.insert("gateway".to_owned(), json!(gateway.name.value));
    more.insert("released".to_owned(), json!(written));
    report.end(&findings, more, &text)
}

/// The products that are meant; what cannot be released is a finding.
fn chosen<'a>(
    arguments: &Arguments,
    gateway: &'a Gateway,
    refused: &[String],
    findings: &mut Vec<Finding>,
) -> Vec<&'a Product> {
    if arguments.all {
        let all = gateway.products.iter();
        return all.filter(|p| p.status.is_published()).collect();
    }
    let mut chosen = Vec::new();
    for name in &arguments.products {
        let found = gateway
            .products
            .iter()
            .find(|p| p.name.value.to_string() == *name);
        let (message, remedy) = match found {
            Some(product) if product.status.is_published() => {
                chosen.push(product);
                continue;
            }
            Some(product) => (
                format!(
                    "{name} is not published: its status is {}",
                    product.status.word()
                ),
                "set `status: active` first".to_owned(),
            ),
            // Its faults are told.
            None if refused.contains(name) => continue,
            None => {
                findings.push(unknown_product(gateway, name));
                continue;
            }
        };
        findings.push(
            Finding::error(
                &codes::NOT_TO_RELEASE,
                found.map_or(Place::Nowhere, |p| p.name.place()),
                message,
            )
            .remedy(remedy)
            .of_product(name.clone()),
        );
    }
    chosen
}
