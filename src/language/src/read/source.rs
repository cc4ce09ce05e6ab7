//! Where a field's value comes from, and how a text becomes a date or time.

use jiff::fmt::strtime;
use onramp_finding::{
    Finding,
    codes::{expression, files},
};

use crate::faults::Faults;
use crate::yaml::{Entry, Node};
use crate::{Ambiguous, Parse, Source, Spanned};

/// The source of a field of some type; exactly one of `from` and `expr`.
pub(crate) fn source(entry: &Entry, word: &str, faults: &mut Faults) -> Option<Source> {
    let node = &entry.value;
    match (node.get("from"), node.get("expr")) {
        (Some(_), Some(expr)) => {
            faults
                .error(
                    &files::FIELD_SOURCE,
                    expr,
                    format!("`{}` has both `from` and `expr`", entry.key),
                )
                .because("a value comes from exactly one of them")
                .remedy("keep one of the two");
            None
        }
        // What was meant to be one of them has a finding of its own.
        (None, None)
            if crate::check::misspelt(node, "from") || crate::check::misspelt(node, "expr") =>
        {
            None
        }
        (None, None) => {
            faults
                .error(
                    &files::FIELD_SOURCE,
                    &entry.key_node(),
                    format!("`{}` has neither `from` nor `expr`", entry.key),
                )
                .because("nothing says where its value comes from")
                .remedy("add `from: COLUMN`, or `expr: EXPRESSION`");
            None
        }
        (None, Some(expression)) => {
            for key in ["parse", "zone", "ambiguous"] {
                if let Some(at) = node.get(key) {
                    faults
                        .error(
                            &files::PARSE,
                            at,
                            format!("`{key}` does not belong beside `expr`"),
                        )
                        .because("it says how a column's text is read")
                        .remedy("use `from`, or remove it");
                }
            }
            let text = faults.spanned(expression, expression.text()?.to_owned());
            self::expression(&text, faults);
            Some(Source::Expression(text))
        }
        (Some(column), None) => Some(Source::Column {
            column: faults.spanned(column, column.text()?.to_owned()),
            parse: parse(node, word, faults),
        }),
    }
}

/// Checks an expression of an entity as far as that goes without the table's columns.
pub(crate) fn expression(text: &Spanned<String>, faults: &mut Faults) {
    let names = match onramp_expression::parse(&text.value) {
        Ok(names) => names,
        Err(found) => {
            for fault in found {
                let place = text.place_within(fault.at);
                let mut finding = Finding::error(fault.code, place, fault.message);
                finding.reason = fault.reason;
                finding.remedy = fault.remedy;
                faults.add(finding);
            }
            return;
        }
    };
    for name in names.into_iter().filter(|n| n.variable != "row") {
        let message = format!("`{}` is not known in an entity", name.variable);
        let place = text.place_within(name.at);
        let finding = Finding::error(&expression::UNKNOWN_NAME, place, message);
        faults
            .add(finding)
            .because("an entity sees the row as it is now, so that snapshot, log and replay give the same event")
            .remedy("write `row.COLUMN`");
    }
}

