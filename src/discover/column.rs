//! What a column is taken for, out of its name, its type, and what was sampled of it.

use onramp_connector::{Column, SampledColumn, ValueType};

use super::codes::{self, Codes, Flag};
use super::dates;
use super::names;
use super::personal::{self, Personal};

/// A column, judged; no sampled value is in it but those of [`Meaning::Codes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) column: Column,
    /// The clean name; twins are told apart where the table is drafted.
    pub(crate) field: String,
    pub(crate) meaning: Meaning,
    pub(crate) personal: Option<Personal>,
    /// Nulls, of how many sampled rows.
    pub(crate) nulls: (usize, usize),
    /// Whether every sampled row had another value, and there were some.
    pub(crate) distinct: bool,
    /// What was seen and could not be drafted, one line each.
    pub(crate) unclear: Vec<String>,
}

/// What its values mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// What its type says: a field's type.
    Plain(String),
    /// An array of elements of this type.
    List(String),
    /// A type that is not carried, and why.
    NotCarried(String),
    /// Codes.
    Codes(Codes),
    /// A truth value in letters or numbers.
    Flag(Flag),
    /// A date or time in text.
    Moment {
        field_type: &'static str,
        format: &'static str,
        /// How many texts were read, all of them so.
        of: usize,
    },
}

/// What is known of a column beside its sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    /// Its place in the table.
    pub(crate) at: usize,
    /// Whether it stands in a key or points to another table: then it is taken as it is.
    pub(crate) ties: bool,
    /// The values that a constraint lists.
    pub(crate) listed: Option<&'p [String]>,
}

/// Judges a column.
pub(crate) fn judge(
    column: &Column,
    place: Place<'_>,
    rows: usize,
    seen: &SampledColumn,
) -> Judged {
    let words = names::expanded(&column.name);
    let textual = matches!(column.value_type, ValueType::Text | ValueType::Json);
    let flag_type = matches!(column.value_type, ValueType::Bool | ValueType::Enum(_));
    let personal = match flag_type {
        true => None,
        false => personal::judge(&words, textual, &seen.texts),
    };
    let mut judged = Judged {
        column: column.clone(),
        field: names::field(&column.name, place.at),
        meaning: plain(column, &seen.texts),
        personal,
        nulls: (seen.nulls, rows),
        distinct: is_distinct(seen, rows),
        unclear: Vec::new(),
    };
    if let Meaning::NotCarried(why) = &judged.meaning {
        judged.unclear.push(why.clone());
        return judged;
    }
    if judged.personal.is_none() && !place.ties {
        hidden(&mut judged, &words, place.listed, seen);
    }
    judged
}

fn is_distinct(seen: &SampledColumn, rows: usize) -> bool {
    let mut texts: Vec<&String> = seen.texts.iter().collect();
    texts.sort_unstable();
    let all = texts.len();
    texts.dedup();
    all > 1 && all == rows && texts.len() == all
}

/// What hides in text and numbers.
fn hidden(judged: &mut Judged, words: &[String], listed: Option<&[String]>, seen: &SampledColumn) {
    let texts = &seen.texts;
    match &judged.column.value_type {
        ValueType::Text => {
            if let Some(flag) = codes::flag(words, texts) {
                judged.meaning = Meaning::Flag(flag);
            } else if let Some(found) = dates::judge(texts) {
                moment(judged, &found);
            } else if let Some(codes) = codes::codes(words, texts, listed, true) {
                judged.meaning = Meaning::Codes(codes);
            }
        }
        ValueType::Int(_) => {
            let codes = || codes::codes(words, texts, listed, false);
            if let Some(flag) = codes::flag(words, texts).filter(|f| f.yes == "1") {
                judged.meaning = Meaning::Flag(flag);
            } else if let Some(codes) = codes() {
                judged.meaning = Meaning::Codes(codes);
            } else if let Some(found) = dates::judge(texts).filter(|f| f.reads == f.of) {
                judged.unclear.push(format!(
                    "{} of {} sampled numbers read as a date, {}; a number is not read as one yet",
                    found.reads, found.of, found.format
                ));
            }
        }
        ValueType::Enum(labels) => {
            judged.meaning = Meaning::Codes(Codes {
                values: labels.iter().map(|l| (l.clone(), 0)).collect(),
                listed: true,
            });
        }
        _ => {}
    }
}

