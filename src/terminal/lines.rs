//! Text in lines that fit.

use onramp_finding::shown_char;

/// Narrower lines would hold no word.
const ROOM_MIN: usize = 20;

/// A label and its text, wrapped behind it.
pub(crate) fn labelled(out: &mut String, label: &str, text: &str, columns: usize) {
    flow(out, label, label.chars().count(), text, columns);
}

/// A text behind so many blanks; its lines after the first two blanks more.
pub(crate) fn wrapped(indent: usize, text: &str, columns: usize) -> String {
    let mut out = String::new();
    flow(&mut out, &" ".repeat(indent), indent + 2, text, columns);
    out
}

/// A text to the letter, blanks too, each line behind so many blanks.
pub(crate) fn to_the_letter(indent: usize, text: &str, columns: usize) -> String {
    let letters: Vec<char> = text.chars().map(shown).collect();
    let lines = letters.chunks(columns.saturating_sub(indent).max(ROOM_MIN));
    let lines = lines.map(|line| line.iter().collect::<String>());
    lines
        .map(|line| format!("{}{line}\n", " ".repeat(indent)))
        .collect()
}

/// A beginning and the words of a text, further lines behind so many blanks. What is told may come
/// from a server: nothing that a terminal would obey is passed on. A word that fits no line is cut.
fn flow(out: &mut String, first: &str, indent: usize, text: &str, columns: usize) {
    let begins = out.len();
    out.push_str(first);
    let mut used = first.chars().count();
    let mut empty = true;
    for word in words(text, columns.saturating_sub(indent).max(ROOM_MIN)) {
        let length = word.chars().count();
        if !empty && used + 1 + length > columns {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if !empty {
            out.push(' ');
            used += 1;
        }
        out.push_str(&word);
        used += length;
        empty = false;
    }
    // A label without a text leaves no blanks behind.
    out.truncate(begins + out[begins..].trim_end_matches(' ').len());
    out.push('\n');
}

/// The words of a text; one that does not fit into a line is cut.
fn words(text: &str, room: usize) -> Vec<String> {
    let shown: String = text.chars().map(shown).collect();
    let words = shown.split(' ').filter(|word| !word.is_empty());
    words
        .flat_map(|word| {
            let letters: Vec<char> = word.chars().collect();
            let pieces = letters.chunks(room).map(|piece| piece.iter().collect());
            pieces.collect::<Vec<String>>()
        })
        .collect()
}

/// A letter as a terminal may have it. What a server tells ends its lines with `\r\n`, too.
pub(crate) fn shown(c: char) -> char {
    match c {
        '\r' => ' ',
        c => shown_char(c),
    }
}

/// Lines, each no wider than so many columns.
pub(crate) struct Page {
    out: String,
    width: usize,
}

impl Page {
    pub(crate) fn new(width: usize) -> Page {
        Page {
            out: String::new(),
            width: width.max(2 * ROOM_MIN),
        }
    }

    pub(crate) fn empty_line(&mut self) {
        self.out.push('\n');
    }

    /// A text behind a label of at least so many columns; further lines begin below the text.
    pub(crate) fn line(&mut self, label: &str, columns: usize, text: &str) {
        let label = format!("{label:<columns$}");
        labelled(&mut self.out, &label, text, self.width);
    }

    /// Text that is in lines already.
    pub(crate) fn whole(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub(crate) fn text(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_page() {
        let mut page = Page::new(40);
        page.line("  label", 12, &"word ".repeat(30));
        page.line("  label", 12, &"x".repeat(100));
        page.line("  label", 12, "a\x1b[31mb");
        page.line("  label", 12, "");
        let text = page.text() + &wrapped(4, &"word ".repeat(30), 40);
        assert!(text.lines().all(|l| l.chars().count() <= 40), "{text}");
        assert!(!text.contains('\x1b') && !text.contains(" \n"), "{text}");
        let second = text.lines().nth(1);
        assert!(second.is_some_and(|l| l.starts_with("            word")));
        assert!(text.ends_with("\n      word word\n"), "{text}");
        assert_eq!(
            to_the_letter(2, "a  b c", 3),
            "  a  b c\n",
            "no line is narrower than a word"
        );
        let letters = to_the_letter(2, &"ab  ".repeat(12), 40);
        assert_eq!(
            letters.lines().map(|l| &l[2..]).collect::<String>(),
            "ab  ".repeat(12)
        );
    }
}
