//! The command line: what may be said, and the exit code it ends with.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use onramp_finding::{Failure, Finding, Kind, Style};
use onramp_language::{Gateway, Overrides};

use crate::{admin, logs, operate, run};

/// Turns a legacy database's log into versioned, governed data products on Kafka.
#[derive(Debug, Parser)]
#[command(name = "onramp", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Streams the source's log into the products' topics until it is told to stop.
    #[command(after_help = "Examples:
  onramp run --config onramp.yaml
  onramp run --config onramp.yaml --set kafka.brokers=kafka-1:9092 --logs json

Exit codes: 0 stopped as told, 64 configuration, 65 data, 66 source, 67 broker,
68 registry, 69 another gateway took over, 70 internal fault.")]
    Run(Files),
    /// Reads the files, offline, and says everything that is wrong with them.
    #[command(after_help = "Examples:
  onramp check --config onramp.yaml
  onramp check --config onramp.yaml --format json

Exit codes: 0 fine, 1 findings, 64 wrong usage or an unreadable gateway file.")]
    Check {
        #[command(flatten)]
        files: Files,
        /// How findings are printed.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Tells how the gateway fares: phase, position, lag, each product's history, gaps.
    ///
    /// Asks the gateway that runs, by its admin endpoint. Where none answers, reads progress from
    /// Kafka and says so.
    #[command(after_help = "Examples:
  onramp status --config onramp.yaml
  onramp status --config onramp.yaml --format json

Exit codes: 0 told, 64 configuration, 67 broker.")]
    Status {
        #[command(flatten)]
        files: Files,
        /// How it is printed.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Has the gateway that runs publish a product's rows again, among live changes.
    #[command(after_help = "Examples:
  onramp backfill --config onramp.yaml commerce.orders.v1
  onramp backfill --config onramp.yaml commerce.orders.v1 --where 'row.ord_no > 1000'
  onramp backfill --config onramp.yaml commerce.orders.v1 --reconcile

Exit codes: 0 ordered, 64 refused, or no gateway answers.")]
    Backfill {
        #[command(flatten)]
        files: Files,
        /// The product, as `commerce.orders.v1`.
        product: String,
        /// Only rows that fulfil this expression over `row`.
        #[arg(long = "where", value_name = "EXPR")]
        filter: Option<String>,
        /// Give tombstones to keys in the topic that the table no longer has.
        #[arg(long)]
        reconcile: bool,
    },
    /// Goes on after log was lost: a new slot, the gap on record, every entity published again.
    ///
    /// For a start that is refused because the slot is gone, lost or ahead, or the server's history
    /// is another one. The gateway must be down. Prints what it will do, and asks.
    #[command(after_help = "Examples:
  onramp recover --config onramp.yaml
  onramp recover --config onramp.yaml --yes

Exit codes: 0 recovered, 64 refused, not needed or not confirmed, 66 source, 67 broker.")]
    Recover {
        #[command(flatten)]
        files: Files,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// A product of facts that goes on without what was lost; may be said again.
        #[arg(long = "accept-gap", value_name = "PRODUCT")]
        accept_gap: Vec<String>,
    },
    /// Gives topics of retired products back, so that another gateway may publish to them.
    #[command(after_help = "Examples:
  onramp release-topic --config onramp.yaml commerce.orders.v1

Exit codes: 0 released, 64 refused or configuration, 67 broker.")]
    ReleaseTopic {
        #[command(flatten)]
        files: Files,
        /// The topics; a product's topic is its name.
        #[arg(required = true)]
        topics: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Files {
    /// The gateway file.
    #[arg(long, env = "ONRAMP_CONFIG", default_value = "onramp.yaml")]
    config: PathBuf,
    /// A value that comes before the gateway file's, e.g. `source.url=postgres://…`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// How logs are written.
    #[arg(long, value_enum, default_value = "text")]
    logs: logs::Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no mistakes.
            let code = if error.use_stderr() {
                Kind::Configuration.exit_code()
            } else {
                0
            };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match arguments.command {
        Command::Run(files) => run_command(&files),
        Command::Check { files, format } => check_command(&files, format),
        Command::Status { files, format } => with_gateway(&files, |gateway| {
            operate::status(&gateway, format == Format::Json)
        }),
        Command::Backfill {
            files,
            product,
            filter,
            reconcile,
        } => with_gateway(&files, |gateway| {
            let order = admin::Order {
                product,
                filter,
                reconcile,
            };
            operate::backfill(&gateway, &order)
        }),
        Command::Recover {
            files,
            yes,
            accept_gap,
        } => with_gateway(&files, |gateway| {
            logs::start(files.logs);
            operate::recover(gateway, yes, accept_gap)
        }),
        Command::ReleaseTopic { files, topics } => with_gateway(&files, |gateway| {
            run::release(&gateway, &topics)?;
            for topic in &topics {
                // Done either way, whether or not somebody still listens.
                let _ = writeln!(std::io::stdout(), "{topic}: released");
            }
            Ok(())
        }),
    }
}

fn run_command(files: &Files) -> ExitCode {
    with_gateway(files, |gateway| {
        logs::start(files.logs);
        run::run(gateway)
    })
}

/// Loads the files, does the work, prints what is wrong with either.
fn with_gateway(files: &Files, work: impl FnOnce(Gateway) -> Result<(), Failure>) -> ExitCode {
    let loaded = match Overrides::from_process(&files.set)
        .and_then(|overrides| onramp_language::load(&files.config, &overrides))
    {
        Ok(loaded) => loaded,
        Err(findings) => {
            print(std::io::stderr(), &findings, Format::Text);
            return ExitCode::from(Kind::Configuration.exit_code());
        }
    };
    print(std::io::stderr(), &loaded.warnings, Format::Text);
    match work(loaded.gateway) {
        Ok(()) => ExitCode::SUCCESS,
        Err(mut failure) => {
            for finding in &mut failure.findings {
                name_the_command(finding, &files.config);
            }
            print(std::io::stderr(), &failure.findings, Format::Text);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// Whoever finds that log was lost does not know by which file it was told to run.
fn name_the_command(finding: &mut Finding, config: &Path) {
    if let Some(remedy) = &mut finding.remedy {
        let command = format!("`onramp recover --config {}`", config.display());
        *remedy = remedy.replace("`onramp recover`", &command);
    }
}

fn check_command(files: &Files, format: Format) -> ExitCode {
    let reading = match Overrides::from_process(&files.set) {
        Ok(overrides) => onramp_language::read(&files.config, &overrides),
        Err(findings) => {
            print(std::io::stdout(), &findings, format);
            return ExitCode::from(Kind::Configuration.exit_code());
        }
    };
    print(std::io::stdout(), &reading.findings, format);
    match (
        &reading.gateway,
        onramp_finding::any_error(&reading.findings),
    ) {
        (None, _) => ExitCode::from(Kind::Configuration.exit_code()),
        (Some(_), true) => ExitCode::from(1),
        (Some(gateway), false) => {
            if format == Format::Text {
                let _ = writeln!(
                    std::io::stdout(),
                    "{}: {} product(s), nothing wrong",
                    gateway.name.value,
                    gateway.products.len()
                );
            }
            ExitCode::SUCCESS
        }
    }
}

/// Prints findings; nothing where there are none, but an empty array in JSON.
fn print(mut to: impl Write + IsTerminal, findings: &[Finding], format: Format) {
    let text = match format {
        Format::Json => format!("{:#}\n", onramp_finding::to_json(findings)),
        Format::Text if findings.is_empty() => return,
        Format::Text => {
            let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
            let style = Style {
                colour: to.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
                width: columns.unwrap_or(80),
            };
            onramp_finding::to_text(findings, style)
        }
    };
    // A reader that went away has seen what it wanted.
    let _ = to.write_all(text.as_bytes());
}

/// A line for whoever gave the command.
pub(crate) fn say(line: &str) {
    // Done either way, whether or not somebody still listens.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A failure on one line, for logs: codes and messages, no snippet.
pub(crate) fn one_line(failure: &Failure) -> String {
    let mut line = failure.to_string();
    for reason in failure.findings.iter().filter_map(|f| f.reason.as_deref()) {
        line.push_str(": ");
        line.push_str(reason);
    }
    line
}
