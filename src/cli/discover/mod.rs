//! `onramp discover`: drafts of product files from a live database.

mod setting;
mod told;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use onramp_connector::SampleLimits;
use onramp_finding::codes::discovery as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use serde_json::{Map, json};

use self::setting::{Setting, of_config, of_source};
use self::told::{Line, Next};
use super::files::Files;
use super::report::{self, Report};
use crate::discover::{self, Style, Wanted, names};
use crate::{operate, run, terminal};

/// Drafts product files from a live database: one for each table, for people to finish.
///
/// Reads the catalogue and a bounded sample of each table, read-only, within timeouts. What it is
/// not sure of stands in the drafts as a comment; what only people know, as TODO.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp discover --config onramp.yaml
  onramp discover --config onramp.yaml --tables 'public.ordr_*,cust_mst'
  onramp discover --source postgres://onramp@db/erp --password-env PW --out erp
  onramp discover --config onramp.yaml --tables cust_mst --force

Exit codes: 0 drafted, 1 findings, 64 wrong usage, files that cannot be read or
written, 66 source, 70 internal fault.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// The database, instead of a gateway file, which is drafted too; without a password.
    #[arg(long, value_name = "URL", requires = "out")]
    source: Option<String>,
    /// The environment variable that holds the password of `--source`.
    #[arg(
        long,
        value_name = "NAME",
        requires = "source",
        conflicts_with = "password_file"
    )]
    password_env: Option<String>,
    /// The file that holds the password of `--source`.
    #[arg(long, value_name = "FILE", requires = "source")]
    password_file: Option<PathBuf>,
    /// How the connection to `--source` is secured: disable, prefer, require, verify-ca, verify-full.
    #[arg(long, value_name = "MODE", requires = "source")]
    tls: Option<String>,
    /// The certificate authority of `--source`.
    #[arg(long, value_name = "FILE", requires = "source")]
    ca: Option<PathBuf>,
    /// Only these tables: `schema.table` or `table`, `*` for any letters.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    tables: Vec<String>,
    /// Where drafts go: DIR/DOMAIN/NAME.yaml, under `products` with `--source`. Else `products`
    /// beside the gateway file.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The products' domain; else the database's name.
    #[arg(long, value_name = "NAME", value_parser = domain)]
    domain: Option<String>,
    /// The most rows that are sampled of a table.
    #[arg(long, value_name = "ROWS", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sample: u32,
    /// The most time that a statement may take, e.g. `500ms` or `10s`.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    timeout: Duration,
    /// Overwrite files that are there, and draft tables that are mapped.
    #[arg(long)]
    force: bool,
}

/// The longest that a statement may be given.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
/// The most time that a statement waits for a lock.
const LOCK: Duration = Duration::from_millis(500);

