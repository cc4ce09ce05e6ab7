//! CSV as RFC 4180 has it, every value with its place. Lines of nothing are passed over.

use onramp_finding::Span;

/// A line's values.
pub(super) type Record = Vec<(Span, String)>;

/// The records, or what cannot be read and where.
pub(super) fn records(text: &str) -> Result<Vec<Record>, (Span, &'static str)> {
    let (mut records, mut record, mut at) = (Vec::new(), Record::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        if record.is_empty() && rest.starts_with(['\n', '\r']) {
            at += 1;
            continue;
        }
        let start = at;
        let (value, length) = match rest.strip_prefix('"') {
            Some(inside) => {
                let (value, length) = quoted(inside)
                    .ok_or_else(|| (span(start, start + 1), "a quote is not closed"))?;
                (value, length + 1)
            }
            None => {
                let length = rest.find([',', '\n', '\r']).unwrap_or(rest.len());
                let value = &rest[..length];
                if let Some(quote) = value.find('"') {
                    let quote = start + quote;
                    return Err((span(quote, quote + 1), "a quote stands within a value"));
                }
                (value.to_owned(), length)
            }
        };
        at += length;
        record.push((span(start, at), value));
        match text.as_bytes().get(at) {
            Some(b',') => {
                at += 1;
                // Nothing behind the last comma is a value, too.
                if at == text.len() || text[at..].starts_with(['\n', '\r']) {
                    record.push((span(at, at), String::new()));
                    records.push(std::mem::take(&mut record));
                }
            }
            None | Some(b'\n' | b'\r') => records.push(std::mem::take(&mut record)),
            Some(_) => return Err((span(at, at + 1), "something follows a closing quote")),
        }
    }
    Ok(records)
}

/// The value of what stands behind a quote, and how far its own closing quote reaches.
fn quoted(inside: &str) -> Option<(String, usize)> {
    let (mut value, mut at) = (String::new(), 0);
    loop {
        let end = at + inside[at..].find('"')?;
        value.push_str(&inside[at..end]);
        match inside[end + 1..].starts_with('"') {
            true => value.push('"'),
            false => return Some((value, end + 1)),
        }
        at = end + 2;
    }
}

fn span(start: usize, end: usize) -> Span {
    // A file is at most 1 MiB long.
    Span {
        start: start as u32,
        end: end as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::records;

    #[test]
    fn values_are_read_with_their_places() {
        let text = "code,value\r\nGB,\"Great \"\"B\"\", UK\"\n\nFR,\n\"\",x\n";
        let read = records(text).unwrap();
        let values: Vec<Vec<&str>> = read
            .iter()
            .map(|r| r.iter().map(|(_, v)| v.as_str()).collect())
            .collect();
        assert_eq!(
            values,
            [
                vec!["code", "value"],
                vec!["GB", "Great \"B\", UK"],
                vec!["FR", ""],
                vec!["", "x"]
            ]
        );
        let (span, _) = &read[1][1];
        assert_eq!(
            &text[span.start as usize..span.end as usize],
            "\"Great \"\"B\"\", UK\""
        );
        assert!(records("a\"b").is_err());
        assert!(records("\"a").is_err());
        assert!(records("\"a\"b").is_err());
        assert_eq!(records("a,").unwrap()[0].len(), 2);
        assert_eq!(records("").unwrap().len(), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[a,\"\n\ré]{0,20}") {
            for (span, value) in records(&text).unwrap_or_default().iter().flatten() {
                let spelt = &text[span.start as usize..span.end as usize];
                proptest::prop_assert!(spelt == value || spelt.starts_with('"'));
            }
        }
    }
}
