//! Text in lines that fit.

/// A label and its text, wrapped behind it. What is told may come from a server: nothing that a
/// terminal would obey is passed on.
pub(crate) fn labelled(out: &mut String, label: &str, text: &str, columns: usize) {
    let indent = label.chars().count();
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut used = indent;
    out.push_str(label);
    for (n, word) in text.split(' ').filter(|w| !w.is_empty()).enumerate() {
        let length = word.chars().count();
        if n > 0 && used + 1 + length > columns {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if n > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out.push('\n');
}

/// A text in lines that fit, each behind so many blanks; the lines after the first two blanks more.
/// What a terminal would obey is shown as a mark.
pub(crate) fn wrapped(indent: usize, text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = " ".repeat(indent);
    let mut empty = true;
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(indent + 2);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
    out
}
