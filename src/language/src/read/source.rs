//! Where a field's value comes from, and how a text becomes a date or time.

use jiff::tz::TimeZone;
use onramp_expression::{JsonPath, Type, Variables};
use onramp_finding::{
    Finding,
    codes::{expression, files},
};

use super::lookup;
use super::product::Surroundings;
use super::standing::{has_no_json, of_the_row, opened};
use crate::definition::scalar;
use crate::faults::Faults;
use crate::yaml::{Entry, Node};
use crate::{Ambiguous, Moment, Parse, RowsBefore, Scalar, Source, Spanned, TimeFormat, Unit};

/// The source of a field of some type: exactly one of `from`, `expr` and `value`.
pub(crate) fn source(
    entry: &Entry,
    word: &str,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Source> {
    let within = around.within;
    let node = &entry.value;
    if around.opens.is_some_and(|opens| opens.column.is_none()) && of_the_row(node, faults) {
        return None;
    }
    let keys: &[&str] = match word {
        "array" => &["from"],
        "enum" => &["from", "expr"],
        _ => &["from", "expr", "value"],
    };
    let said: Vec<&str> = keys
        .iter()
        .copied()
        .filter(|key| node.get(key).is_some())
        .collect();
    match said[..] {
        [] => match around.opens {
            Some(opens) => opened(entry, opens, word, faults),
            None => {
                none_said(entry, keys, faults);
                None
            }
        },
        ["from"] => from(node, word, faults),
        ["expr"] => {
            only_beside_from(node, &["parse", "zone", "ambiguous", "at"], "expr", faults);
            let expression = node.get("expr")?;
            let text = faults.spanned(expression, expression.text()?.to_owned());
            // A lookup takes codes, as an enum does.
            let coded = node.get("lookup").is_some();
            let (wanted, remedy) = gives(if coded { "enum" } else { word });
            self::expression(&text, within, wanted, remedy, faults);
            if !coded && word != "enum" && node.text_at(&["optional"]) != Some("true") {
                lacks_transaction(&text, &entry.key, within, wanted, faults);
            }
            Some(Source::Expression(text))
        }
        ["value"] => {
            only_beside_from(node, &["parse", "zone", "ambiguous", "at"], "value", faults);
            let at = node.get("value")?;
            let constant = lookup::constant(at, scalar(word)?, faults)?;
            Some(Source::Constant(faults.spanned(at, constant)))
        }
        [first, second, ..] => {
            let at = node.get(second)?;
            faults
                .error(
                    &files::FIELD_SOURCE,
                    at,
                    format!("`{}` has both `{first}` and `{second}`", entry.key),
                )
                .because("a value comes from exactly one of them")
                .remedy("keep one of the two");
            None
        }
        [_] => None,
    }
}

fn none_said(entry: &Entry, keys: &[&str], faults: &mut Faults) {
    // What was meant to be one of them, or takes its place, has a finding of its own.
    if entry.value.get("each").is_some() {
        return;
    }
    if keys
        .iter()
        .any(|key| crate::check::misspelt(&entry.value, key))
    {
        return;
    }
    let (message, remedy) = match keys {
        ["from"] => (
            format!("`{}` has no `from`", entry.key),
            "add `from: COLUMN`",
        ),
        ["from", "expr"] => (
            format!("`{}` has neither `from` nor `expr`", entry.key),
            "add `from: COLUMN`, or `expr: EXPRESSION`",
        ),
        _ => (
            format!("`{}` has none of `from`, `expr` and `value`", entry.key),
            "add `from: COLUMN`, `expr: EXPRESSION`, or `value: CONSTANT`",
        ),
    };
    faults
        .error(&files::FIELD_SOURCE, &entry.key_node(), message)
        .because("nothing says where its value comes from")
        .remedy(remedy);
}

/// Refuses keys that say how a column's value is read.
fn only_beside_from(node: &Node, keys: &[&str], beside: &str, faults: &mut Faults) {
    for key in keys {
        let Some(at) = node.get(key) else { continue };
        let (code, reason) = match *key {
            "at" => (
                &files::JSON_PATH,
                "it says where in a column's JSON the value stands",
            ),
            _ => (&files::PARSE, "it says how a column's text is read"),
        };
        let remedy = match (*key, beside) {
            ("at", "expr") => {
                "use `from`, or e.g. `jsonString(row.COLUMN, \"path\")` in the expression"
            }
            _ => "use `from`, or remove it",
        };
        faults
            .error(
                code,
                at,
                format!("`{key}` does not belong beside `{beside}`"),
            )
            .because(reason)
            .remedy(remedy);
    }
}

fn from(node: &Node, word: &str, faults: &mut Faults) -> Option<Source> {
    let column = node.get("from")?;
    let at = node.get("at");
    if at.is_some_and(|at| has_no_json(word, at, faults)) {
        return None;
    }
    Some(Source::Column {
        column: faults.spanned(column, column.text()?.to_owned()),
        // One that cannot be read was told while the file was checked.
        at: match at {
            None => None,
            Some(at) => Some(faults.spanned(at, JsonPath::parse(at.text()?).ok()?)),
        },
        parse: parse(node, word, faults),
    })
}

/// Where an expression stands, which says what it may speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// In an entity.
    Entity,
    /// In facts, of rows that were there before too or not.
    Events(RowsBefore),
    /// In an outbox.
    Outbox(RowsBefore),
}

