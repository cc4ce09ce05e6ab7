//! What looks like personal data, by a column's name and by its sampled values.
//!
//! The evidence is counts, never a value. To take too much for personal costs somebody a line of
//! the draft; to take too little publishes a person.

use super::people::{is_given_name, is_surname};
use super::shapes::{SHAPES, holds_email};

/// What sort of personal data it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Email,
    Phone,
    Name,
    Birth,
    Address,
    Identity,
    Bank,
    Network,
    User,
    /// What the law protects more than the rest: few values, so that a pseudonym hides nothing.
    Sensitive,
    Credential,
    /// Free text that names people somewhere.
    FreeText,
}

impl Sort {
    /// What it is, with its article.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Sort::Email => "an email address",
            Sort::Phone => "a phone number",
            Sort::Name => "a person's name",
            Sort::Birth => "a date of birth",
            Sort::Address => "a postal address",
            Sort::Identity => "a number that identifies a person",
            Sort::Bank => "an account or card number",
            Sort::Network => "a network address",
            Sort::User => "a user",
            Sort::Sensitive => "a sensitive fact about a person",
            Sort::Credential => "a credential",
            Sort::FreeText => "free text about people",
        }
    }

    /// Whether equal values may stay equal under a pseudonym; else the field is dropped.
    pub(crate) fn may_be_pseudonym(self) -> bool {
        !matches!(
            self,
            Sort::Sensitive | Sort::Credential | Sort::FreeText | Sort::Birth
        )
    }
}

/// Why it is taken for personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Personal {
    pub(crate) sort: Sort,
    pub(crate) evidence: String,
}

/// Fewer values say nothing.
const LEAST_VALUES: usize = 5;

/// Judges a column: the expanded words of its name, and its sampled texts.
pub(crate) fn judge(words: &[String], textual: bool, texts: &[String]) -> Option<Personal> {
    let named = by_name(words, textual);
    let seen = by_content(texts);
    let count = |n: usize, of: usize| format!("{n} of {of} sampled values look like one");
    match (named, seen) {
        (None, None) => None,
        (Some(sort), None) => Some(Personal {
            sort,
            evidence: format!("named like {}", sort.title()),
        }),
        (Some(named), Some((sort, n, of))) if named == sort => Some(Personal {
            sort,
            evidence: format!("named like {}; {}", sort.title(), count(n, of)),
        }),
        (named, Some((sort, n, of))) => {
            let found = match sort {
                Sort::FreeText => format!("{n} of {of} sampled values hold an email address"),
                _ => format!("{n} of {of} sampled values look like {}", sort.title()),
            };
            // The sort that is protected more decides.
            let stricter = named.filter(|named| !named.may_be_pseudonym());
            Some(Personal {
                sort: stricter.unwrap_or(sort),
                evidence: match named {
                    Some(named) => format!("named like {}; {found}", named.title()),
                    None => found,
                },
            })
        }
    }
}

/// Whether a column is one where people write what they like, by the words of its name.
pub(crate) fn is_free_text(words: &[String]) -> bool {
    const WORDS: &[&str] = &[
        "remark",
        "remarks",
        "note",
        "notes",
        "comment",
        "comments",
        "memo",
        "message",
        "text",
        "bemerkung",
        "reason",
        "subject",
    ];
    words.iter().any(|w| WORDS.contains(&w.as_str()))
}

/// Whether one text alone looks like something personal: no such text is ever shown as a code.
pub(crate) fn looks_personal(text: &str) -> bool {
    holds_email(text)
        || SHAPES.iter().any(|(_, fits)| fits(text))
        || text
            .split(|c: char| !c.is_alphabetic())
            .any(|word| is_given_name(word) || is_surname(word))
}

