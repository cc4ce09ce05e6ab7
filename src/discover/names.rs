//! Clean names out of legacy ones: words, a small dictionary, and no two alike.
//!
//! docs/discover.md shows the dictionary. A word that is not in it stays as it is: a name that was
//! guessed wrong is worse than an ugly one.

use std::collections::HashSet;

use super::dictionary::DICTIONARY;

/// Words of a table's name that say that it is a table.
const OF_TABLES: &[&str] = &["t", "tb", "tbl", "table", "tab", "master", "header"];

/// A table's column name in clean words, as a field's name: `cust_no` is `customer_number`.
pub(crate) fn field(column: &str, place: usize) -> String {
    let words = expanded(column);
    let name = words.join("_");
    match name.chars().next() {
        None => format!("field_{}", place + 1),
        Some(first) if first.is_ascii_digit() => format!("field_{name}"),
        Some(_) => name,
    }
}

/// A table's name in clean words, plural, as a product's name: `cust_mst` is `customers`.
pub(crate) fn product(table: &str, place: usize) -> String {
    let mut words = expanded(table);
    let bare: Vec<String> = words
        .iter()
        .filter(|w| !OF_TABLES.contains(&w.as_str()))
        .cloned()
        .collect();
    if !bare.is_empty() {
        words = bare;
    }
    if let Some(last) = words.last_mut() {
        *last = plural(last);
    }
    lower_word(&words.join("-"), &format!("table-{}", place + 1))
}

/// A domain's name from a database's or a schema's.
pub(crate) fn domain(name: &str) -> String {
    lower_word(&words(name).join("-"), "legacy")
}

/// A gateway's name from a database's.
pub(crate) fn gateway(name: &str) -> String {
    let mut name = lower_word(&words(name).join("_"), "legacy");
    name.truncate(41);
    name
}

/// The text where it begins with a letter, behind `x` where it begins with a digit, else another.
fn lower_word(text: &str, otherwise: &str) -> String {
    // A product's name is a topic's, which is at most 249 long.
    let text: String = text.chars().take(80).collect();
    let text = text.trim_end_matches(['-', '_']);
    match text.chars().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("x{text}"),
        Some(_) => text.to_owned(),
    }
}

/// A symbol of an enum from a code: `in transit` is `IN_TRANSIT`, `01` is `CODE_01`.
pub(crate) fn symbol(code: &str) -> String {
    let spelt = words(code).join("_").to_ascii_uppercase();
    match spelt.chars().next() {
        None if code.trim().is_empty() => "EMPTY".to_owned(),
        None => "OTHER".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("CODE_{spelt}"),
        Some(_) => spelt,
    }
}

/// The name, or with the first number behind it that makes it no twin of an earlier one, whatever
/// the case.
pub(crate) fn unlike(name: String, taken: &mut HashSet<String>, separator: char) -> String {
    let mut own = name.clone();
    let mut number = 2;
    while !taken.insert(own.to_ascii_lowercase()) {
        own = format!("{name}{separator}{number}");
        number += 1;
    }
    own
}

/// The words, with abbreviations written out.
pub(crate) fn expanded(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in words(name) {
        for part in apart(&word) {
            for part in expand(&part).split('_') {
                // `cust_customer_no` and the like say a word twice.
                if out.last().is_none_or(|last| last != part) {
                    out.push(part.to_owned());
                }
            }
        }
    }
    out
}

fn expand(word: &str) -> &str {
    let found = DICTIONARY.iter().find(|(short, _)| *short == word);
    found.map_or(word, |(_, long)| long)
}

/// The parts of a word that is nothing but abbreviations run together: `custno` is `cust`, `no`.
fn apart(word: &str) -> Vec<String> {
    let whole = vec![word.to_owned()];
    let known = |w: &str| {
        let listed = DICTIONARY
            .iter()
            .any(|(short, long)| *short == w || *long == w);
        listed || w == "id"
    };
    if known(word) || !(5..=16).contains(&word.len()) || !word.is_ascii() {
        return whole;
    }
    // The first part is a word of its own, which a preposition's two letters are not.
    for at in (3..=word.len() - 2).rev() {
        let (first, rest) = word.split_at(at);
        if known(first) && known(rest) {
            return vec![first.to_owned(), rest.to_owned()];
        }
    }
    whole
}

