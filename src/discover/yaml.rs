//! YAML as drafts have it: lines, quoted where a reader might guess.

/// The most columns of a drafted line, but for words that are longer.
const WIDTH: usize = 100;

/// A text as a value: plain where it is one word that nobody could misread.
pub(crate) fn value(text: &str) -> String {
    const GUESSED: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    match begins && plain && !GUESSED.contains(&text.to_ascii_lowercase().as_str()) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// A text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if unseen(c) => {
                let code = u32::from(c);
                out.push_str(&match code {
                    0..=0xFFFF => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                });
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An expression: in single quotes, so that its own double ones stand as they are.
pub(crate) fn expression(text: &str) -> String {
    match text.contains('\'') || text.chars().any(unseen) {
        true => quoted(text),
        false => format!("'{text}'"),
    }
}

/// A list of words.
pub(crate) fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|w| value(w)).collect();
    format!("[{}]", words.join(", "))
}

/// A comment, in lines, each behind so many blanks.
pub(crate) fn comment(indent: usize, text: &str) -> String {
    let margin = " ".repeat(indent);
    let mut out = String::new();
    let mut line = String::new();
    let clean: String = text
        .chars()
        .map(|c| if unseen(c) { ' ' } else { c })
        .collect();
    for word in clean.split_whitespace() {
        let length = line.chars().count() + word.chars().count() + indent + 3;
        if !line.is_empty() && length > WIDTH {
            out.push_str(&format!("{margin}# {line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&format!("{margin}# {line}\n"));
    out
}

/// A key with a map: on one line where it fits, else a line each.
pub(crate) fn map(indent: usize, key: &str, pairs: &[(&str, String)]) -> String {
    let margin = " ".repeat(indent);
    let inside: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}: {v}")).collect();
    let line = format!("{margin}{key}: {{ {} }}\n", inside.join(", "));
    if line.chars().count() <= WIDTH + 1 {
        return line;
    }
    let mut out = format!("{margin}{key}:\n");
    for pair in inside {
        out.push_str(&format!("{margin}  {pair}\n"));
    }
    out
}

/// What a terminal would obey, and what no editor shows.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{85}')
        || ('\u{200b}'..='\u{200f}').contains(&c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_where_it_could_be_misread() {
        for (text, expected) in [
            ("ord_no", "ord_no"),
            ("public.ordr_hdr", "public.ordr_hdr"),
            ("N", "\"N\""),
            ("01", "\"01\""),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a\"b\\c\n", "\"a\\\"b\\\\c\\n\""),
            ("\u{202e}", "\"\\u202E\""),
        ] {
            assert_eq!(value(text), expected);
        }
        assert_eq!(expression("row.x != \"Y\""), "'row.x != \"Y\"'");
        assert_eq!(expression("'a'"), "\"'a'\"");
    }

    #[test]
    fn a_comment_stays_one() {
        assert_eq!(comment(2, "a\nb: [\r c"), "  # a b: [ c\n");
        let long = comment(0, &"word ".repeat(60));
        assert!(
            long.lines().count() > 2
                && long
                    .lines()
                    .all(|l| l.starts_with("# ") && l.len() <= WIDTH)
        );
    }

    #[test]
    fn a_map_that_is_too_long_takes_a_line_a_key() {
        let pairs = [
            ("type", "string".to_owned()),
            ("doc", quoted(&"x".repeat(90))),
        ];
        assert_eq!(map(2, "a", &pairs[..1]), "  a: { type: string }\n");
        assert!(map(2, "a", &pairs).starts_with("  a:\n    type: string\n    doc: \"x"));
    }
}
