//! Which columns identify a row: those of a unique index, or a guess that says that it is one.

use onramp_connector::{BeforeImage, Index, TableDescription};

use super::column::{Judged, Meaning};
use super::names;
use super::table::Key;

/// Whether a column's value can be part of a key as it is.
fn fits_key(column: &Judged) -> bool {
    match &column.meaning {
        Meaning::Plain(name) => !matches!(name.as_str(), "float" | "double" | "json"),
        _ => false,
    }
}

/// The key of a table.
pub(super) fn judge(described: &TableDescription, columns: &[Judged]) -> Key {
    let judged = |name: &String| columns.iter().find(|c| c.column.name == *name);
    let fits = |index: &&Index| {
        !index.columns.is_empty()
            && index
                .columns
                .iter()
                .all(|c| judged(c).is_some_and(fits_key))
    };
    let personal = |index: &Index| {
        let columns = index.columns.iter().filter_map(judged);
        columns.filter(|c| c.personal.is_some()).count()
    };
    let in_before = |index: &Index| match &described.before {
        BeforeImage::Key(columns) => index.columns.iter().all(|c| columns.contains(c)),
        _ => true,
    };
    let usable = described.unique.iter().filter(fits);
    let proven = usable
        .clone()
        .filter(|i| i.total && !i.deferrable)
        .min_by_key(|i| (personal(i), !in_before(i), !i.primary, i.columns.len()));
    if let Some(index) = proven {
        return Key::Proven(index.columns.clone());
    }
    if let Some(index) = usable.min_by_key(|i| (personal(i), i.columns.len())) {
        let why = match index.deferrable {
            true => format!(
                "index {} is deferrable: two rows may share a key for a while",
                index.name
            ),
            false => format!("index {} does not cover every row", index.name),
        };
        return Key::Guessed(index.columns.clone(), why);
    }
    guess(columns)
}

/// A column that might tell rows apart.
fn guess(columns: &[Judged]) -> Key {
    let like_a_key = |c: &&Judged| {
        let words = names::words(&c.field);
        words
            .last()
            .is_some_and(|w| ["id", "number", "code", "key"].contains(&w.as_str()))
    };
    let candidates: Vec<&Judged> = columns
        .iter()
        .filter(|c| fits_key(c) && c.personal.is_none() && c.nulls.0 == 0)
        .collect();
    let distinct = candidates.iter().filter(|c| c.distinct);
    let found = distinct
        .clone()
        .find(|c| like_a_key(c))
        .or_else(|| distinct.clone().next());
    if let Some(found) = found {
        let why = format!(
            "{} sampled rows differ in it; nothing proves that all do",
            found.nulls.1
        );
        return Key::Guessed(vec![found.column.name.clone()], why);
    }
    let rest = candidates
        .iter()
        .min_by_key(|c| (c.column.nullable, !like_a_key(c)))
        .copied();
    match rest {
        None => Key::None,
        Some(found) => Key::Guessed(
            vec![found.column.name.clone()],
            "nothing tells rows apart that was seen; this column only fills the place".into(),
        ),
    }
}
