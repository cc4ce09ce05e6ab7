//! Columns of few values: codes, and truth values hidden in letters and numbers.
//!
//! Codes are the only sampled values that a draft shows: an enum without them would be none. So a
//! text has to look like a code, or stand in a constraint or under a name that says so; one that
//! looks personal is none, however few there are.

use std::collections::BTreeMap;

use super::personal;

/// The codes of a column with how often each was seen, the most frequent first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codes {
    pub(crate) values: Vec<(String, usize)>,
    /// Whether a constraint lists them, so that there can be no other.
    pub(crate) listed: bool,
}

/// A truth value hidden in a letter or a number: which value is true, which is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    pub(crate) yes: &'static str,
    pub(crate) no: &'static str,
    /// How often either was seen.
    pub(crate) seen: (usize, usize),
}

/// More values than that are no codes.
const MOST_CODES: usize = 24;
/// A code is no longer.
const LONGEST_CODE: usize = 24;
/// Each code is seen so often on average, or they are no codes.
const LEAST_REPEATS: usize = 3;

const PAIRS: &[(&str, &str)] = &[
    ("Y", "N"),
    ("y", "n"),
    ("T", "F"),
    ("t", "f"),
    ("1", "0"),
    ("J", "N"),
    ("S", "N"),
    ("O", "N"),
    ("X", "-"),
    ("YES", "NO"),
    ("yes", "no"),
    ("Yes", "No"),
    ("TRUE", "FALSE"),
    ("true", "false"),
    ("True", "False"),
];

/// How often each value occurs; None where there are more than codes may be.
pub(crate) fn distinct(texts: &[String]) -> Option<BTreeMap<&str, usize>> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text.as_str()).or_insert(0) += 1;
        if counts.len() > MOST_CODES {
            return None;
        }
    }
    Some(counts)
}

/// Whether a column is a truth value; of one value alone only where its name says that it is.
pub(crate) fn flag(words: &[String], texts: &[String]) -> Option<Flag> {
    let counts = distinct(texts)?;
    let says_so = named_like_a_flag(words);
    let pair = PAIRS.iter().find(|(yes, no)| {
        let known = counts.keys().all(|v| v == yes || v == no);
        let both = counts.len() == 2;
        // `1` and `0` count, too, and a code may be T or F: both must be there and nothing else.
        known && (both || (counts.len() == 1 && says_so))
    })?;
    let (yes, no) = *pair;
    // Numbers that nobody calls a flag count something.
    if yes == "1" && !says_so && texts.len() < 20 {
        return None;
    }
    let seen = |v: &str| counts.get(v).copied().unwrap_or(0);
    Some(Flag {
        yes,
        no,
        seen: (seen(yes), seen(no)),
    })
}

/// Whether the name says that it is one of two.
pub(crate) fn named_like_a_flag(words: &[String]) -> bool {
    let last = words.last().map_or("", String::as_str);
    let first = words.first().map_or("", String::as_str);
    [
        "flag",
        "indicator",
        "deleted",
        "active",
        "enabled",
        "switch",
        "yn",
    ]
    .contains(&last)
        || ["is", "has", "can", "was"].contains(&first)
}

/// The codes of a column of texts or whole numbers.
pub(crate) fn codes(
    words: &[String],
    texts: &[String],
    listed: Option<&[String]>,
    textual: bool,
) -> Option<Codes> {
    let counts = distinct(texts)?;
    let says_so = named_like_codes(words);
    let mut values: Vec<(String, usize)> =
        counts.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect();
    if let Some(listed) = listed {
        for value in listed {
            if !counts.contains_key(value.as_str()) {
                values.push((value.clone(), 0));
            }
        }
        if values.len() > MOST_CODES {
            return None;
        }
    } else {
        let repeats =
            texts.len() >= counts.len() * LEAST_REPEATS && texts.len() >= LEAST_REPEATS * 2;
        let like_codes = match textual {
            true => says_so || (values.len() > 1 && values.iter().all(|(v, _)| is_code(v))),
            // A number is a code only where its name says so: others count something.
            false => says_so,
        };
        if !repeats || !like_codes {
            return None;
        }
    }
    // Blanks alone say nothing.
    if values.iter().all(|(v, _)| v.trim().is_empty()) {
        return None;
    }
    let shown = values.iter().all(|(v, _)| may_be_shown(v));
    if !shown {
        return None;
    }
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Some(Codes {
        values,
        listed: listed.is_some(),
    })
}

fn named_like_codes(words: &[String]) -> bool {
    const WORDS: &[&str] = &[
        "status",
        "state",
        "type",
        "code",
        "flag",
        "category",
        "kind",
        "class",
        "level",
        "mode",
        "group",
        "reason",
        "method",
        "channel",
        "priority",
        "currency",
        "country",
        "indicator",
        "unit",
        "severity",
        "phase",
        "stage",
        "role",
        "format",
        "language",
        "department",
        "region",
    ];
    words.last().is_some_and(|w| WORDS.contains(&w.as_str()))
}

