//! `onramp decrypt`: encrypted values back to what they were, for whoever has their key.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use onramp_finding::codes::{protection, running};
use onramp_finding::{Finding, Kind, Place};
use onramp_language::{Field, Product, Secret, Shape};
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
  onramp decrypt --key crm_2026=env:CRM_KEY --key crm_2025=file:/run/secrets/crm-2025 \\
    --product commerce.orders.v1 --field address.street < values.txt

Exit codes: 0 every value is read, 1 findings, 64 wrong usage, a secret or an unreadable
gateway file. docs/protection.md has the same in Python.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    report: Report,
    /// A key by its name, from the environment or a file; may be said again. Where it is said, no
    /// gateway file is read.
    #[arg(long = "key", value_name = "NAME=env:VAR|file:PATH", value_parser = key)]
    keys: Vec<(String, Secret)>,
    /// The product that the values come from, as `commerce.orders.v1`.
    #[arg(long)]
    product: String,
    /// The field, by the path to it, as `address.street`.
    #[arg(long)]
    field: String,
}

fn key(text: &str) -> Result<(String, Secret), String> {
    let (name, place) = text.split_once('=').unwrap_or((text, ""));
    let secret = match place.split_once(':') {
        Some(("env", variable)) if !variable.is_empty() => Secret::Env(variable.to_owned()),
        Some(("file", path)) if !path.is_empty() => Secret::File(PathBuf::from(path)),
        // What stands there is not repeated: it may be the secret.
        _ => return Err("write NAME=env:VARIABLE or NAME=file:PATH".to_owned()),
    };
    match name.is_empty() {
        true => Err("the key has no name before `=`".to_owned()),
        false => Ok((name.to_owned(), secret)),
    }
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if !arguments.keys.is_empty() {
        return decrypted(arguments, &arguments.keys);
    }
    let format = arguments.report.format;
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
    fn walk(fields: &[Field], parent: &str, all: &mut Vec<String>) {
        for field in fields {
            let path = match parent {
                "" => field.name.value.clone(),
                parent => format!("{parent}.{}", field.name.value),
            };
            if let Shape::Record { fields } = &field.shape {
                walk(fields, &path, all);
            }
            all.push(path);
        }
    }
    let mut all = Vec::new();
    walk(&product.fields, "", &mut all);
    if all.iter().any(|known| known == path) {
        return None;
    }
    let remedy = match onramp_language::nearest(path, all.iter().map(String::as_str)) {
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

impl Ring<'_> {
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
    fn read(&mut self, line: &str, number: usize) -> Result<Option<String>, Refused> {
        if line.is_empty() {
            return Ok(None);
        }
        let product = self.arguments.product.clone();
        let refused = |code, message: String| {
            let place = Place::Path(format!("standard input, line {number}"));
            Refused::Value(Box::new(
                Finding::error(code, place, message).of_product(product),
            ))
        };
        let field = &self.arguments.field;
        let not_read = format!("this is no encrypted value of {field}, or not under this secret");
        let name = FieldCipher::parts(line).map(|(name, _)| name);
        let Some(name) = name.filter(|name| is_a_name(name)) else {
            return Err(refused(&protection::NOT_DECRYPTED, not_read));
        };
        match self.cipher(name).map_err(Refused::Key)? {
            None => {
                let message = format!("the value is encrypted under {name}, which is not there");
                Err(refused(&protection::KEY_NOT_GIVEN, message))
            }
            Some(cipher) => match cipher.decrypt(line) {
                Some(text) => Ok(Some(text)),
                None => Err(refused(&protection::NOT_DECRYPTED, not_read)),
            },
        }
    }
}

/// Whether a key may be called so: what is called otherwise may be anybody's value, and is not told.
fn is_a_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
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
    let (mut findings, mut failed, mut values) = (Vec::new(), 0, Vec::new());
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (at, line) in io::stdin().lock().split(b'\n').enumerate() {
        let line = line.map(String::from_utf8);
        let Ok(Ok(line)) = line else {
            let place = Place::Path(format!("standard input, line {}", at + 1));
            let finding = Finding::error(&protection::NOT_DECRYPTED, place, "this is no text");
            return report::refused(report.format, Kind::Configuration, &[finding]);
        };
        let value = match ring.read(line.trim_end_matches('\r'), at + 1) {
            Ok(value) => value,
            Err(Refused::Key(finding)) => {
                return report::refused(report.format, Kind::Configuration, &[*finding]);
            }
            Err(Refused::Value(finding)) => {
                failed += 1;
                if failed <= TOLD {
                    let code = finding.code;
                    findings.push(finding.because(code.reason).remedy(code.remedy));
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
    if failed > TOLD {
        let message = format!("{} more values cannot be decrypted", failed - TOLD);
        let code = &protection::NOT_DECRYPTED;
        findings.push(Finding::error(code, Place::Nowhere, message).remedy(code.remedy));
    }
    if report.format == Format::Text {
        report::print(io::stderr(), &findings);
        return report.code(&findings);
    }
    let mut more = Map::new();
    more.insert("values".to_owned(), Value::Array(values));
    report.end(&findings, more, "")
}
