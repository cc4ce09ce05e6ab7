use std::ops::Range;
use std::sync::Arc;

use onramp_finding::{Place, SourceFile, Span};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The file.
    pub file: Arc<SourceFile>,
    /// Where in the file.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// The place, for a finding. A value from an environment variable or a flag has a file that
    /// is named for it and holds no text, so that no value of one is ever shown.
    pub fn place(&self) -> Place {
        match self.file.text.is_empty() {
            true => Place::Setting(self.file.name.clone()),
            false => Place::File {
                file: self.file.clone(),
                span: self.span,
            },
        }
    }
}

impl Spanned<String> {
    /// The place of a part of the text, given as bytes of the value: exact but for a few spellings
    /// (a line that ends in a backslash, say), of which the whole scalar is given.
    pub fn place_within(&self, part: Range<usize>) -> Place {
        let (start, end) = (self.span.start as usize, self.span.end as usize);
        let raw = self.file.text.get(start..end);
        match raw.and_then(|raw| within(raw, &self.value, part)) {
            None => self.place(),
            Some(within) => Place::File {
                file: self.file.clone(),
                span: Span {
                    start: self.span.start + within.start as u32,
                    end: self.span.start + within.end as u32,
                },
            },
        }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The bytes of the file's spelling that spell a part of the value.
fn within(raw: &str, value: &str, part: Range<usize>) -> Option<Range<usize>> {
    if part.start > part.end || part.end > value.len() {
        return None;
    }
    // The text of a `|` or `>` scalar may begin with a quote of its own.
    let quote = raw.chars().next().filter(|c| matches!(c, '\'' | '"'));
    spelt(raw, quote, value, part.clone()).or_else(|| spelt(raw, None, value, part))
}

fn spelt(raw: &str, quote: Option<char>, value: &str, part: Range<usize>) -> Option<Range<usize>> {
    let mut at = usize::from(quote.is_some());
    let mut start = None;
    let mut end = None;
    let mut spelt = 0;
    // Character by character: one of the value, one or more of the file.
    while spelt < value.len() {
        if spelt == part.start {
            start = Some(at);
        }
        if spelt >= part.end && start.is_some() {
            end = Some(at);
            break;
        }
        let (c, rest) = (value[spelt..].chars().next()?, raw.get(at..)?);
        let blank = rest.len() - rest.trim_start().len();
        if c.is_whitespace() && (rest.is_empty() || rest[..blank].contains('\n')) {
            // Lines that were folded into one, or whose indentation is no part of the value.
            at += blank;
            let kept = value[spelt..].trim_start().len();
            let after = value.len() - kept;
            if start.is_none() && (spelt..after).contains(&part.start) {
                start = Some(at);
            }
            spelt = after;
            continue;
        }
        at += match (quote, rest.chars().next()?) {
            (Some('\''), '\'') => 2,
            // A line's end that is no part of the value: it stands for nothing.
            (Some('"'), '\\') if rest[1..].starts_with(['\n', '\r']) => return None,
            (Some('"'), '\\') => escape_length(rest),
            (_, written) if written == c => written.len_utf8(),
            _ => return None,
        };
        spelt += c.len_utf8();
    }
    let start = match start {
        Some(start) => start,
        None if part.start == value.len() => at,
        None => return None,
    };
    Some(start..end.unwrap_or(at).max(start).min(raw.len()))
}

/// How long an escape of a double-quoted scalar is.
fn escape_length(rest: &str) -> usize {
    match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        _ => 1 + rest[1..].chars().next().map_or(1, char::len_utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_part_of_a_value_is_found_in_its_spelling() {
        let found =
            |raw: &'static str, value: &str, part| within(raw, value, part).map(|r| &raw[r]);
        assert_eq!(
            found("row.a == row.b", "row.a == row.b", 9..14),
            Some("row.b")
        );
        assert_eq!(
            found("'''C-'' + row.a'", "'C-' + row.a", 7..12),
            Some("row.a")
        );
        assert_eq!(
            found(r#""a == \"x\" && b""#, "a == \"x\" && b", 12..13),
            Some("b")
        );
        assert_eq!(found(r#""\u00e4 + b""#, "ä + b", 5..6), Some("b"));
        assert_eq!(found("a\n b", "a b", 2..3), Some("b"));
        let block = "'C' +\n        row.nix\n";
        assert_eq!(found(block, "'C' + row.nix\n", 6..13), Some("row.nix"));
        assert_eq!(found(block, "'C' +\n  row.nix\n", 8..15), Some("row.nix"));
        assert_eq!(found("a +\n\n  b", "a +\nb", 4..5), Some("b"));
        assert_eq!(found("\"a \\\n  b\"", "a b", 2..3), None);
        assert_eq!(found("row.", "row.", 4..4), Some(""));
    }
}
