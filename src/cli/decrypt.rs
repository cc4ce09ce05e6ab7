//! `onramp decrypt`: encrypted values back to what they were, for whoever has their key.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use onramp_finding::codes::{files, protection, running};
use onramp_finding::{Code, Finding, Kind, Place};
use onramp_language::{Field, Product, Secret, is_a_key_name};
use onramp_translator::{FieldCipher, LEAST_SECRET_BYTES};
use serde_json::{Map, Value, json};

use super::files::Files;
use super::named;
use super::report::{self, Format, Report};

/// Findings that are told one by one; of more there is a last one that counts them.
const TOLD: usize = 20;

/// Reads encrypted values back: one a line on standard input, one a line on standard output.
///
/// A value that cannot be read back gives an empty line and a finding. An empty line stays one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onramp decrypt --product commerce.orders.v1 --field email < values.txt
  onramp decrypt --key crm_2026=env:CRM_KEY \\
    --key crm_2025=file:/run/secrets/crm-2025 \\
    --product commerce.orders.v1 --field address.street < values.txt

Exit codes: 0 every value is read, 1 findings, 64 wrong usage, a secret or an
unreadable gateway file. docs/protection.md has the same in Python.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// A key by its name, from the environment or a file; may be said again. Where it is said, no
    /// gateway file is read.
    #[arg(long = "key", value_name = "NAME=env:VAR|file:PATH")]
    keys: Vec<String>,
    /// The product that the values come from, as `commerce.orders.v1`.
    #[arg(long)]
    product: String,
    /// The field, by the path to it, as `address.street`.
    #[arg(long)]
    field: String,
}

/// What a `--key` says; what it should is told without repeating it, since that may be the secret.
fn key(text: &str) -> Result<(String, Secret), Box<Finding>> {
    let secret = |place: &str| match place.split_once(':')? {
        (_, "") => None,
        ("env", variable) => Some(Secret::Env(variable.to_owned())),
        ("file", path) => Some(Secret::File(PathBuf::from(path))),
        _ => None,
    };
    text.split_once('=')
        .filter(|(name, _)| is_a_key_name(name))
        .and_then(|(name, place)| Some((name.to_owned(), secret(place)?)))
        .ok_or_else(|| {
            let place = Place::Setting("--key".to_owned());
            let message = "this does not say where a key is";
            Box::new(
                Finding::error(&files::WRONG_SHAPE, place, message)
                    .because("a secret on a command line is seen by all who list processes")
                    .remedy("write `NAME=env:VARIABLE` or `NAME=file:PATH`"),
            )
        })
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let format = arguments.report.format;
    if !arguments.keys.is_empty() {
        let (mut keys, mut wrong) = (Vec::new(), Vec::new());
        for said in &arguments.keys {
            match key(said) {
                Ok(key) => keys.push(key),
                Err(finding) => wrong.push(*finding),
            }
        }
        return match wrong.is_empty() {
            true => decrypted(arguments, &keys),
            false => report::refused(format, Kind::Configuration, &wrong),
        };
    }
    arguments.files.with_reading(format, |reading, gateway| {
        let wanted = std::slice::from_ref(&arguments.product);
        let (products, mut unknown) = named::products(gateway, &reading.refused, wanted);
        unknown.extend(
            products
                .iter()
                .filter_map(|p| unknown_field(p, &arguments.field)),
        );
        match unknown.is_empty() {
            true => decrypted(arguments, &gateway.keys),
            false => report::refused(format, Kind::Configuration, &unknown),
        }
    })
}

/// What is wrong with a path that leads to no field. A field that is protected otherwise today may
/// have been encrypted before.
fn unknown_field(product: &Product, path: &str) -> Option<Finding> {
    let records = product.records();
    let fields = records.iter().flat_map(|record| record.fields);
    let all = fields.flat_map(Field::with_all_within);
    let all: Vec<String> = all.map(|(path, _)| path).collect();
    if all.iter().any(|known| known == path) {
        return None;
    }
    let remedy = match onramp_finding::nearest(path, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => protection::UNKNOWN_FIELD.remedy.to_owned(),
    };
    let message = format!("{} has no field {path}", product.name.value);
    Some(
        Finding::error(
            &protection::UNKNOWN_FIELD,
            Place::Setting("--field".into()),
            message,
        )
        .remedy(remedy)
        .of_product(product.name.value.to_string()),
    )
}

/// The ciphers that values ask for, made as they are met.
struct Ring<'a> {
    arguments: &'a Arguments,
    keys: &'a [(String, Secret)],
    /// None: there is no such key.
    ciphers: HashMap<String, Option<FieldCipher>>,
}