/// The words of a legacy name as they stand, in small ASCII letters and digits; a capital behind a
/// small letter begins one.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let chars: Vec<char> = name.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let small_next = chars.get(at + 1).is_some_and(|n| n.is_lowercase());
        let hump =
            c.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && small_next));
        if hump && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        match plain(c) {
            Some(text) => word.push_str(text),
            None if c.is_ascii_alphanumeric() => word.push(c.to_ascii_lowercase()),
            None if !word.is_empty() => out.push(std::mem::take(&mut word)),
            None => {}
        }
        before = c;
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Letters of Europe's languages as ASCII has them.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'Ä' | 'æ' | 'Æ' => "ae",
        'ö' | 'Ö' | 'œ' | 'Œ' => "oe",
        'ü' | 'Ü' => "ue",
        'ß' => "ss",
        'å' | 'Å' | 'á' | 'Á' | 'à' | 'À' | 'â' | 'Â' | 'ã' | 'Ã' | 'ą' => "a",
        'é' | 'É' | 'è' | 'È' | 'ê' | 'Ê' | 'ë' | 'Ë' | 'ę' | 'ě' => "e",
        'í' | 'Í' | 'ì' | 'î' | 'ï' | 'Î' | 'Ï' => "i",
        'ó' | 'Ó' | 'ò' | 'ô' | 'Ô' | 'õ' | 'Õ' | 'ø' | 'Ø' => "o",
        'ú' | 'Ú' | 'ù' | 'û' | 'Û' | 'ů' => "u",
        'ñ' | 'Ñ' | 'ń' | 'ň' => "n",
        'ç' | 'Ç' | 'ć' | 'č' | 'Č' => "c",
        'š' | 'Š' | 'ś' => "s",
        'ž' | 'Ž' | 'ź' | 'ż' => "z",
        'ł' | 'Ł' => "l",
        'ř' | 'Ř' => "r",
        'ý' | 'Ý' => "y",
        _ => return None,
    })
}

/// More than one of it.
fn plural(word: &str) -> String {
    const NONE: &str =
        "history stock data staff inventory outbox audit log people children info news series";
    let has_none = |w: &str| NONE.split(' ').any(|none| none == w);
    let vowel_before_y = |w: &str| {
        let before = w.chars().rev().nth(1);
        before.is_some_and(|c| "aeiou".contains(c))
    };
    match word {
        // What has no vowel is an abbreviation that nobody knows.
        w if has_none(w)
            || !w.chars().all(|c| c.is_ascii_alphabetic())
            || !w.contains(['a', 'e', 'i', 'o', 'u', 'y']) =>
        {
            w.to_owned()
        }
        w if w.ends_with("ss") || w.ends_with("us") || w.ends_with('x') || w.ends_with("ch") => {
            format!("{w}es")
        }
        w if w.ends_with('s') => w.to_owned(),
        w if w.ends_with('y') && !vowel_before_y(w) => format!("{}ies", &w[..w.len() - 1]),
        w => format!("{w}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn legacy_names_become_clean_ones() {
        for (column, expected) in [
            ("cust_no", "customer_number"),
            ("CustNo", "customer_number"),
            ("CUSTNO", "customer_number"),
            ("custid", "customer_id"),
            ("ORD_DT", "order_date"),
            ("totAmt", "total_amount"),
            ("HTTPPort", "http_port"),
            ("adr_1", "address_1"),
            ("Straße", "strasse"),
            ("order no", "order_number"),
            ("1st_nm", "field_1st_name"),
            ("名前", "field_8"),
            ("status", "status"),
            ("notes", "notes"),
            ("order_order_no", "order_number"),
            ("customer", "customer"),
        ] {
            assert_eq!(field(column, 7), expected, "{column}");
        }
        for (table, expected) in [
            ("cust_mst", "customers"),
            ("ordr_hdr", "orders"),
            ("ordr_lin", "order-lines"),
            ("tbl_ctry", "countries"),
            ("T_STAT_CD", "status-codes"),
            ("addresses", "addresses"),
            ("tbl", "tbl"),
            ("xyz_krn", "xyz-krn"),
            ("2019_sales", "x2019-sales"),
            ("表", "table-8"),
        ] {
            assert_eq!(product(table, 7), expected, "{table}");
        }
        assert_eq!(
            (domain("Legacy_ERP"), gateway("Legacy-ERP")),
            ("legacy-erp".into(), "legacy_erp".into())
        );
        for (code, expected) in [
            ("N", "N"),
            ("01", "CODE_01"),
            ("", "EMPTY"),
            ("in transit", "IN_TRANSIT"),
            ("?", "OTHER"),
            ("ok/no", "OK_NO"),
            ("OrderPlaced", "ORDER_PLACED"),
        ] {
            assert_eq!(symbol(code), expected);
        }
    }

    #[test]
    fn no_two_names_are_alike_whatever_their_case() {
        let mut taken = HashSet::new();
        let names: Vec<String> = ["a", "A", "a", "a_2"]
            .into_iter()
            .map(|n| unlike(n.to_owned(), &mut taken, '_'))
            .collect();
        assert_eq!(names, ["a", "A_2", "a_3", "a_2_2"]);
    }

    proptest! {
        #[test]
        fn whatever_the_database_has_the_language_can_spell(name in ".{0,40}") {
            let first = |text: &str| text.chars().next().unwrap();
            let rest = |text: &str, extra: char| text.chars().all(|c| c.is_ascii_alphanumeric() || c == extra);
            let field = field(&name, 0);
            prop_assert!(!first(&field).is_ascii_digit() && rest(&field, '_'), "{field}");
            for (text, extra) in [(product(&name, 0), '-'), (domain(&name), '-'), (gateway(&name), '_')] {
                prop_assert!(first(&text).is_ascii_lowercase() && rest(&text, extra), "{text}");
                prop_assert_eq!(&text.to_ascii_lowercase(), &text);
            }
            let symbol = symbol(&name);
            prop_assert!(!first(&symbol).is_ascii_digit() && rest(&symbol, '_'), "{symbol}");
        }
    }
}