/// What the name says.
fn by_name(words: &[String], textual: bool) -> Option<Sort> {
    let name = Name {
        words,
        joined: words.join("_"),
        last: words.last().map_or("", String::as_str),
    };
    let beside = FACTS_BESIDE.contains(&name.last);
    if name.has(&[
        "password", "passwd", "pwd", "passwort", "secret", "pin", "token", "apikey",
    ]) || name.has(&["hash", "salt"])
    {
        return (!beside && textual).then_some(Sort::Credential);
    }
    if name.has(&["birth", "birthday", "birthdate", "born", "geburtsdatum"]) {
        return Some(Sort::Birth);
    }
    if name.has(&[
        "gender",
        "sex",
        "religion",
        "nationality",
        "marital",
        "ethnicity",
        "geschlecht",
    ]) || name.has(&["salary", "wage", "disability", "diagnosis"])
    {
        return Some(Sort::Sensitive);
    }
    // The one code that is an address.
    if name.has(&["postcode", "postal"]) || name.holds(&["post_code"]) {
        return Some(Sort::Address);
    }
    match beside {
        true => None,
        false => numbered(&name, textual).or_else(|| texts(&name).filter(|_| textual)),
    }
}

/// Words behind which a fact beside the personal one stands: `email_sent_flg`.
const FACTS_BESIDE: &[&str] = &[
    "flag",
    "indicator",
    "type",
    "code",
    "count",
    "status",
    "country",
    "format",
    "language",
    "verified",
    "valid",
    "sent",
    "kind",
    "category",
    "ok",
    "yn",
    "consent",
    "allowed",
];

/// A column's name, in words.
struct Name<'n> {
    words: &'n [String],
    joined: String,
    last: &'n str,
}

impl Name<'_> {
    fn has(&self, any: &[&str]) -> bool {
        self.words.iter().any(|w| any.contains(&w.as_str()))
    }

    fn holds(&self, any: &[&str]) -> bool {
        any.iter().any(|part| self.joined.contains(part))
    }
}

/// What may be a number as well as a text.
fn numbered(name: &Name<'_>, textual: bool) -> Option<Sort> {
    if name.has(&[
        "ssn", "nino", "passport", "nin", "tin", "nhs", "licence", "license",
    ]) || name.holds(&["tax_number", "tax_id", "social_security", "national_id"])
    {
        return Some(Sort::Identity);
    }
    if name.has(&["iban", "bic", "pan"])
        || name.holds(&["card_number", "bank_account"])
        || name.joined == "crd_number"
    {
        return Some(Sort::Bank);
    }
    if name.has(&["email", "mail"]) {
        return textual.then_some(Sort::Email);
    }
    let phone = name.has(&[
        "phone",
        "telephone",
        "mobile",
        "fax",
        "cell",
        "telefon",
        "handy",
    ]);
    // `phone_id` names a row.
    (phone && (textual || name.last != "id")).then_some(Sort::Phone)
}

/// What is a text, or not personal.
fn texts(name: &Name<'_>) -> Option<Sort> {
    const PEOPLE: &[&str] = &[
        "user", "username", "login", "operator", "clerk", "by", "rep", "agent", "salesman",
        "buyer", "approver", "author", "assignee", "manager", "owner", "contact", "person",
        "employee",
    ];
    if name.has(&["ip", "ipaddr", "mac"]) {
        return Some(Sort::Network);
    }
    if name.has(&[
        "street", "address", "postcode", "postal", "strasse", "house",
    ]) {
        return Some(Sort::Address);
    }
    if name.has(&[
        "surname",
        "lastname",
        "firstname",
        "forename",
        "fullname",
        "maiden",
    ]) || name.has(&["vorname", "nachname"])
    {
        return Some(Sort::Name);
    }
    let person = name.has(&[
        "first", "last", "lst", "given", "middle", "family", "full", "customer",
    ]) || name.has(&[
        "employee",
        "contact",
        "person",
        "patient",
        "holder",
        "member",
        "recipient",
    ]) || name.has(&["owner", "manager", "author"]);
    if name.last == "name" && person {
        return Some(Sort::Name);
    }
    let user = PEOPLE.contains(&name.last) || name.joined.ends_with("user_name");
    user.then_some(Sort::User)
}

/// What the values look like: the sort, how many, of how many.
fn by_content(texts: &[String]) -> Option<(Sort, usize, usize)> {
    let filled: Vec<&str> = texts
        .iter()
        .map(|t| t.trim())
        .filter(|t| !t.is_empty())
        .collect();
    let of = filled.len();
    let count = |fits: &dyn Fn(&str) -> bool| filled.iter().filter(|t| fits(t)).count();
    if of >= LEAST_VALUES {
        for (sort, fits) in SHAPES {
            let n = count(fits);
            if n * 5 >= of * 3 {
                return Some((*sort, n, of));
            }
        }
        let n = count(&begins_with_given_name);
        if n * 10 >= of * 3 {
            return Some((Sort::Name, n, of));
        }
    }
    // One address is enough: it is somebody's.
    let n = count(&holds_email);
    (n > 0).then_some((Sort::FreeText, n, of))
}

