//! Text in lines that fit the terminal.

/// Lines, each no wider than so many columns.
pub(super) struct Page {
    out: String,
    width: usize,
}

impl Page {
    pub(super) fn new(width: usize) -> Page {
        Page {
            out: String::new(),
            width: width.max(40),
        }
    }

    pub(super) fn empty_line(&mut self) {
        self.out.push('\n');
    }

    /// A text behind a label of at least so many columns; further lines begin below the text. What
    /// comes from a server is passed on without anything that a terminal would obey.
    pub(super) fn line(&mut self, label: &str, columns: usize, text: &str) {
        let indent = columns.max(label.chars().count());
        self.out.push_str(&format!("{label:<columns$}"));
        let room = self.width.saturating_sub(indent).max(20);
        let mut used = 0;
        for word in words(text, room) {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > room {
                self.out.push('\n');
                self.out.push_str(&" ".repeat(indent));
                used = 0;
            } else if used > 0 {
                self.out.push(' ');
                used += 1;
            }
            self.out.push_str(&word);
            used += length;
        }
        // A label without a text leaves no blanks behind.
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }

    /// Text that is in lines already.
    pub(super) fn whole(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub(super) fn text(self) -> String {
        self.out
    }
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

fn shown(c: char) -> char {
    match c {
        c if c.is_control() => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
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
        let text = page.text();
        assert!(text.lines().all(|l| l.chars().count() <= 40), "{text}");
        assert!(!text.contains('\x1b') && !text.contains(" \n"), "{text}");
        assert!(
            text.lines()
                .skip(1)
                .take(3)
                .all(|l| l.starts_with("            word"))
        );
    }
}