fn domain(text: &str) -> Result<String, String> {
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    let fits = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    match begins && fits && text.len() <= 60 {
        true => Ok(text.to_owned()),
        false => Err("small letters, digits, `-`".into()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    onramp_language::duration(text)
        .filter(|time| !time.is_zero() && *time <= TIMEOUT_MAX)
        .ok_or_else(|| "at most an hour, as `5s`".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let format = arguments.report.format;
    let setting = match &arguments.source {
        Some(url) => of_source(arguments, url),
        None => of_config(arguments),
    };
    let setting = match setting {
        Ok(setting) => setting,
        Err(findings) => return report::refused(format, Kind::Configuration, &findings),
    };
    match discovered(arguments, &setting) {
        Ok(code) => code,
        Err(failure) => report::failed(format, &failure),
    }
}

fn discovered(arguments: &Arguments, setting: &Setting) -> Result<ExitCode, Failure> {
    let wanted = Wanted {
        patterns: &arguments.tables,
        limits: SampleLimits {
            rows: arguments.sample,
            statement: arguments.timeout,
            lock: LOCK,
        },
        mapped: match arguments.force {
            true => &[],
            false => &setting.existing.mapped,
        },
    };
    let connector = run::connector(&setting.gateway);
    let runtime = operate::runtime()?;
    let line = terminal::Progress::default();
    let looked = runtime.block_on(discover::look(&*connector, &wanted, &mut |at, of, name| {
        line.say(&format!("looking at table {at} of {of}: {name}"));
    }));
    line.clear();
    let looked = looked?;
    let style = Style {
        domain: arguments
            .domain
            .clone()
            .unwrap_or_else(|| names::domain(&setting.gateway.source.database)),
        key: setting.key.clone(),
    };
    let mut findings = looked.findings;
    let taken = setting
        .existing
        .taken(&style.domain, &setting.products, arguments.force);
    let mut drafted = discover::drafts(&looked.tables, &style, taken, &mut findings);
    let text = setting.drafted.as_ref().map(|(_, text)| text.as_str());
    let proof = discover::proven(&*connector, &mut drafted, &style, text);
    findings.extend(runtime.block_on(proof)?);
    let lines = written(arguments, setting, &style, &drafted, &mut findings)?;
    Ok(tell(arguments, setting, &lines, findings))
}

/// Writes what was drafted; what was kept is told.
fn written<'d>(
    arguments: &Arguments,
    setting: &Setting,
    style: &Style,
    drafted: &'d [discover::Drafted<'d>],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Line<'d>>, Failure> {
    if let Some((path, text)) = &setting.drafted {
        discover::write(path, text, arguments.force)?;
    }
    let mut lines = Vec::new();
    for drafted in drafted {
        let file = drafted.draft.as_ref().map(|draft| {
            let path = setting.products.join(&style.domain).join(draft.file());
            (path, draft)
        });
        let mut wrote = false;
        if let Some((path, draft)) = &file {
            wrote = discover::write(path, &draft.whole(), arguments.force)?;
            if !wrote {
                let at = Place::Path(path.display().to_string());
                let message = format!(
                    "the file stands, and {} is not drafted anew",
                    drafted.table.described.name
                );
                findings.push(
                    Finding::warning(&codes::KEPT, at, message)
                        .remedy(codes::KEPT.remedy)
                        .of_product(draft.product.clone()),
                );
            }
        }
        lines.push(Line {
            table: drafted.table,
            file: file.map(|(path, draft)| (path.display().to_string(), draft)),
            written: wrote,
        });
    }
    Ok(lines)
}

fn tell(
    arguments: &Arguments,
    setting: &Setting,
    lines: &[Line<'_>],
    mut findings: Vec<Finding>,
) -> ExitCode {
    let report = arguments.report;
    let gateway = setting
        .drafted
        .as_ref()
        .map(|(path, _)| path.display().to_string());
    let mut more = Map::new();
    more.insert("gateway".to_owned(), json!(gateway));
    more.insert("tables".to_owned(), told::machine(lines));
    let code = report.code(&findings);
    let config = gateway.unwrap_or_else(|| arguments.files.config.display().to_string());
    let text = match report.json() {
        true => String::new(),
        false => {
            let next = next(arguments, setting, lines);
            told::text(lines, &findings, &config, next, terminal::out())
        }
    };
    if !report.json() {
        // What stands below its table in the text needs no second telling.
        findings.retain(|f| !told::stands_below_a_table(f, lines));
    }
    let gap = if findings.is_empty() { "" } else { "\n" };
    report.tell(&findings, more, &format!("{gap}{text}"));
    code
}

/// What a person does next: the drafts are of use where the gateway reads them.
fn next(arguments: &Arguments, setting: &Setting, lines: &[Line<'_>]) -> Next {
    if setting.drafted.is_some() {
        return Next::Gateway;
    }
    let named = setting::named(&arguments.files);
    let drafts = lines.iter().filter_map(|l| Some(&l.file.as_ref()?.1));
    let mut ready = drafts.filter(|d| d.unready.is_empty());
    match ready.all(|draft| named.contains(&draft.product)) {
        true => Next::Draft,
        false => Next::Name,
    }
}
