//! `onramp test`: mappings held against fixtures, offline.

use std::process::ExitCode;

use onramp_finding::codes::{files, fixtures as codes};
use onramp_finding::{Finding, Style};
use onramp_language::{Fixtures, Gateway, Product, Reading};
use serde_json::{Map, Value, json};

use super::files::Files;
use super::named;
use super::report::Report;
use crate::fixtures::{self, Difference, Outcome, Tested, Wanted};
use crate::terminal;

/// Runs the fixtures: a row or a change in, events out. Offline, without a table or a secret.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp test --config onramp.yaml
  onramp test commerce.orders.v1
  onramp test --update          # writes the events that the mapping gives now

Exit codes: 0 all pass, 1 a test or a file fails, 64 wrong usage or an
unreadable gateway file.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// Only these products' fixtures.
    products: Vec<String>,
    /// Write what tests give into `expect`, and nothing else of the files.
    #[arg(long)]
    update: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let format = arguments.report.format;
    arguments.files.with_reading(format, |reading, gateway| {
        tested(arguments, reading, gateway)
    })
}

fn tested(arguments: &Arguments, reading: &Reading, gateway: &Gateway) -> ExitCode {
    let report = arguments.report;
    // Whether a draft is published is nothing to a test.
    let mut findings: Vec<Finding> = reading.findings.clone();
    findings.retain(|f| f.severity == onramp_finding::Severity::Error);
    let (products, unknown) = named::products(gateway, &reading.refused, &arguments.products);
    findings.extend(unknown);
    let style = terminal::out();
    let (mut shown, mut tests) = (String::new(), Vec::new());
    let mut counted = Counted::default();
    for fixtures in &reading.fixtures {
        // One that is not asked for; or one that cannot be read, which is told by its own findings.
        let named = |p: &&&Product| p.name.value == fixtures.product.value;
        let Some(product) = products.iter().find(named) else {
            continue;
        };
        let tested = fixtures::run(gateway, product, fixtures);
        if arguments.update {
            match update(fixtures, &tested) {
                Ok(updated) => counted.updated += updated,
                Err(finding) => findings.push(*finding),
            }
        }
        for tested in tested {
            counted.add(&tested, arguments.update);
            shown.push_str(&text(fixtures, &tested, arguments.update, style));
            tests.push(machine(fixtures, &tested));
            findings.extend(found(fixtures, tested, arguments.update));
        }
    }
    let faults = onramp_finding::any_error(&findings);
    shown.push_str(&counted.line(faults));
    let mut more = Map::new();
    more.insert("passed".to_owned(), json!(counted.passed));
    more.insert("failed".to_owned(), json!(counted.failed));
    more.insert("updated".to_owned(), json!(counted.updated));
    more.insert("tests".to_owned(), json!(tests));
    let code = report.code(&findings);
    if !report.json() {
        // Failing tests are shown with what differs.
        findings.retain(|f| f.code != &codes::TEST_FAILED);
    }
    report.tell(&findings, more, &shown);
    code
}

#[derive(Default)]
struct Counted {
    passed: usize,
    failed: usize,
    updated: usize,
}

impl Counted {
    fn add(&mut self, tested: &Tested<'_>, update: bool) {
        match (&tested.outcome, update) {
            (Outcome::Passed, _) => self.passed += 1,
            // Counted where it was written.
            (Outcome::Failed(_), true) => {}
            (Outcome::Failed(_) | Outcome::Broken(_), _) => self.failed += 1,
        }
    }

    /// `faults`: something could not be tested at all.
    fn line(&self, faults: bool) -> String {
        let word = if faults || self.failed > 0 {
            "FAILED"
        } else {
            "ok"
        };
        let updated = match self.updated {
            0 => String::new(),
            n => format!("; {n} updated"),
        };
        format!(
            "test result: {word}. {} passed; {} failed{updated}\n",
            self.passed, self.failed
        )
    }
}

