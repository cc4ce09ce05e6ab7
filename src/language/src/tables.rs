//! The tables that a product reads, as its file names them and as the database has them.

use crate::Spanned;

/// Schema and table.
pub type TableName = (String, String);

/// What a product reads: one table, or several that hold one kind of thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    /// As the file has them, at least one; those of a union with `*` for any letters. A source's
    /// messages are the one of no schema.
    pub named: Vec<Spanned<TableName>>,
    /// Whether `tables` was said: a union.
    pub union: bool,
    /// `moves`: whether a row may go from one table to another.
    pub moves: bool,
    /// What the database has of them, in order; None before it was asked.
    pub found: Option<Vec<TableName>>,
}

impl Tables {
    /// One table.
    pub fn one(table: Spanned<TableName>) -> Tables {
        Tables {
            named: vec![table],
            union: false,
            moves: false,
            found: None,
        }
    }

    /// Where the file names them: the first one's place.
    pub fn place(&self) -> onramp_finding::Place {
        self.named
            .first()
            .map_or(onramp_finding::Place::Nowhere, Spanned::place)
    }

    /// The tables, in order: those that the database has, once it was asked.
    pub fn read(&self) -> Vec<TableName> {
        match &self.found {
            Some(found) => found.clone(),
            None => {
                let exact = self.named.iter().filter(|n| !is_pattern(&n.value));
                let mut exact: Vec<_> = exact.map(|n| n.value.clone()).collect();
                if self.union {
                    exact.sort();
                    exact.dedup();
                }
                exact
            }
        }
    }

    /// Whether a table is one of them, by its name.
    pub fn mean(&self, table: &TableName) -> bool {
        self.named.iter().any(|n| means(&n.value, table))
    }

    /// Whether the database is to be asked which tables there are.
    pub fn has_patterns(&self) -> bool {
        self.union && self.named.iter().any(|n| is_pattern(&n.value))
    }

    /// Takes what the database has: every table that a name or pattern means, each once. Gives the
    /// patterns that mean none.
    pub fn find<'t>(&mut self, there: impl Iterator<Item = &'t TableName> + Clone) -> Vec<usize> {
        let mut found = Vec::new();
        let mut none = Vec::new();
        for (at, named) in self.named.iter().enumerate() {
            if !is_pattern(&named.value) {
                found.push(named.value.clone());
                continue;
            }
            let before = found.len();
            let means = |t: &&TableName| means(&named.value, t);
            found.extend(there.clone().filter(means).cloned());
            if found.len() == before {
                none.push(at);
            }
        }
        found.sort();
        found.dedup();
        self.found = Some(found);
        none
    }

    /// As the file names them, for people.
    pub fn words(&self) -> String {
        let words = self
            .named
            .iter()
            .map(|n| format!("{}.{}", n.value.0, n.value.1));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Whether a name stands for all that are like it.
pub fn is_pattern((schema, table): &TableName) -> bool {
    schema.contains('*') || table.contains('*')
}

fn means(pattern: &TableName, table: &TableName) -> bool {
    fits(&pattern.0, &table.0) && fits(&pattern.1, &table.1)
}

/// Whether a text fits a pattern in which `*` stands for any letters, or none.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters_or_none() {
        for (pattern, text, expected) in [
            ("ordr", "ordr", true),
            ("ordr", "ordr_2024", false),
            ("ordr_*", "ordr_2024", true),
            ("ordr_*", "ordr", false),
            ("ordr*", "ordr", true),
            ("*_hdr", "ordr_hdr", true),
            ("*_hdr", "ordr_hdr2", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("a*a", "a", false),
            ("a**a", "aa", true),
            ("*", "anything", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