impl Within {
    fn variables(self) -> Variables {
        match self {
            Within::Entity => Variables::entity(),
            Within::Events(rows) => Variables::events(rows == RowsBefore::Insert),
            Within::Outbox(rows) => Variables::outbox(rows == RowsBefore::Insert),
        }
    }

    /// What it is called, why there is no more, and what to write.
    fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Within::Entity => (
                "an entity",
                "an entity sees the row as it is now, so that snapshot, log and replay give the same event",
                "write `row.COLUMN`",
            ),
            Within::Outbox(_) => (
                "an outbox",
                "an outbox sees the row that was inserted, and its transaction",
                "write `row.COLUMN`, or `tx.id`, `tx.position`, `tx.committed_at`",
            ),
            Within::Events(_) => (
                "facts",
                "facts follow from a change: the row before and after it, the operation, the transaction",
                "write `before.COLUMN`, `after.COLUMN`, `op`, or `tx.id`, `tx.position`, `tx.committed_at`",
            ),
        }
    }
}

/// Checks an expression as far as that goes without the table's columns; `wanted` are
/// the types that it may give, `remedy` says what to do where it gives another.
pub(crate) fn expression(
    text: &Spanned<String>,
    within: Within,
    wanted: &[Type],
    remedy: &str,
    faults: &mut Faults,
) {
    let variables = within.variables();
    let names = match onramp_expression::check(&text.value, &variables, wanted) {
        Ok(names) => names,
        Err(found) => {
            for fault in found {
                let place = text.place_within(fault.at);
                let mut finding = Finding::error(fault.code, place, fault.message);
                finding.reason = fault.reason;
                finding.remedy = fault.remedy.or(Some(fault.code.remedy.to_owned()));
                if fault.code.id == expression::RESULT.id {
                    finding.remedy = Some(remedy.to_owned());
                }
                faults.add(finding);
            }
            return;
        }
    };
    let (here, reason, remedy) = within.told();
    for name in names.into_iter().filter(|n| !variables.has(&n.variable)) {
        let message = format!("`{}` is not known in {here}", name.variable);
        let place = text.place_within(name.at);
        let finding = Finding::error(&expression::UNKNOWN_NAME, place, message);
        faults.add(finding).because(reason).remedy(remedy);
    }
}

/// Refuses a required field that rows which no transaction brought would leave null.
fn lacks_transaction(
    text: &Spanned<String>,
    field: &str,
    within: Within,
    wanted: &[Type],
    faults: &mut Faults,
) {
    let without = match within {
        Within::Events(RowsBefore::Insert) => Within::Events(RowsBefore::None),
        Within::Outbox(RowsBefore::Insert) => Within::Outbox(RowsBefore::None),
        _ => return,
    };
    let null =
        |within: Within| onramp_expression::may_be_null(&text.value, &within.variables(), wanted);
    if null(within) && !null(without) {
        let message = format!("`{field}` is required, and null for rows that were there before");
        faults
            .add(Finding::error(&expression::NULLABLE, text.place(), message))
            .because("`history: insert` tells rows that no transaction brought: `tx` is null then")
            .remedy("write `optional: true`, or give it a value with `orElse(…, …)`");
    }
}