/// Writes what the tests that failed give; how many they were.
fn update(fixtures: &Fixtures, tested: &[Tested<'_>]) -> Result<usize, Box<Finding>> {
    let wanted: Vec<Wanted<'_>> = tested
        .iter()
        .filter(|t| matches!(t.outcome, Outcome::Failed(_)))
        .map(|t| Wanted {
            key: t.test.expect_key,
            list: t.test.expect_span,
            events: &t.given,
        })
        .collect();
    let count = wanted.len();
    if count == 0 {
        return Ok(0);
    }
    let refused = |e: std::io::Error| {
        let message = "the fixtures cannot be written";
        let finding = Finding::error(&files::UNREADABLE, fixtures.product.place(), message);
        Box::new(
            finding
                .because(e.to_string())
                .remedy("check the file's permissions"),
        )
    };
    // As it is on disk: what is shown of a file may be masked.
    let text = std::fs::read_to_string(&fixtures.path).map_err(refused)?;
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text.as_str()),
    };
    let updated = fixtures::updated(text, wanted);
    std::fs::write(&fixtures.path, format!("{mark}{updated}")).map_err(refused)?;
    Ok(count)
}

/// A test's line, and below it what differs.
fn text(fixtures: &Fixtures, tested: &Tested<'_>, update: bool, style: Style) -> String {
    let paint = |code: &str, text: &str| match style.colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let lines = |indent: usize, text: &str| terminal::wrapped(indent, text, style.width);
    // Each line by itself, since a terminal may forget a colour at its end.
    let painted = |code: &str, text: &str| {
        // What differs may be a blank.
        let lines = terminal::to_the_letter(8, text, style.width);
        let lines = lines.lines().map(|line| paint(code, line) + "\n");
        lines.collect::<String>()
    };
    let name = format!("{}: {}", fixtures.product.value, tested.test.name.value);
    let name = lines(6, &name);
    let name = name.trim();
    match &tested.outcome {
        Outcome::Passed => format!("{}    {name}\n", paint("32", "ok")),
        Outcome::Failed(_) if update => format!("{} {name}\n", paint("33", "wrote")),
        Outcome::Broken(_) => format!("{}  {name}\n", paint("31", "FAIL")),
        Outcome::Failed(different) => {
            let mut out = format!("{}  {name}\n", paint("31", "FAIL"));
            out.push_str(&lines(6, &place(tested)));
            for Difference {
                at,
                expected,
                given,
            } in different
            {
                out.push_str(&lines(6, at));
                let absent = "nothing".to_owned();
                let expected = expected.as_ref().unwrap_or(&absent);
                let given = given.as_ref().unwrap_or(&absent);
                out.push_str(&painted("31", &format!("- {expected}")));
                out.push_str(&painted("32", &format!("+ {given}")));
            }
            out
        }
    }
}

fn place(tested: &Tested<'_>) -> String {
    let at = &tested.test.name;
    let (line, column) = at.file.line_column(at.span.start);
    format!("{}:{line}:{column}; expected -, given +", at.file.name)
}

fn machine(fixtures: &Fixtures, tested: &Tested<'_>) -> Value {
    let at = &tested.test.name;
    let (word, different) = match &tested.outcome {
        Outcome::Passed => ("passed", &[][..]),
        Outcome::Failed(different) => ("failed", &different[..]),
        Outcome::Broken(_) => ("broken", &[][..]),
    };
    let different: Vec<Value> = different
        .iter()
        .map(|d| json!({ "at": d.at, "expected": d.expected, "given": d.given }))
        .collect();
    json!({
        "product": fixtures.product.value.to_string(),
        "name": at.value,
        "file": at.file.name,
        "line": at.file.line_column(at.span.start).0,
        "outcome": word,
        "differences": different,
    })
}

fn found(fixtures: &Fixtures, tested: Tested<'_>, update: bool) -> Vec<Finding> {
    match tested.outcome {
        Outcome::Passed => Vec::new(),
        Outcome::Failed(_) if update => Vec::new(),
        Outcome::Broken(findings) => findings,
        Outcome::Failed(_) => {
            let message = format!("{}: other events than expected", tested.test.name.value);
            vec![
                Finding::error(&codes::TEST_FAILED, tested.test.name.place(), message)
                    .remedy(codes::TEST_FAILED.remedy)
                    .of_product(fixtures.product.value.to_string()),
            ]
        }
    }
}
