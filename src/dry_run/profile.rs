//! What the rows hold, field by field.

use std::cmp::Ordering;

use onramp_finding::Code;
use onramp_translator::{FieldValue, Seen};

/// So many codes that are not listed are told apart; a column of free text has any number.
const CODES_MAX: usize = 20;
/// So much of each is kept: longer texts are no codes.
const CODE_CHARS: usize = 40;

/// What was seen of one field.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldProfile {
    /// Rows that give a value, null not counted.
    pub(super) values: u64,
    pub(super) nulls: u64,
    /// Codes that `values` does not list, whatever `otherwise` makes of them.
    pub(super) unlisted: u64,
    /// Some of them, in the order in which they were seen, with how often.
    pub(super) codes: Vec<(String, u64)>,
    /// Local times that occur twice or never, whatever `ambiguous` makes of them.
    pub(super) ambiguous: u64,
    /// Why there is no value, and how often.
    pub(super) faults: Vec<(&'static Code, &'static str, u64)>,
    /// Of numbers, dates and times.
    pub(super) least: Option<FieldValue<'static>>,
    pub(super) most: Option<FieldValue<'static>>,
    /// Characters of the longest text, bytes of the longest bytes.
    pub(super) longest: Option<usize>,
}

impl FieldProfile {
    /// Takes note of a row's value.
    #[inline]
    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        self.ambiguous += u64::from(seen.is_ambiguous);
        if seen.is_unlisted {
            self.unlisted += 1;
            let code = seen.source.map(|value| FieldValue::of_column(value).text());
            let code = code.unwrap_or_default();
            self.code(code.chars().take(CODE_CHARS).collect(), 1);
        }
        match &seen.given {
            Ok(FieldValue::Null) => self.nulls += 1,
            Ok(value) => {
                self.values += 1;
                self.value(value);
            }
            Err(why) => self.fault(why.code, why.reason, 1),
        }
    }

    #[inline]
    fn value(&mut self, value: &FieldValue<'_>) {
        let length = match value {
            FieldValue::Text(text) => Some(text.chars().count()),
            FieldValue::Bytes(bytes) => Some(bytes.len()),
            _ => None,
        };
        self.longest = self.longest.max(length);
        if let Some(value) = ordered(value) {
            self.bounds(value, value);
        }
    }

    fn bounds(&mut self, least: FieldValue<'static>, most: FieldValue<'static>) {
        if self.least.is_none_or(|known| is_less(&least, &known)) {
            self.least = Some(least);
        }
        if self.most.is_none_or(|known| is_less(&known, &most)) {
            self.most = Some(most);
        }
    }

    fn code(&mut self, code: String, count: u64) {
        let room = self.codes.len() < CODES_MAX;
        match self.codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, counted)) => *counted += count,
            None if room => self.codes.push((code, count)),
            None => {}
        }
    }

    fn fault(&mut self, code: &'static Code, reason: &'static str, count: u64) {
        let same = |(c, r, _): &&mut (&Code, &str, u64)| *c == code && *r == reason;
        match self.faults.iter_mut().find(same) {
            Some((.., counted)) => *counted += count,
            None => self.faults.push((code, reason, count)),
        }
    }

    /// Takes in what another reader saw.
    pub(super) fn add(&mut self, other: FieldProfile) {
        self.values += other.values;
        self.nulls += other.nulls;
        self.unlisted += other.unlisted;
        self.ambiguous += other.ambiguous;
        for (code, count) in other.codes {
            self.code(code, count);
        }
        for (code, reason, count) in other.faults {
            self.fault(code, reason, count);
        }
        if let (Some(least), Some(most)) = (other.least, other.most) {
            self.bounds(least, most);
        }
        self.longest = self.longest.max(other.longest);
    }
}

/// A value of a type whose least and most say something.
fn ordered(value: &FieldValue<'_>) -> Option<FieldValue<'static>> {
    Some(match *value {
        FieldValue::Int(v) => FieldValue::Int(v),
        FieldValue::Long(v) => FieldValue::Long(v),
        FieldValue::Float(v) if !v.is_nan() => FieldValue::Float(v),
        FieldValue::Double(v) if !v.is_nan() => FieldValue::Double(v),
        FieldValue::Decimal(v) => FieldValue::Decimal(v),
        FieldValue::Date(v) => FieldValue::Date(v),
        FieldValue::Time(v) => FieldValue::Time(v),
        FieldValue::LocalTimestamp(v) => FieldValue::LocalTimestamp(v),
        FieldValue::Timestamp(v) => FieldValue::Timestamp(v),
        _ => return None,
    })
}

/// Both are of one field: of one type, decimals of one scale.
fn is_less(a: &FieldValue<'_>, b: &FieldValue<'_>) -> bool {
    use FieldValue as V;
    let order = match (a, b) {
        (V::Int(a), V::Int(b)) | (V::Date(a), V::Date(b)) => Some(a.cmp(b)),
        (V::Long(a), V::Long(b))
        | (V::Time(a), V::Time(b))
        | (V::LocalTimestamp(a), V::LocalTimestamp(b))
        | (V::Timestamp(a), V::Timestamp(b)) => Some(a.cmp(b)),
        (V::Float(a), V::Float(b)) => a.partial_cmp(b),
        (V::Double(a), V::Double(b)) => a.partial_cmp(b),
        (V::Decimal(a), V::Decimal(b)) => Some(a.mantissa.cmp(&b.mantissa)),
        _ => None,
    };
    order == Some(Ordering::Less)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onramp_connector::Value;
    use onramp_finding::codes::mapping;
    use onramp_translator::Unexamined;

    fn seen(given: Result<FieldValue<'static>, Unexamined>) -> Seen<'static> {
        Seen {
            source: Some(Value::Text("Q")),
            given,
            is_unlisted: false,
            is_ambiguous: false,
        }
    }

    #[test]
    fn what_readers_saw_apart_is_what_one_would_have_seen() {
        let refused = Unexamined {
            code: &mapping::ROW_VALUE,
            reason: "too many digits",
        };
        let rows = [
            seen(Ok(FieldValue::Long(7))),
            seen(Ok(FieldValue::Null)),
            seen(Err(refused)),
            Seen {
                is_unlisted: true,
                ..seen(Ok(FieldValue::Long(-7)))
            },
            Seen {
                is_unlisted: true,
                is_ambiguous: true,
                ..seen(Err(refused))
            },
        ];
        let mut whole = FieldProfile::default();
        rows.iter().for_each(|row| whole.see(row));
        for cut in 0..=rows.len() {
            let (mut one, mut other) = (FieldProfile::default(), FieldProfile::default());
            rows[..cut].iter().for_each(|row| one.see(row));
            rows[cut..].iter().for_each(|row| other.see(row));
            one.add(other);
            assert_eq!(format!("{one:?}"), format!("{whole:?}"));
        }
        assert_eq!((whole.values, whole.nulls, whole.ambiguous), (2, 1, 1));
        assert_eq!(whole.codes, [("Q".to_owned(), 2)]);
        assert_eq!(whole.faults, [(&mapping::ROW_VALUE, "too many digits", 2)]);
        assert_eq!(whole.least, Some(FieldValue::Long(-7)));
        assert_eq!(whole.most, Some(FieldValue::Long(7)));
    }

    #[test]
    fn free_text_under_codes_is_counted_and_not_kept() {
        let mut profile = FieldProfile::default();
        for n in 0..100 {
            profile.code(n.to_string(), 1);
        }
        assert_eq!(profile.codes.len(), CODES_MAX);
    }
}