fn begins_with_given_name(text: &str) -> bool {
    let mut words = text
        .split(|c: char| !c.is_alphabetic())
        .filter(|w| !w.is_empty());
    // "Doe, Jane" as well.
    let (first, second) = (words.next(), words.next());
    first.is_some_and(is_given_name) || (text.contains(',') && second.is_some_and(is_given_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::names;

    fn named(column: &str, textual: bool) -> Option<Sort> {
        judge(&names::expanded(column), textual, &[]).map(|p| p.sort)
    }

    fn seen(texts: &[&str]) -> Option<Sort> {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        judge(&["x".to_owned()], true, &texts).map(|p| p.sort)
    }

    #[test]
    fn a_name_says_it_or_does_not() {
        for (column, textual, expected) in [
            ("eml_adr", true, Some(Sort::Email)),
            ("email_sent_flg", true, None),
            ("email_typ", true, None),
            ("tel_no", true, Some(Sort::Phone)),
            ("mobile", false, Some(Sort::Phone)),
            ("cust_nm", true, Some(Sort::Name)),
            ("FirstName", true, Some(Sort::Name)),
            ("art_nm", true, None),
            ("brth_dt", false, Some(Sort::Birth)),
            ("DOB", false, Some(Sort::Birth)),
            ("mail_ok", true, None),
            ("adr_1", true, Some(Sort::Address)),
            ("adr_ctry", true, None),
            ("zip_cd", false, Some(Sort::Address)),
            ("addr_id", false, None),
            ("upd_usr", true, Some(Sort::User)),
            ("pwd_hash", true, Some(Sort::Credential)),
            ("approved_by", true, Some(Sort::User)),
            ("tok", true, Some(Sort::Credential)),
            ("lst_nm", true, Some(Sort::Name)),
            ("gender", true, Some(Sort::Sensitive)),
            ("iban", true, Some(Sort::Bank)),
            ("ord_no", false, None),
            ("tot_amt", false, None),
        ] {
            assert_eq!(named(column, textual), expected, "{column}");
        }
    }

    #[test]
    fn values_say_it_whatever_the_name() {
        let rows = |text: &'static str| [text; 6];
        for (text, expected) in [
            ("jane@example.test", Some(Sort::Email)),
            ("+44 20 7946 0101", Some(Sort::Phone)),
            ("020 7946 0101", Some(Sort::Phone)),
            ("2026-01-31", None),
            ("31.01.2026", None),
            ("20260131", None),
            ("12345678", None),
            ("GB82 WEST 1234 5698 7654 32", Some(Sort::Bank)),
            ("GB83 WEST 1234 5698 7654 32", None),
            ("4111 1111 1111 1111", Some(Sort::Bank)),
            ("078-05-1120", Some(Sort::Identity)),
            ("10.1.2.3", Some(Sort::Network)),
            ("12 High Street", Some(Sort::Address)),
            ("Hauptstraße 7", Some(Sort::Address)),
            ("Jane Doe", Some(Sort::Name)),
            ("Doe, Jane", Some(Sort::Name)),
            ("PAID", None),
            ("Steel bolt 8mm", None),
        ] {
            assert_eq!(seen(&rows(text)), expected, "{text}");
        }
        let few = [
            "fine",
            "call",
            "late",
            "write to jane@example.test!",
            "ok",
            "ok",
            "ok",
        ];
        assert_eq!(seen(&few), Some(Sort::FreeText));
    }

    #[test]
    fn evidence_is_counts_and_never_a_value() {
        let texts: Vec<String> = (0..10).map(|n| format!("secret{n}@example.test")).collect();
        let found = judge(&names::expanded("eml"), true, &texts).unwrap();
        assert_eq!(
            found.evidence,
            "named like an email address; 10 of 10 sampled values look like one"
        );
    }
}
