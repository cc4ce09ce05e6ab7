//! The command line: what may be said, and the exit code it ends with.

mod check;
mod decrypt;
mod discover;
mod docs;
mod dry_run;
mod files;
mod named;
mod plan;
mod quarantine;
mod release;
pub(crate) mod report;
mod test;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use onramp_finding::{Failure, Kind};
use serde_json::json;

use self::files::Files;
use self::report::Format;
use crate::{admin, logs, operate, run, terminal};

/// Longer lines of help are hard to read, however wide the terminal is.
const HELP_COLUMNS: usize = 100;

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
  onramp run --config onramp.yaml --plan 3f9a1c20b7d4e865

Exit codes: 0 stopped as told, 64 configuration, 65 data, 66 source, 67 broker,
68 registry, 69 another gateway took over, 70 internal fault.")]
    Run {
        #[command(flatten)]
        files: Files,
        /// Do what the plan of this hash says, or nothing: `onramp plan` prints it.
        #[arg(long, value_name = "HASH")]
        plan: Option<String>,
        /// How what ends it is printed.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    Discover(discover::Arguments),
    Check(check::Arguments),
    DryRun(Box<dry_run::Arguments>),
    Release(release::Arguments),
    Test(test::Arguments),
    Plan(plan::Arguments),
    Docs(docs::Arguments),
    Quarantine(quarantine::Arguments),
    Decrypt(decrypt::Arguments),
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
  onramp backfill commerce.orders.v1
  onramp backfill commerce.orders.v1 --where 'row.ord_no > 1000'
  onramp backfill commerce.orders.v1 --reconcile

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
        /// How the answer is printed.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Goes on after log was lost: a new slot, the gap on record, every entity published again.
    ///
    /// For a start that is refused because the slot is gone, lost or ahead, or the server's history
    /// is another one. The gateway must be down. Prints what it will do, and asks.
    #[command(after_help = "Examples:
  onramp recover --config onramp.yaml
  onramp recover --config onramp.yaml --yes

Exit codes: 0 recovered, 64 refused, not needed or not confirmed, 66 source,
67 broker.")]
    Recover {
        #[command(flatten)]
        files: Files,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// A product of facts that goes on without what was lost; may be said again.
        #[arg(long = "accept-gap", value_name = "PRODUCT")]
        accept_gap: Vec<String>,
        /// How the outcome is printed; in JSON nothing is asked, so that it takes `--yes`.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
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
        /// How the outcome is printed.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    let code = ran();
    // Whoever hands the output on must not take half of it for the whole.
    match terminal::lost() {
        true => ExitCode::from(Kind::Configuration.exit_code()),
        false => code,
    }
}

fn ran() -> ExitCode {
    // Help and what is wrong with the usage are text as all the rest is: of the terminal's width.
    let said = Arguments::command()
        .term_width(terminal::width().min(HELP_COLUMNS))
        .try_get_matches();
    let arguments = match said.and_then(|said| Arguments::from_arg_matches(&said)) {
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
        Command::Run {
            files,
            plan,
            format,
        } => files.with_gateway(format, |gateway| {
            logs::start(files.logs);
            run::run(gateway, plan)
        }),
        Command::Discover(arguments) => discover::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::DryRun(arguments) => dry_run::run(&arguments),
        Command::Release(arguments) => release::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Docs(arguments) => docs::run(&arguments),
        Command::Quarantine(arguments) => quarantine::run(&arguments),
        Command::Decrypt(arguments) => decrypt::run(&arguments),
        Command::Status { files, format } => {
            files.with_gateway(format, |gateway| operate::status(&gateway, format))
        }
        Command::Backfill {
            files,
            product,
            filter,
            reconcile,
            format,
        } => files.with_gateway(format, |gateway| {
            let order = admin::Order {
                product,
                filter,
                reconcile,
            };
            operate::backfill(&gateway, &order, format)
        }),
        Command::Recover {
            files,
            yes,
            accept_gap,
            format,
        } => files.with_gateway(format, |gateway| {
            logs::start(files.logs);
            operate::recover(gateway, yes, accept_gap, format)
        }),
        Command::ReleaseTopic {
            files,
            topics,
            format,
        } => files.with_gateway(format, |gateway| {
            run::release(&gateway, &topics)?;
            let lines = topics.iter().map(|topic| format!("{topic}: released\n"));
            report::done(
                format,
                json!({ "released": topics }),
                &lines.collect::<String>(),
            );
            Ok(())
        }),
    }
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