/// Whether a text is spelt as codes are: of three characters at most, or with a digit and no small
/// letter. A longer word could be a name, so that only the column's name can make it a code.
fn is_code(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '+');
    let short = text.chars().count() <= 3;
    let numbered =
        text.chars().any(|c| c.is_ascii_digit()) && !text.chars().any(char::is_lowercase);
    text.chars().all(plain) && (short || (numbered && text.chars().count() <= 8))
}

/// Whether a value may stand in a file.
fn may_be_shown(text: &str) -> bool {
    text.chars().count() <= LONGEST_CODE
        && !text.chars().any(char::is_control)
        && !personal::looks_personal(text)
}

/// What a comment says of each code, `P private, B business` or `N=new; P=paid`: the meaning, where
/// it says one of every code.
pub(crate) fn meanings(comment: &str, codes: &[(String, usize)]) -> Option<Vec<String>> {
    let comment = comment.rsplit_once(". ").map_or(comment, |(_, last)| last);
    let parts: Vec<&str> = comment.split([',', ';', '\n']).map(str::trim).collect();
    let of = |code: &str| {
        parts.iter().find_map(|part| {
            // What stands before the list: `status: N new`.
            let part = match part.split_once(':') {
                Some((_, rest)) if !part.starts_with(code) => rest.trim(),
                _ => part,
            };
            let bare = part.trim_start_matches(['\'', '"']);
            let rest = bare.strip_prefix(code)?.trim_start_matches(['\'', '"']);
            let meaning = rest.trim_start_matches([' ', '=', ':', '-', '(']);
            let parted = meaning.len() < rest.len();
            let meaning = meaning.trim_end_matches([')', '.', ' ']);
            let plain =
                meaning.chars().next().is_some_and(char::is_alphabetic) && meaning.len() <= 40;
            (parted && plain).then(|| meaning.to_owned())
        })
    };
    codes
        .iter()
        .map(|(code, _)| of(code).filter(|_| !code.is_empty()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::names;

    fn texts(of: &[(&str, usize)]) -> Vec<String> {
        of.iter()
            .flat_map(|(text, n)| vec![(*text).to_owned(); *n])
            .collect()
    }

    fn found(column: &str, of: &[(&str, usize)]) -> Option<Vec<String>> {
        let codes = codes(&names::expanded(column), &texts(of), None, true)?;
        Some(codes.values.into_iter().map(|(v, _)| v).collect())
    }

    #[test]
    fn few_values_that_repeat_are_codes() {
        assert_eq!(
            found("x", &[("P", 9), ("N", 20)]),
            Some(vec!["N".into(), "P".into()])
        );
        assert_eq!(
            found("ord_stat", &[("In transit", 9), ("Lost", 9)]).map(|v| v.len()),
            Some(2)
        );
        // Seen once each they tell rows apart.
        assert_eq!(
            found("ord_stat", &[("A", 1), ("B", 1), ("C", 1), ("D", 1)]),
            None
        );
        // Words that nobody calls codes.
        assert_eq!(found("x", &[("LOST", 9), ("FOUND", 9)]), None);
        assert_eq!(found("x", &[("A", 9)]), None);
        assert_eq!(found("x", &[("In transit", 9), ("Lost", 9)]), None);
    }

    #[test]
    fn what_looks_personal_is_no_code_however_few_there_are() {
        for text in [
            "Anna",
            "ANNA",
            "anna",
            "a@b.test",
            "SMITH",
            "+44 20 7946 0101",
        ] {
            assert_eq!(found("ord_stat", &[(text, 50), ("N", 50)]), None, "{text}");
        }
    }

    #[test]
    fn a_constraint_lists_codes_that_no_row_has() {
        let listed = ["A".to_owned(), "B".to_owned()];
        let codes = codes(&["x".to_owned()], &texts(&[("A", 1)]), Some(&listed), true).unwrap();
        assert_eq!(codes.values, [("A".to_owned(), 1), ("B".to_owned(), 0)]);
        assert!(codes.listed);
    }

    #[test]
    fn truth_hides_in_pairs() {
        let flag = |column: &str, of: &[(&str, usize)]| {
            super::flag(&names::expanded(column), &texts(of)).map(|f| (f.yes, f.no))
        };
        assert_eq!(flag("x", &[("Y", 3), ("N", 4)]), Some(("Y", "N")));
        assert_eq!(flag("x", &[("1", 30), ("0", 4)]), Some(("1", "0")));
        assert_eq!(flag("xprs_flg", &[("N", 4)]), Some(("Y", "N")));
        assert_eq!(flag("x", &[("N", 4)]), None);
        assert_eq!(flag("x", &[("Y", 4), ("N", 2), ("?", 1)]), None);
    }

    #[test]
    fn a_comment_names_every_code_or_none() {
        let codes = [("P".to_owned(), 1), ("B".to_owned(), 1)];
        for comment in [
            "P private, B business",
            "P=private; B=business",
            "kind: P - private, B - business.",
        ] {
            assert_eq!(
                meanings(comment, &codes),
                Some(vec!["private".to_owned(), "business".to_owned()]),
                "{comment}"
            );
        }
        assert_eq!(meanings("P private", &codes), None);
        assert_eq!(meanings("Private or Business", &codes), None);
    }
}