fn parse(node: &Node, word: &str, faults: &mut Faults) -> Option<Parse> {
    let Some(format) = node.get("parse") else {
        for key in ["zone", "ambiguous"] {
            if let Some(at) = node.get(key).filter(|_| moment(word)) {
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
    if !moment(word) {
        return None;
    }
    let parts = Parts::of(text);
    if let Err(trouble) = parts.sound(text, word) {
        faults
            .error(
                &files::PARSE,
                format,
                format!("the format cannot give a {word}"),
            )
            .because(trouble)
            .remedy("write a strftime format of the whole text, e.g. \"%Y%m%d%H%M%S\"");
    }
    let zone = zone(node, word, &parts, format, faults);
    Some(Parse {
        format: faults.spanned(format, text.to_owned()),
        zone,
        ambiguous: match node.text_at(&["ambiguous"]) {
            Some("earlier") => Ambiguous::Earlier,
            Some("later") => Ambiguous::Later,
            _ => Ambiguous::Fail,
        },
    })
}

fn moment(word: &str) -> bool {
    matches!(word, "date" | "timestamp" | "local-timestamp" | "time")
}

fn zone(
    node: &Node,
    word: &str,
    parts: &Parts,
    format: &Node,
    faults: &mut Faults,
) -> Option<Spanned<String>> {
    let said = node.get("zone");
    let misplaced = match (said, word) {
        (Some(_), "timestamp") if parts.offset => Some("the format has an offset of its own"),
        (Some(_), "timestamp") | (None, _) => None,
        (Some(_), _) => Some("only a `timestamp` is a moment in time"),
    };
    if let (Some(at), Some(reason)) = (said, misplaced) {
        faults
            .error(&files::PARSE, at, "`zone` says nothing here")
            .because(reason)
            .remedy("remove it");
    }
    if said.is_none() && word == "timestamp" && !parts.offset {
        faults
            .error(&files::PARSE, format, "the text's time zone is not known")
            .because("a timestamp is a moment in time, and the format has no offset (`%z`)")
            .remedy("add `zone: Europe/London` (an IANA name), or use the type `local-timestamp`");
    }
    let (at, name) = said.and_then(|n| Some((n, n.text()?)))?;
    if jiff::tz::db().get(name).is_err() && !name.trim().is_empty() {
        faults
            .error(&files::PARSE, at, format!("there is no time zone `{name}`"))
            .remedy("use an IANA name, e.g. `Europe/London` or `UTC`");
    }
    Some(faults.spanned(at, name.to_owned()))
}

/// What a format gives.
#[derive(Debug, Default)]
struct Parts {
    year: bool,
    month: bool,
    day: bool,
    hour: bool,
    half: bool,
    twelve: bool,
    minute: bool,
    offset: bool,
    epoch: bool,
}

impl Parts {
    fn of(format: &str) -> Self {
        let mut parts = Parts::default();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                continue;
            }
            // Flags, width and colons stand before the letter.
            let letter =
                chars.find(|c| !matches!(c, '-' | '_' | '^' | '#' | ':' | '.' | '0'..='9'));
            match letter {
                Some('Y' | 'y' | 'G' | 'g') => parts.year = true,
                Some('m' | 'b' | 'B' | 'h') => parts.month = true,
                Some('d' | 'e') => parts.day = true,
                Some('j') => (parts.month, parts.day) = (true, true),
                Some('F' | 'D') => (parts.year, parts.month, parts.day) = (true, true, true),
                Some('H' | 'k') => parts.hour = true,
                Some('I' | 'l') => (parts.hour, parts.twelve) = (true, true),
                Some('p' | 'P') => parts.half = true,
                Some('M') => parts.minute = true,
                Some('T' | 'R') => (parts.hour, parts.minute) = (true, true),
                Some('z') => parts.offset = true,
                Some('s') => (parts.epoch, parts.offset) = (true, true),
                _ => {}
            }
        }
        parts
    }

    fn sound(&self, format: &str, word: &str) -> Result<(), String> {
        // Any moment in the middle of everything: it tells whether each directive is known.
        let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        let spelt = strtime::format(format, &sample).map_err(|e| e.to_string())?;
        strtime::parse(format, &spelt).map_err(|e| e.to_string())?;
        let missing = |what: &str| Err(format!("it gives no {what}"));
        if self.epoch {
            return match word {
                "timestamp" => Ok(()),
                _ => Err("seconds since 1970 (`%s`) are a timestamp".into()),
            };
        }
        if word != "time" {
            match (self.year, self.month, self.day) {
                (false, ..) => return missing("year"),
                (_, false, _) => return missing("month"),
                (.., false) => return missing("day"),
                _ => {}
            }
        }
        if matches!(word, "time") && !self.hour {
            return missing("hour");
        }
        if word != "date" && self.twelve && !self.half {
            return missing("half of the day (`%p`) beside a twelve-hour clock");
        }
        if self.minute && !self.hour {
            return missing("hour beside its minute");
        }
        Ok(())
    }
}
