//! How a command's findings are told, and which of them make it end with 1.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::ValueEnum;
use onramp_finding::{Failure, Finding, Kind, Severity};
use serde_json::{Map, Value};

use crate::terminal;

/// How a command's result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One object, as docs/json.md tells.
    Json,
}

/// The least severity that makes a command end with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Error,
    Warning,
    Info,
}

impl FailOn {
    fn severity(self) -> Severity {
        match self {
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
            FailOn::Info => Severity::Info,
        }
    }
}

/// How a command that finds things reports them.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Report {
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// The least severity of a finding that makes the command end with 1.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,
}

impl Report {
    pub(crate) fn json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints what was found and what the command tells beside it, and gives the exit code.
    pub(crate) fn end(
        self,
        findings: &[Finding],
        more: Map<String, Value>,
        text: &str,
    ) -> ExitCode {
        self.tell(findings, more, text);
        self.code(findings)
    }

    /// Prints what was found and what the command tells beside it.
    ///
    /// In JSON it is one object: `findings`, and what `more` holds. As text it is the findings, then
    /// `text`.
    pub(crate) fn tell(self, findings: &[Finding], more: Map<String, Value>, text: &str) {
        match self.format {
            Format::Json => terminal::json(&object(findings, more)),
            Format::Text => {
                print(std::io::stdout(), findings);
                terminal::print(text);
            }
        }
    }

    /// The exit code of a command that found these.
    pub(crate) fn code(self, findings: &[Finding]) -> ExitCode {
        let found = findings
            .iter()
            .any(|f| f.severity >= self.fail_on.severity());
        ExitCode::from(u8::from(found))
    }
}

/// Prints what a command that finds nothing has done: `more` is an object.
pub(crate) fn done(format: Format, more: Value, text: &str) {
    match (format, more) {
        (Format::Json, Value::Object(more)) => terminal::json(&object(&[], more)),
        _ => terminal::print(text),
    }
}

/// Prints what a command has done, and what of it could not be.
pub(crate) fn told(format: Format, findings: &[Finding], more: Value, text: &str) {
    match (format, more) {
        (Format::Json, Value::Object(more)) => terminal::json(&object(findings, more)),
        _ => {
            print(std::io::stdout(), findings);
            terminal::print(text);
        }
    }
}

/// Prints why a command could not do its work, and gives the exit code.
pub(crate) fn failed(format: Format, failure: &Failure) -> ExitCode {
    refused(format, failure.kind, &failure.findings)
}

/// Prints why a command could not begin, and gives the exit code.
pub(crate) fn refused(format: Format, kind: Kind, findings: &[Finding]) -> ExitCode {
    match format {
        Format::Json => terminal::json(&object(findings, Map::new())),
        Format::Text => print(std::io::stderr(), findings),
    }
    ExitCode::from(kind.exit_code())
}

fn object(findings: &[Finding], more: Map<String, Value>) -> Value {
    let mut object = Map::new();
    object.insert("findings".to_owned(), onramp_finding::to_json(findings));
    object.extend(more);
    Value::Object(object)
}

/// Prints findings as text; nothing where there are none.
pub(crate) fn print(mut to: impl std::io::Write + IsTerminal, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    let text = onramp_finding::to_text(findings, terminal::style(&to));
    terminal::write(&mut to, &text);
}
