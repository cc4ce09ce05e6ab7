//! A field of a draft: how its value is carried, what is said above it.

use std::collections::HashSet;

use onramp_connector::ValueType;

use super::codes::{self, Flag};
use super::column::{Judged, Meaning};
use super::draft::{Style, TODO};
use super::names;
use super::personal::{self, Personal};
use super::table::{Seen, Table, referable};
use super::ties::Reference;
use super::yaml;
use crate::terminal::grouped;

/// What stands above a field.
pub(super) fn notes(judged: &Judged, references: &[Reference]) -> String {
    let mut out = String::new();
    let column = &judged.column.name;
    if let Some(personal) = &judged.personal {
        out.push_str(&yaml::comment(
            2,
            &format!("personal: {}", personal.evidence),
        ));
    }
    for reference in references.iter().filter(|r| r.columns.contains(column)) {
        let how = match reference.declared {
            true => "foreign key",
            false => "by its name; no foreign key says so",
        };
        out.push_str(&yaml::comment(
            2,
            &format!(
                "names a row of {} ({}): {how}",
                reference.table,
                reference.references.join(", ")
            ),
        ));
    }
    if judged.personal.is_none() && may_hold_anything(judged) {
        let question =
            format!("{TODO}: is there personal data in it? Nobody can tell from outside");
        out.push_str(&yaml::comment(2, &question));
    }
    for unclear in &judged.unclear {
        if !matches!(judged.meaning, Meaning::NotCarried(_)) {
            out.push_str(&yaml::comment(2, &format!("{TODO}: {unclear}")));
        }
    }
    out
}

/// Whether people or programs write into it what they like.
fn may_hold_anything(judged: &Judged) -> bool {
    let plain = matches!(judged.meaning, Meaning::Plain(_));
    match judged.column.value_type {
        ValueType::Json | ValueType::Bytes | ValueType::Array(_) => true,
        ValueType::Text => plain && personal::is_free_text(&names::expanded(&judged.column.name)),
        _ => false,
    }
}

/// A field, or a comment in its place.
pub(super) fn field(
    name: &str,
    judged: &Judged,
    in_key: bool,
    table: &Table,
    style: &Style,
) -> String {
    let from = ("from", yaml::value(&judged.column.name));
    let more = more(judged, in_key, style);
    let inline = |pairs: Vec<(&'static str, String)>| {
        let pairs: Vec<(&str, String)> = pairs.into_iter().chain(more.clone()).collect();
        yaml::map(2, name, &pairs)
    };
    match &judged.meaning {
        Meaning::NotCarried(why) => {
            let column = &judged.column.name;
            yaml::comment(2, &format!("{name} (column {column}) is left out: {why}"))
        }
        Meaning::Plain(field_type) => inline(vec![("type", quoted_type(field_type)), from]),
        Meaning::List(of) => {
            let items = format!("{{ type: {} }}", quoted_type(of));
            let of = inline(vec![("type", "array".to_owned()), from, ("items", items)]);
            yaml::comment(
                2,
                "an element that is null fails the row, unless `items` say optional: true",
            ) + &of
        }
        Meaning::Moment {
            field_type,
            format,
            of,
        } => {
            let zone = match *field_type {
                "local-timestamp" => "; a `timestamp` with its `zone` where you know it",
                _ => "",
            };
            let note = format!("text that reads as {format} in {of} of {of} sampled values{zone}");
            let parse = ("parse", yaml::quoted(format));
            yaml::comment(2, &note) + &inline(vec![("type", (*field_type).to_owned()), from, parse])
        }
        Meaning::Flag(flag) => match truth(judged, flag) {
            Some(expression) => {
                let note = format!(
                    "{} ({}) is true, {} ({}) is false; anything else fails the row",
                    flag.yes, flag.seen.0, flag.no, flag.seen.1
                );
                let pairs = vec![
                    ("type", "boolean".to_owned()),
                    ("expr", yaml::expression(&expression)),
                ];
                yaml::comment(2, &note) + &inline(pairs)
            }
            None => {
                let yes = (flag.yes.to_owned(), flag.seen.0);
                let no = (flag.no.to_owned(), flag.seen.1);
                enumeration(name, judged, &[yes, no], "", &more)
            }
        },
        Meaning::Codes(found) => {
            let labels = matches!(judged.column.value_type, ValueType::Enum(_));
            let note = match (found.listed, labels) {
                (_, true) => "the labels of its type".to_owned(),
                (true, _) => "a constraint lists them".to_owned(),
                (false, _) => format!(
                    "codes of {}; one that is not listed fails the row",
                    sampled(table)
                ),
            };
            enumeration(name, judged, &found.values, &note, &more)
        }
    }
}

