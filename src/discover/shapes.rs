//! What values of people look like: addresses, numbers, each by its own rule.

use super::personal::Sort;

/// Whether a text is of a shape.
type Shape = fn(&str) -> bool;

/// What texts of people look like, what is surest first.
pub(super) const SHAPES: &[(Sort, Shape)] = &[
    (Sort::Email, is_email),
    (Sort::Bank, is_iban),
    (Sort::Bank, is_card),
    (Sort::Identity, is_social_security),
    (Sort::Network, is_ip),
    (Sort::Phone, is_phone),
    (Sort::Address, is_street),
];

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else {
        return false;
    };
    let plain = |t: &str| {
        !t.is_empty() && !t.contains(|c: char| c.is_whitespace() || matches!(c, '@' | ',' | ';'))
    };
    plain(local) && plain(host) && host.contains('.') && !host.ends_with('.')
}

/// Whether an email address stands somewhere in a text.
pub(super) fn holds_email(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | ':'))
        .any(|word| is_email(word.trim_end_matches(['.', '!', '?'])))
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

fn is_phone(text: &str) -> bool {
    let allowed = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '/' | '-' | '.'));
    let count = digits(text).len();
    let groups: Vec<usize> = text
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .filter(|n| *n > 0)
        .collect();
    // A date has groups of its own, and a plain number none.
    let date = matches!(
        groups[..],
        [4, 2, 2] | [2, 2, 4] | [1, 2, 4] | [2, 1, 4] | [1, 1, 4]
    );
    let begins = text.starts_with(['+', '0', '('])
        && (text.starts_with('+') || groups.len() > 1 || count >= 9);
    allowed && (7..=15).contains(&count) && !date && begins
}

fn is_iban(text: &str) -> bool {
    let bare: String = text.chars().filter(|c| *c != ' ').collect();
    let head = bare.bytes().take(4).collect::<Vec<u8>>();
    if !(15..=34).contains(&bare.len())
        || !bare
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        || !matches!(head[..], [a, b, c, d] if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit())
    {
        return false;
    }
    // ISO 7064, mod 97-10, the first four at the end.
    let turned = bare[4..].chars().chain(bare[..4].chars());
    let rest = turned.fold(0u32, |rest, c| match c.to_digit(36) {
        Some(v) if v >= 10 => (rest * 100 + v) % 97,
        Some(v) => (rest * 10 + v) % 97,
        None => rest,
    });
    rest == 1
}

fn is_card(text: &str) -> bool {
    let allowed = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-'));
    let digits = digits(text);
    if !allowed || !(13..=19).contains(&digits.len()) || !matches!(digits.first(), Some(3..=6)) {
        return false;
    }
    // Luhn.
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, d)| match (at % 2 == 1, d * 2) {
            (false, _) => *d,
            (true, twice) if twice > 9 => twice - 9,
            (true, twice) => twice,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_social_security(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 3
        && parts.iter().map(|p| p.len()).eq([3, 2, 4])
        && parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_digit()))
}

fn is_ip(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
        || (text.contains(':') && text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_street(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "street", "st", "st.", "road", "rd", "rd.", "avenue", "ave", "lane", "drive", "way",
        "close", "square", "court", "weg", "allee", "platz", "gasse", "rue", "via", "calle",
    ];
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split([' ', ',']).filter(|w| !w.is_empty()).collect();
    let number = words
        .iter()
        .any(|w| w.chars().next().is_some_and(|c| c.is_ascii_digit()));
    let street = words.iter().any(|w| {
        WORDS.contains(w)
            || ["straße", "strasse", "str.", "straat"]
                .iter()
                .any(|end| w.ends_with(end))
    });
    words.len() >= 2 && number && street
}