fn moment(judged: &mut Judged, found: &dates::Found) {
    if found.is_sure() {
        judged.meaning = Meaning::Moment {
            field_type: found.field_type,
            format: found.format,
            of: found.of,
        };
        return;
    }
    judged.unclear.push(match found.rival {
        Some(rival) => format!(
            "{} of {} sampled texts are a {} by {} and by {} alike",
            found.reads, found.of, found.field_type, found.format, rival
        ),
        None => format!(
            "{} of {} sampled texts are a {} by {}; the others would fail their rows",
            found.reads, found.of, found.field_type, found.format
        ),
    });
}

/// The field's type that carries a column's without loss.
fn plain(column: &Column, texts: &[String]) -> Meaning {
    let not = |why: String| Meaning::NotCarried(why);
    let plain = match &column.value_type {
        ValueType::Array(of) => {
            // Its text is of no use for the elements' own.
            let element = Column {
                value_type: (**of).clone(),
                ..column.clone()
            };
            return match plain(&element, &[]) {
                Meaning::Plain(of) => Meaning::List(of),
                other => other,
            };
        }
        ValueType::Bool => "boolean".into(),
        ValueType::Int(64) => "long".into(),
        ValueType::Int(_) => "int".into(),
        ValueType::Float => "float".into(),
        ValueType::Double => "double".into(),
        ValueType::Decimal(declared) => match decimal(*declared, texts) {
            Some(name) => name,
            None => {
                return not(format!(
                    "{} has more digits than the 38 that are carried",
                    column.type_name
                ));
            }
        },
        ValueType::Text => "string".into(),
        // Drafted as an enum of its labels, or as text where it stands in a key.
        ValueType::Enum(_) => "string".into(),
        ValueType::Json => "json".into(),
        ValueType::Bytes => "bytes".into(),
        ValueType::Date => "date".into(),
        ValueType::Time => "time".into(),
        ValueType::LocalTimestamp => "local-timestamp".into(),
        ValueType::Timestamp => "timestamp".into(),
        ValueType::Uuid => "uuid".into(),
        ValueType::Unsupported => {
            return not(format!("its type {} is not carried", column.type_name));
        }
    };
    Meaning::Plain(plain)
}

/// The type of a number with a point.
fn decimal(declared: Option<(u16, i16)>, texts: &[String]) -> Option<String> {
    let Some((precision, scale)) = declared else {
        // Not declared: 38 digits with as many behind the point as were seen, six at least.
        let seen = texts
            .iter()
            .filter_map(|t| Some(t.split_once('.')?.1.len()));
        let scale = seen.max().unwrap_or(0).clamp(6, 20);
        return Some(format!("decimal(38,{scale})"));
    };
    let (precision, scale) = (i32::from(precision), i32::from(scale));
    let whole = (precision - scale).max(0);
    match (whole, scale.max(0)) {
        (0..=9, 0) if scale == 0 => Some("int".into()),
        (0..=18, 0) if scale == 0 => Some("long".into()),
        (whole, scale) if (1..=38).contains(&(whole + scale)) => {
            Some(format!("decimal({},{scale})", whole + scale))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn a_number_keeps_its_digits() {
        for (declared, expected) in [
            (Some((12, 2)), Some("decimal(12,2)")),
            (Some((9, 0)), Some("int")),
            (Some((18, 0)), Some("long")),
            (Some((19, 0)), Some("decimal(19,0)")),
            (Some((39, 0)), None),
            (Some((3, -2)), Some("decimal(5,0)")),
            (Some((2, 4)), Some("decimal(4,4)")),
            (None, Some("decimal(38,6)")),
        ] {
            assert_eq!(decimal(declared, &[]).as_deref(), expected, "{declared:?}");
        }
        assert_eq!(
            decimal(None, &["1.12345678".to_owned()]).as_deref(),
            Some("decimal(38,8)")
        );
    }
}