/// The keys that any type may have.
fn more(judged: &Judged, in_key: bool, style: &Style) -> Vec<(&'static str, String)> {
    let mut more = Vec::new();
    if judged.column.nullable && !in_key {
        more.push(("optional", "true".to_owned()));
    }
    if let Some(personal) = &judged.personal {
        more.push(("classification", "personal".to_owned()));
        let protect = protection(judged, personal, style);
        more.push((
            "protect",
            protect.unwrap_or_else(|| "{ drop: true }".to_owned()),
        ));
    }
    let comment = judged.column.comment.as_deref().map(str::trim);
    if let Some(comment) = comment.filter(|c| !c.is_empty()) {
        more.push(("doc", yaml::quoted(comment)));
    }
    more
}

/// What codes were counted in.
fn sampled(table: &Table) -> String {
    match &table.seen {
        Seen::Rows(rows, true) => format!("all {} rows", grouped(*rows as u64)),
        Seen::Rows(rows, false) => format!("{} sampled rows", grouped(*rows as u64)),
        Seen::Nothing(_) => "no row".to_owned(),
    }
}

/// `decimal(12,2)` would be two values in a list.
fn quoted_type(field_type: &str) -> String {
    match field_type.contains('(') {
        true => yaml::quoted(field_type),
        false => field_type.to_owned(),
    }
}

/// A truth value out of two codes. What is neither fails the row, by what `bool` refuses.
fn truth(judged: &Judged, flag: &Flag) -> Option<String> {
    let Flag { yes, no, .. } = flag;
    let row = referable(&judged.column.name)?;
    let truth = match judged.column.value_type {
        ValueType::Int(_) => {
            format!("{row} == {yes} ? true : {row} == {no} ? false : bool(string({row}))")
        }
        _ => format!("{row} == \"{yes}\" ? true : {row} == \"{no}\" ? false : bool({row})"),
    };
    Some(match judged.column.nullable {
        true => format!("has({row}) ? ({truth}) : null"),
        false => truth,
    })
}

/// An enum, a line a code; the counts stand beside them.
fn enumeration(
    name: &str,
    judged: &Judged,
    values: &[(String, usize)],
    note: &str,
    more: &[(&str, String)],
) -> String {
    let mut out = match note {
        "" => String::new(),
        note => yaml::comment(2, note),
    };
    out.push_str(&format!(
        "  {name}:\n    type: enum\n    from: {}\n    values:\n",
        yaml::value(&judged.column.name)
    ));
    let comment = judged.column.comment.as_deref();
    let meanings = comment.and_then(|c| codes::meanings(c, values));
    let mut taken = HashSet::new();
    let listed: Vec<(String, usize)> = values
        .iter()
        .enumerate()
        .map(|(at, (code, count))| {
            let symbol = match &meanings {
                Some(meanings) => names::symbol(&meanings[at]),
                None => names::symbol(code),
            };
            let symbol = names::unlike(symbol, &mut taken, '_');
            (
                format!("{}: {}", yaml::quoted(code), yaml::value(&symbol)),
                *count,
            )
        })
        .collect();
    let width = listed
        .iter()
        .map(|(l, _)| l.chars().count())
        .max()
        .unwrap_or(0);
    let counted = listed.iter().any(|(_, n)| *n > 0);
    for (line, count) in listed {
        out.push_str(&match counted {
            true => format!("      {line:width$}  # {}\n", grouped(count as u64)),
            false => format!("      {line}\n"),
        });
    }
    for (key, value) in more {
        out.push_str(&format!("    {key}: {value}\n"));
    }
    out
}

/// How a personal field is protected and still there: by the gateway's key, where it has one and
/// the value is a text. None where it has to be dropped.
pub(super) fn protection(judged: &Judged, personal: &Personal, style: &Style) -> Option<String> {
    let textual = matches!(&judged.meaning, Meaning::Plain(t) if t == "string" || t == "uuid");
    let key = style.key.as_ref()?;
    (textual && personal.sort.may_be_pseudonym()).then(|| format!("{{ hmac: {key} }}"))
}
