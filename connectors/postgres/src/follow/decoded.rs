//! What test_decoding writes, a line a change.
//!
//! `table s.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 name[text]:'it''s'`. Names
//! are quoted as identifiers where they must be, types stand in brackets, values are numbers, true
//! and false as they are, `B'…'`, or in quotes that are doubled within; `null` and
//! `unchanged-toast-datum` stand bare.

use std::borrow::Cow;

use onramp_connector::Operation;

/// One line.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A transaction's number.
    Begin(u32),
    Commit,
    Change(Change<'a>),
    /// Tables that were emptied.
    Truncate(Vec<Name<'a>>),
    /// A message of an application's, or a word of a later version.
    Other,
}

/// Schema and table.
pub(super) type Name<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A changed row.
#[derive(Debug, PartialEq)]
pub(super) struct Change<'a> {
    pub(super) table: Name<'a>,
    pub(super) operation: Operation,
    /// Columns that are null are not here.
    pub(super) old: Option<Vec<Column<'a>>>,
    pub(super) new: Option<Vec<Column<'a>>>,
}

/// A column's name and value.
pub(super) type Column<'a> = (Cow<'a, str>, Text<'a>);

/// A value's text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Text<'a> {
    Null,
    Unchanged,
    Is(Cow<'a, str>),
}

