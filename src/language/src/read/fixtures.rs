//! A fixtures file's struct, and the rules across its keys.

use std::path::Path;

use onramp_finding::{Span, codes::files};
use serde_json::{Map, Value};

use crate::definition::{FIXTURES, product_name, scalar, table};
use crate::faults::Faults;
use crate::fixtures::{Cell, Expected, Fixtures, Given, Row, Test};
use crate::yaml::{Content, Node};

/// The fixtures; none where something that they need is missing.
pub(crate) fn fixtures(root: &Node, path: &Path, faults: &mut Faults) -> Option<Fixtures> {
    let product = root
        .get("fixtures")
        .and_then(|n| Some(faults.spanned(n, product_name(n.text()?)?)));
    faults.product = product.as_ref().map(|p| p.value.to_string());
    crate::check::file(root, FIXTURES, faults);
    let columns = root.get("columns").map_or(&[][..], Node::entries);
    let columns = columns
        .iter()
        .filter_map(|e| {
            let name = faults.spanned(&e.key_node(), e.key.clone());
            Some((name, scalar(e.value.text()?)?))
        })
        .collect();
    let tests = root.get("tests").map_or(&[][..], Node::items);
    let tests = tests.iter().filter_map(|t| test(t, faults)).collect();
    Some(Fixtures {
        product: product?,
        columns,
        tests,
        path: path.to_owned(),
    })
}

fn test(node: &Node, faults: &mut Faults) -> Option<Test> {
    let name = node.get("name")?;
    let name = faults.spanned(name, name.text()?.to_owned());
    let given = given(node, faults);
    let of = node.get("table");
    let table = of.and_then(|n| Some(faults.spanned(n, table(n.text()?)?)));
    let at = node.entries().iter().find(|e| e.key == "expect")?;
    let expect = at.value.items().iter().filter_map(|e| expected(e, faults));
    Some(Test {
        name,
        table,
        expect: expect.collect(),
        expect_span: match at.value.content {
            // It begins where the key ends.
            Content::Empty => Span {
                start: at.key_span.end,
                end: at.key_span.end,
            },
            _ => at.value.span,
        },
        expect_key: at.key_span,
        given: given?,
    })
}

/// What comes in; which rows stand beside it is told here.
fn given(node: &Node, faults: &mut Faults) -> Option<Given> {
    let row = |key: &str, faults: &Faults| node.get(key).map(|n| self::row(n, faults));
    let word = match (node.get("row"), node.text_at(&["change"])) {
        (Some(_), None) => "row",
        (None, Some(word @ ("insert" | "update" | "delete"))) => word,
        (Some(_), Some(_)) => {
            let at = node.get("change")?;
            faults
                .error(&files::MISPLACED_KEY, at, "`change` stands beside `row`")
                .because("`row` is a row that was there already, and nothing happens to it")
                .remedy("keep one of the two");
            return None;
        }
        // What was misspelt is told.
        (None, Some(_)) => return None,
        (None, None) => {
            if !crate::check::misspelt(node, "change") && !crate::check::misspelt(node, "row") {
                let doc = "`insert`, `update` or `delete`; or `row` for one that was there already";
                crate::check::missing_at(node, "change", Some("insert"), doc, "tests", faults);
            }
            return None;
        }
    };
    let wanted: &[&str] = match word {
        "row" => &["row"],
        "insert" => &["after"],
        "delete" => &["before"],
        _ => &["before", "after"],
    };
    let mut sound = true;
    for key in ["before", "after"] {
        match (node.get(key), wanted.contains(&key)) {
            (None, true) if !crate::check::misspelt(node, key) => {
                let doc = "columns to the text of their values";
                crate::check::missing_at(
                    node,
                    key,
                    Some("{ ord_no: \"7\" }"),
                    doc,
                    "tests",
                    faults,
                );
                sound = false;
            }
            (None, true) => sound = false,
            (Some(at), false) => {
                let message = match word {
                    "row" => format!("`{key}` stands beside `row`"),
                    _ => format!("`{key}` does not belong beside `change: {word}`"),
                };
                faults
                    .error(&files::MISPLACED_KEY, at, message)
                    .remedy(format!("remove `{key}`"));
                sound = false;
            }
            _ => {}
        }
    }
    if !sound {
        return None;
    }
    Some(match word {
        "row" => Given::Row(row("row", faults)?),
        "insert" => Given::Insert(row("after", faults)?),
        "delete" => Given::Delete(row("before", faults)?),
        _ => {
            let (before, mut after) = (row("before", faults)?, row("after", faults)?);
            let stays: Row = before
                .iter()
                .filter(|(c, _)| !after.iter().any(|(a, _)| a.value == c.value))
                .cloned()
                .collect();
            after.extend(stays);
            Given::Update(before, after)
        }
    })
}

fn row(node: &Node, faults: &Faults) -> Row {
    node.entries()
        .iter()
        .map(|e| {
            let column = faults.spanned(&e.key_node(), e.key.clone());
            (column, cell(&e.value, faults))
        })
        .collect()
}

/// What a column holds; a list is an array's.
fn cell(node: &Node, faults: &Faults) -> Cell {
    match &node.content {
        Content::List(items) => Cell::List(items.iter().map(|i| text(i, faults)).collect()),
        _ => text(node, faults).map_or(Cell::Null, Cell::Text),
    }
}

/// A value's text; None for nothing, and for a `null` or `~` that is not quoted.
fn text(node: &Node, faults: &Faults) -> Option<String> {
    let raw = faults
        .file
        .text
        .get(node.span.start as usize..node.span.end as usize);
    match raw {
        Some("null" | "~") => None,
        _ => node.text().map(str::to_owned),
    }
}

fn expected(node: &Node, faults: &mut Faults) -> Option<Expected> {
    let said = |key: &str| node.text_at(&[key]).map(str::to_owned);
    let kinds = ["event", "tombstone", "fails"];
    let has: Vec<&str> = kinds
        .into_iter()
        .filter(|key| node.get(key).is_some())
        .collect();
    let alone = node.get("key").is_none() && node.get("type").is_none();
    match has[..] {
        ["event"] => {
            let value = tree(node.get("event")?, faults);
            Some(Expected::Event {
                key: said("key"),
                r#type: said("type"),
                value,
            })
        }
        ["tombstone"] if alone => Some(Expected::Tombstone(said("tombstone")?)),
        ["fails"] if alone => Some(Expected::Fails(said("fails")?)),
        [] if !node.entries().is_empty()
            && kinds.iter().any(|k| crate::check::misspelt(node, k)) =>
        {
            None
        }
        _ => {
            faults
                .error(
                    &files::WRONG_SHAPE,
                    node,
                    "what is expected is not one thing",
                )
                .remedy(
                    "write one of `event` (with `key` and `type`, where they are worth saying), `tombstone` and `fails`",
                );
            None
        }
    }
}

/// A tree of texts.
fn tree(node: &Node, faults: &Faults) -> Value {
    match &node.content {
        Content::Map(entries) => {
            let fields = entries
                .iter()
                .map(|e| (e.key.clone(), tree(&e.value, faults)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Content::List(items) => Value::Array(items.iter().map(|i| tree(i, faults)).collect()),
        _ => text(node, faults).map_or(Value::Null, Value::String),
    }
}
