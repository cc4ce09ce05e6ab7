//! What must not be shown again: a secret that somebody wrote into a file all the same.

use onramp_finding::Span;

use super::{Content, Node};

/// The text with everything that may be a secret starred out, byte for byte as long, so that
/// every span still fits. Findings show lines of this text, never of the file.
pub(crate) fn mask(text: &str, tree: Option<&Node>) -> String {
    let mut spans = Vec::new();
    match tree {
        Some(tree) => collect(tree, false, text, &mut spans),
        None => suspicious_lines(text, &mut spans),
    }
    if spans.is_empty() {
        return text.to_owned();
    }
    spans.sort_by_key(|s| s.start);
    let mut out = String::with_capacity(text.len());
    let mut spans = spans.into_iter().peekable();
    for (at, c) in text.char_indices() {
        while spans.peek().is_some_and(|s| s.end as usize <= at) {
            spans.next();
        }
        let hidden = spans.peek().is_some_and(|s| s.start as usize <= at);
        match hidden && !c.is_whitespace() {
            true => out.extend(std::iter::repeat_n('*', c.len_utf8())),
            false => out.push(c),
        }
    }
    out
}

/// Whether a key's name says that its value is a secret.
pub(crate) fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "password",
        "passwd",
        "secret",
        "token",
        "private",
        "ssl.key.pem",
        "sasl.jaas",
    ]
    .iter()
    .any(|word| key.contains(word))
}

fn collect(node: &Node, secret: bool, text: &str, spans: &mut Vec<Span>) {
    match &node.content {
        Content::Empty => {}
        Content::Text(_) if secret => spans.push(node.span),
        Content::Text(_) => {
            let Span { start, end } = node.span;
            if let Some(raw) = text.get(start as usize..end as usize)
                && let Some((from, to)) = password_in_url(raw)
            {
                spans.push(Span {
                    start: start + from as u32,
                    end: start + to as u32,
                });
            }
        }
        Content::List(items) => items.iter().for_each(|i| collect(i, secret, text, spans)),
        Content::Map(entries) => {
            for entry in entries {
                // `{ env: NAME }` and `{ file: PATH }` say where a secret is and stay readable.
                let where_it_is = secret && matches!(entry.key.as_str(), "env" | "file");
                let inside = secret || entry.key == "keys" || names_a_secret(&entry.key);
                collect(&entry.value, inside && !where_it_is, text, spans);
            }
        }
    }
}

/// The bytes of a password in `scheme://user:password@host`, or without the scheme.
pub(crate) fn password_in_url(text: &str) -> Option<(usize, usize)> {
    let from = match text.find("://") {
        Some(at) => at + 3,
        None if text.contains(char::is_whitespace) => return None,
        None => 0,
    };
    let authority = &text[from..];
    let authority = &authority[..authority.find(['/', '?', '#']).unwrap_or(authority.len())];
    // A password may hold an `@` of its own, or, unescaped, a `/`.
    let end = match authority.rfind('@') {
        Some(at) => from + at,
        None => from + text[from..].rfind('@')?,
    };
    let colon = from + text[from..end].find(':')?;
    Some((colon + 1, end))
}

/// Where no tree could be made: whole lines that may hold a secret, and what is indented below.
fn suspicious_lines(text: &str, spans: &mut Vec<Span>) {
    let mut start = 0;
    let mut below: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if below.is_some_and(|secret| indent <= secret && !line.trim().is_empty()) {
            below = None;
        }
        let secret = line.contains("keys") || names_a_secret(line);
        if secret && below.is_none() {
            below = Some(indent);
        }
        if secret
            || below.is_some()
            || line
                .split_whitespace()
                .any(|w| password_in_url(w).is_some())
        {
            let from = line.find(':').map_or(0, |at| at + 1);
            spans.push(Span {
                start: (start + from) as u32,
                end: (start + line.len()) as u32,
            });
        }
        start += line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::mask;
    use crate::yaml::parse;

    #[test]
    fn no_secret_is_left_and_every_byte_keeps_its_place() {
        let text = "keys:\n  pii: hunter2\nurl: postgres://u:hunter2@h/d\nö: { password: &p hunter2 }\nsasl.password: { file: /run/x }\nlast: *p\nbrokers: [\"u:hunter2@kafka:9092\"]\n";
        let (tree, _) = parse(text);
        for shown in [mask(text, tree.as_ref()), mask(text, None)] {
            assert!(!shown.contains("hunter2"), "{shown}");
            assert_eq!(shown.len(), text.len());
        }
        assert!(mask(text, tree.as_ref()).contains("/run/x"));
    }
}