impl<'a> Ring<'a> {
    fn cipher(&mut self, name: &str) -> Result<Option<&FieldCipher>, Box<Finding>> {
        if !self.ciphers.contains_key(name) {
            let cipher = match self.keys.iter().find(|(known, _)| known == name) {
                Some((_, secret)) => Some(self.made(name, secret)?),
                None => None,
            };
            self.ciphers.insert(name.to_owned(), cipher);
        }
        Ok(self.ciphers.get(name).and_then(Option::as_ref))
    }

    fn made(&self, name: &str, secret: &Secret) -> Result<FieldCipher, Box<Finding>> {
        let place = || Place::Setting(format!("keys.{name}"));
        let secret = secret.read().map_err(|reason| {
            let code = &running::SECRET_UNREADABLE;
            let finding = Finding::error(code, place(), "the secret cannot be read");
            Box::new(finding.because(reason).remedy(code.remedy))
        })?;
        let (product, field) = (&self.arguments.product, &self.arguments.field);
        Some(secret.as_bytes())
            .filter(|secret| secret.len() >= LEAST_SECRET_BYTES)
            .and_then(|secret| FieldCipher::new(name, secret, product, field))
            .ok_or_else(|| {
                let code = &protection::SECRET_SHORT;
                let message = format!("the secret has fewer than {LEAST_SECRET_BYTES} bytes");
                Box::new(
                    Finding::error(code, place(), message)
                        .because("nothing was ever encrypted under such a secret")
                        .remedy("hand over the secret that the gateway has"),
                )
            })
    }

    /// A line's value; none for an empty line.
    fn read(&mut self, line: &[u8], number: usize) -> Result<Option<String>, Refused> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(None);
        }
        let arguments: &'a Arguments = self.arguments;
        let (product, field) = (&arguments.product, &arguments.field);
        let refused = |code: &'static Code, message: String| {
            let place = Place::Path(format!("standard input, line {number}"));
            let finding = Finding::error(code, place, message)
                .because(code.reason)
                .remedy(code.remedy);
            Refused::Value(Box::new(finding.of_product(product.clone())))
        };
        let not_read = || {
            let message = format!("this is no encrypted {field}, or not under this secret");
            refused(&protection::NOT_DECRYPTED, message)
        };
        let line = std::str::from_utf8(line).map_err(|_| not_read())?;
        // What is called otherwise may be anybody's value, and is not told.
        let name = FieldCipher::parts(line).map(|(name, _)| name);
        let name = name
            .filter(|name| is_a_key_name(name))
            .ok_or_else(not_read)?;
        match self.cipher(name).map_err(Refused::Key)? {
            None => {
                let message = format!("the value is encrypted under {name}, which is not there");
                Err(refused(&protection::KEY_NOT_GIVEN, message))
            }
            Some(cipher) => cipher.decrypt(line).map(Some).ok_or_else(not_read),
        }
    }
}

enum Refused {
    /// One value.
    Value(Box<Finding>),
    /// A key, and with it all there is.
    Key(Box<Finding>),
}

fn decrypted(arguments: &Arguments, keys: &[(String, Secret)]) -> ExitCode {
    let report = arguments.report;
    let mut ring = Ring {
        arguments,
        keys,
        ciphers: HashMap::new(),
    };
    let (mut refused, mut values) = (Vec::new(), Vec::new());
    let mut more_refused = 0;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (at, line) in io::stdin().lock().split(b'\n').enumerate() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                let place = Place::Path(format!("standard input, line {}", at + 1));
                let finding = Finding::error(
                    &protection::NOT_DECRYPTED,
                    place,
                    "the values cannot be read",
                )
                .because(error.to_string());
                return report::refused(report.format, Kind::Configuration, &[finding]);
            }
        };
        let value = match ring.read(&line, at + 1) {
            Ok(value) => value,
            Err(Refused::Key(finding)) => {
                return report::refused(report.format, Kind::Configuration, &[*finding]);
            }
            Err(Refused::Value(finding)) => {
                match refused.len() < TOLD {
                    true => refused.push(*finding),
                    false => more_refused += 1,
                }
                None
            }
        };
        if report.json() {
            values.push(json!(value));
        } else if writeln!(out, "{}", value.unwrap_or_default()).is_err() {
            // A reader that went away has seen what it wanted.
            break;
        }
    }
    let _ = out.flush();
    drop(out);
    if more_refused > 0 {
        let message = format!("{more_refused} more values cannot be decrypted");
        refused.push(Finding::error(
            &protection::NOT_DECRYPTED,
            Place::Nowhere,
            message,
        ));
    }
    if report.format == Format::Text {
        report::print(io::stderr(), &refused);
        return report.code(&refused);
    }
    let mut more = Map::new();
    more.insert("values".to_owned(), Value::Array(values));
    report.end(&refused, more, "")
}