/// The types of expressions that a field of a type is made from, and what to do with another.
fn gives(word: &str) -> (&'static [Type], &'static str) {
    let Some(scalar) = scalar(word) else {
        // The codes of an enum.
        let codes = &[Type::String, Type::Int, Type::Bool];
        return (codes, "convert it with `string(…)`");
    };
    let remedy = match scalar {
        Scalar::Int => "make the field a `long`, or take it `from` a column",
        Scalar::Float => "make the field a `double`, or take it `from` a column",
        Scalar::Json => "make the field a `string`, or take it `from` a column",
        Scalar::String => "convert it with `string(…)`",
        _ => "change the field's type, or convert the value",
    };
    (scalar.from_expressions(), remedy)
}

pub(crate) fn parse(node: &Node, word: &str, faults: &mut Faults) -> Option<Parse> {
    let moment = Moment::of_type(word)?;
    let Some(format) = node.get("parse") else {
        for key in ["zone", "ambiguous"] {
            if let Some(at) = node.get(key) {
                faults
                    .error(&files::PARSE, at, format!("`{key}` stands without `parse`"))
                    .because("it says how a column's text is read")
                    .remedy(
                        "add `parse: \"%Y%m%d%H%M%S\"` with the text's own format, or remove it",
                    );
            }
        }
        return None;
    };
    let text = format.text()?;
    let parts = match TimeFormat::read(text, moment) {
        Ok(parts) => parts,
        Err(trouble) => {
            faults
                .error(
                    &files::PARSE,
                    format,
                    format!("the format cannot give a {word}"),
                )
                .because(trouble)
                .remedy("write a format of %Y %m %d %j %b %H %I %p %M %S %f %z %F %T %R and literal text, e.g. \"%Y%m%d%H%M%S\"");
            return None;
        }
    };
    let zone = zone(node, moment, &parts, format, faults);
    Some(Parse {
        format: faults.spanned(format, text.to_owned()),
        parts,
        moment,
        zone,
        ambiguous: match node.text_at(&["ambiguous"]) {
            Some("earlier") => Ambiguous::Earlier,
            Some("later") => Ambiguous::Later,
            _ => Ambiguous::Fail,
        },
        unit: Unit::Micros,
    })
}

fn zone(
    node: &Node,
    moment: Moment,
    parts: &TimeFormat,
    format: &Node,
    faults: &mut Faults,
) -> Option<(Spanned<String>, TimeZone)> {
    let said = node.get("zone");
    let needed = moment == Moment::Timestamp && !parts.has_offset();
    let reason = match moment {
        Moment::Timestamp => "the format has an offset of its own",
        _ => "only a `timestamp` is a moment in time",
    };
    for (key, at) in [("zone", said), ("ambiguous", node.get("ambiguous"))] {
        if let Some(at) = at.filter(|_| !needed) {
            faults
                .error(&files::PARSE, at, format!("`{key}` says nothing here"))
                .because(reason)
                .remedy("remove it");
        }
    }
    if said.is_none() && needed {
        faults
            .error(&files::PARSE, format, "the text's time zone is not known")
            .because("a timestamp is a moment in time, and the format has no offset (`%z`)")
            .remedy("add `zone: Europe/London` (an IANA name), or use the type `local-timestamp`");
    }
    let (at, name) = said.and_then(|n| Some((n, n.text()?)))?;
    match TimeZone::get(name) {
        Ok(zone) => Some((faults.spanned(at, name.to_owned()), zone)),
        Err(_) => {
            if !name.trim().is_empty() {
                faults
                    .error(&files::PARSE, at, format!("there is no time zone `{name}`"))
                    .remedy("use an IANA name, e.g. `Europe/London` or `UTC`");
            }
            None
        }
    }
}
