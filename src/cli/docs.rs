//! `onramp docs`: a product's contract, for those who read its topic.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use onramp_finding::codes::running::NOT_WRITTEN;
use onramp_finding::{Finding, Kind, Place};
use onramp_language::{Gateway, Product, Reading};
use serde_json::{Map, Value, json};

use super::files::Files;
use super::named;
use super::report::{self, Format, Report};
use crate::documents::{Form, document};

/// Writes a product's contract: for people, by the Open Data Contract Standard, as Avro.
///
/// From the files alone. Where a value comes from is not in it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp docs commerce.orders.v1
  onramp docs commerce.orders.v1 --as odcs
  onramp docs --out contracts                # every product, in every form

Exit codes: 0 written, 1 findings, 64 wrong usage or an unreadable gateway file.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// The products, as `commerce.orders.v1`; all of them with `--out`.
    #[arg(required_unless_present = "out")]
    products: Vec<String>,
    /// The form; markdown, or every one with `--out`.
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// A folder to write into: `commerce.orders.v1.md`, `.odcs.yaml`, `.avsc`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let format = arguments.report.format;
    arguments.files.with_reading(format, |reading, gateway| {
        documented(arguments, reading, gateway)
    })
}

fn documented(arguments: &Arguments, reading: &Reading, gateway: &Gateway) -> ExitCode {
    let report = arguments.report;
    let mut findings = reading.findings.clone();
    let (products, unknown) = named::products(gateway, &reading.refused, &arguments.products);
    findings.extend(unknown);
    if onramp_finding::any_error(&findings) {
        return report.end(&findings, Map::new(), "");
    }
    let documents = made(arguments, gateway, &products);
    let mut text = String::new();
    if let Some(folder) = &arguments.out {
        for document in &documents {
            match document.write(folder) {
                Ok(()) => text.push_str(&format!("{}\n", folder.join(&document.file).display())),
                Err(finding) => {
                    return report::refused(report.format, Kind::Configuration, &[*finding]);
                }
            }
        }
    } else {
        text = documents.iter().map(|d| d.text.as_str()).collect();
    }
    // What is printed is the document alone: it may go into a file.
    if report.format == Format::Text && arguments.out.is_none() {
        report::print(std::io::stderr(), &findings);
        crate::terminal::print(&text);
        return report.code(&findings);
    }
    let mut more = Map::new();
    let documents: Vec<Value> = documents.iter().map(Document::json).collect();
    more.insert("documents".to_owned(), json!(documents));
    report.end(&findings, more, &text)
}

struct Document {
    product: String,
    form: Form,
    file: String,
    text: String,
}

fn made(arguments: &Arguments, gateway: &Gateway, products: &[&Product]) -> Vec<Document> {
    let forms = match (arguments.form, &arguments.out) {
        (Some(form), _) => vec![form],
        (None, Some(_)) => Form::ALL.to_vec(),
        (None, None) => vec![Form::Markdown],
    };
    let mut all = Vec::new();
    for product in products {
        let name = product.name.value.to_string();
        for form in &forms {
            if let Some(text) = document(gateway, product, *form) {
                all.push(Document {
                    file: format!("{name}{}", form.ending()),
                    product: name.clone(),
                    form: *form,
                    text,
                });
            }
        }
    }
    all
}

impl Document {
    fn write(&self, folder: &Path) -> Result<(), Box<Finding>> {
        let path = folder.join(&self.file);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, &self.text))
            .map_err(|error| {
                let place = Place::Path(path.display().to_string());
                let finding = Finding::error(&NOT_WRITTEN, place, "the file cannot be written");
                let finding = finding.because(error.to_string());
                Box::new(finding.remedy(NOT_WRITTEN.remedy))
            })
    }

    fn json(&self) -> Value {
        json!({
            "product": self.product,
            "form": self.form.word(),
            "file": self.file,
            "text": self.text,
        })
    }
}