/// Reads a line; None where it is none.
pub(super) fn line(text: &str) -> Option<Line<'_>> {
    if let Some(xid) = text.strip_prefix("BEGIN ") {
        return Some(Line::Begin(xid.trim().parse().ok()?));
    }
    if text == "COMMIT" || text.starts_with("COMMIT ") {
        return Some(Line::Commit);
    }
    let Some(rest) = text.strip_prefix("table ") else {
        return Some(Line::Other);
    };
    let mut rest = Rest(rest);
    let first = rest.table()?;
    let mut tables = vec![first];
    while rest.takes(", ") {
        tables.push(rest.table()?);
    }
    rest.takes(": ").then_some(())?;
    if rest.0.starts_with("TRUNCATE:") {
        return Some(Line::Truncate(tables));
    }
    let [table] = <[Name<'_>; 1]>::try_from(tables).ok()?;
    Some(Line::Change(rest.change(table)?))
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn takes(&mut self, word: &str) -> bool {
        match self.0.strip_prefix(word) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn table(&mut self) -> Option<Name<'a>> {
        let schema = self.identifier()?;
        self.takes(".").then_some(())?;
        Some((schema, self.identifier()?))
    }

    /// A name as it is, or in quotes.
    fn identifier(&mut self) -> Option<Cow<'a, str>> {
        if self.0.starts_with('"') {
            return self.quoted('"');
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let end = self.0.find(|c| !plain(c)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        self.0 = rest;
        (!name.is_empty()).then_some(Cow::Borrowed(name))
    }

    /// What stands between two quotes, those within doubled.
    fn quoted(&mut self, quote: char) -> Option<Cow<'a, str>> {
        let body = self.0.strip_prefix(quote)?;
        let mut from = 0;
        loop {
            let end = from + body[from..].find(quote)?;
            let behind = end + 1;
            if body[behind..].starts_with(quote) {
                from = behind + 1;
                continue;
            }
            self.0 = &body[behind..];
            let inner = &body[..end];
            let twice = [quote, quote].iter().collect::<String>();
            return Some(match inner.contains(quote) {
                true => Cow::Owned(inner.replace(&twice, &quote.to_string())),
                false => Cow::Borrowed(inner),
            });
        }
    }

    fn change(&mut self, table: Name<'a>) -> Option<Change<'a>> {
        let (operation, old, new) = if self.takes("INSERT:") {
            (Operation::Insert, None, self.tuple()?)
        } else if self.takes("UPDATE:") {
            let old = match self.takes(" old-key:") {
                false => None,
                true => {
                    let old = self.tuple()?;
                    self.takes(" new-tuple:").then_some(())?;
                    old
                }
            };
            (Operation::Update, old, self.tuple()?)
        } else if self.takes("DELETE:") {
            (Operation::Delete, self.tuple()?, None)
        } else {
            return None;
        };
        self.0.is_empty().then_some(Change {
            table,
            operation,
            old,
            new,
        })
    }

    /// Columns as far as they go; `Some(None)` where the log has no row.
    #[allow(
        clippy::option_option,
        reason = "no row is not the same as an unreadable one"
    )]
    fn tuple(&mut self) -> Option<Option<Vec<Column<'a>>>> {
        if self.takes(" (no-tuple-data)") {
            return Some(None);
        }
        let mut columns = Vec::new();
        while self.0.starts_with(' ') && !self.0.starts_with(" new-tuple:") {
            self.takes(" ");
            let name = self.identifier()?;
            self.r#type()?;
            columns.push((name, self.value()?));
        }
        Some(Some(columns))
    }

    /// `[integer]:`, whose name may hold brackets, and in quotes anything.
    fn r#type(&mut self) -> Option<()> {
        self.takes("[").then_some(())?;
        let mut in_quotes = false;
        let (at, _) = self.0.char_indices().find(|&(at, c)| {
            in_quotes ^= c == '"';
            !in_quotes && c == ']' && self.0[at..].starts_with("]:")
        })?;
        self.0 = &self.0[at + 2..];
        Some(())
    }

    fn value(&mut self) -> Option<Text<'a>> {
        if self.0.starts_with('\'') {
            return Some(Text::Is(self.quoted('\'')?));
        }
        if self.0.starts_with("B'") {
            self.takes("B");
            return Some(Text::Is(self.quoted('\'')?));
        }
        let end = self.0.find(' ').unwrap_or(self.0.len());
        let (bare, rest) = self.0.split_at(end);
        self.0 = rest;
        match bare {
            "" => None,
            "null" => Some(Text::Null),
            "unchanged-toast-datum" => Some(Text::Unchanged),
            bare => Some(Text::Is(Cow::Borrowed(bare))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is(text: &str) -> Text<'_> {
        Text::Is(text.into())
    }

    fn change(text: &str) -> Change<'_> {
        match line(text) {
            Some(Line::Change(change)) => change,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_sort_of_line_is_read() {
        assert_eq!(line("BEGIN 731"), Some(Line::Begin(731)));
        assert_eq!(
            line("COMMIT 731 (at 2026-11-29 14:00:00+00)"),
            Some(Line::Commit)
        );
        assert_eq!(
            line("message: transactional: 1 prefix: table x, sz: 1 content:y"),
            Some(Line::Other)
        );
        assert_eq!(
            line("table public.a, \"Old\".\"b.\"\"c\": TRUNCATE: restart_seqs cascade"),
            Some(Line::Truncate(vec![
                ("public".into(), "a".into()),
                ("Old".into(), "b.\"c".into())
            ]))
        );
        let insert = change(
            "table s.t: INSERT: id[integer]:-1 \"Na me\"[character varying]:'it''s [x]:' tags[text[]]:'{a,\"b c\"}' \
             odd[s.\"a]:b\"]:'' ok[boolean]:true bits[bit varying]:B'101' gone[text]:null big[text]:unchanged-toast-datum",
        );
        assert_eq!(insert.operation, Operation::Insert);
        assert_eq!(insert.table, ("s".into(), "t".into()));
        let (names, texts): (Vec<_>, Vec<_>) = insert.new.unwrap().into_iter().unzip();
        assert_eq!(
            names,
            ["id", "Na me", "tags", "odd", "ok", "bits", "gone", "big"]
        );
        assert_eq!(
            texts,
            [
                is("-1"),
                is("it's [x]:"),
                is("{a,\"b c\"}"),
                is(""),
                is("true"),
                is("101"),
                Text::Null,
                Text::Unchanged
            ]
        );
        let update = change(
            "table s.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 a[text]:' new-tuple: '",
        );
        assert_eq!(update.old.unwrap(), [("id".into(), is("1"))]);
        assert_eq!(update.new.unwrap()[1], ("a".into(), is(" new-tuple: ")));
        let kept = change("table s.t: UPDATE: id[integer]:1");
        assert_eq!((kept.old, kept.new.unwrap().len()), (None, 1));
        assert_eq!(change("table s.t: DELETE: (no-tuple-data)").old, None);
        assert_eq!(
            change("table s.t: DELETE: id[bigint]:7").old.unwrap(),
            [("id".into(), is("7"))]
        );
    }

    #[test]
    fn what_is_cut_is_no_change() {
        let whole = "table s.t: INSERT: id[integer]:1 a[text]:'x y'";
        for end in 0..whole.len() {
            let cut = line(&whole[..end]);
            // Cut between two columns, and within the word at its front, it is one still.
            let fits = matches!(&cut, Some(Line::Change(c)) if c.new.as_ref().is_some_and(|n| n.len() < 2));
            let within = end < "table ".len() || fits || cut.is_none();
            assert!(within, "{end}: {cut:?}");
        }
        for wrong in [
            "BEGIN x",
            "table",
            "table s: INSERT: ",
            "table s.t: MERGE: a[b]:1",
            "table s.t: INSERT: a[b]1",
        ] {
            let read = line(wrong);
            assert!(
                read.is_none() || read == Some(Line::Other),
                "{wrong}: {read:?}"
            );
        }
    }

    /// As the server quotes.
    fn identifier(name: &str) -> String {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        match !name.is_empty()
            && name.chars().all(plain)
            && !name.starts_with(|c: char| c.is_ascii_digit())
        {
            true => name.to_owned(),
            false => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    proptest! {
        #[test]
        fn what_the_server_quotes_is_what_is_read(
            table in "\\PC{1,12}",
            columns in proptest::collection::vec(("\\PC{1,9}", "[a-z]{1,6}(\\[\\])?", "(?s).{0,20}"), 1..5),
        ) {
            let mut text = format!("table s.{}: UPDATE: old-key:", identifier(&table));
            let mut tuple = String::new();
            for (name, type_name, value) in &columns {
                tuple.push_str(&format!(" {}[{type_name}]:'{}'", identifier(name), value.replace('\'', "''")));
            }
            text.push_str(&format!("{tuple} new-tuple:{tuple}"));
            let read = change(&text);
            prop_assert_eq!(&read.table.1, &table);
            let wanted: Vec<Column<'_>> = columns.iter().map(|(n, _, v)| (n.into(), is(v))).collect();
            prop_assert_eq!(read.old.as_deref(), Some(&wanted[..]));
            prop_assert_eq!(read.new.as_deref(), Some(&wanted[..]));
        }

        #[test]
        fn no_text_panics(text in "(?s).{0,80}") {
            let _ = line(&text);
            let _ = line(&format!("table {text}"));
            let _ = line(&format!("table s.t: UPDATE: old-key: {text}"));
            let _ = line(&format!("table s.t: INSERT: a[b]:{text}"));
        }
    }
}
