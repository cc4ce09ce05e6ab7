//! `source`: the tables, or the log's messages, that a product reads.

use onramp_finding::codes::files;

use crate::check;
use crate::definition::table;
use crate::faults::Faults;
use crate::yaml::{Content, Node};
use crate::{Spanned, Tables};

/// What says where a product's rows come from: exactly one of these.
const NAMING: &[&str] = &["table", "tables", "message_prefix"];

/// What a product reads; none where its file does not say it in one way.
pub(super) fn tables(root: &Node, faults: &mut Faults) -> Option<Tables> {
    moves_alone(root, faults);
    let source = root.get("source")?;
    let said: Vec<_> = NAMING
        .iter()
        .filter_map(|key| Some((*key, source.get(key)?)))
        .collect();
    match said[..] {
        [("tables", node)] => union(root, node, faults),
        [(key, node)] => {
            let text = node.text()?;
            let name = match key {
                "table" => table(text).filter(|name| !crate::is_pattern(name))?,
                _ => (String::new(), text.to_owned()),
            };
            Some(Tables::one(faults.spanned(node, name)))
        }
        [(first, _), (second, at), ..] => {
            faults
                .error(
                    &files::FIELD_SOURCE,
                    at,
                    format!("`source` has both `{first}` and `{second}`"),
                )
                .because("rows come from one table, from several, or from the log's messages")
                .remedy("keep one of the two");
            None
        }
        [] => {
            // What is no map is told as such.
            let is_map = matches!(source.content, Content::Map(_) | Content::Empty);
            if is_map && !NAMING.iter().any(|key| check::misspelt(source, key)) {
                check::missing_at(
                    source,
                    "table",
                    Some("public.ordr_hdr"),
                    "",
                    "source",
                    faults,
                );
            }
            None
        }
    }
}

fn union(root: &Node, node: &Node, faults: &mut Faults) -> Option<Tables> {
    let mut named: Vec<Spanned<(String, String)>> = Vec::new();
    for item in node.items() {
        let Some(name) = item.text().and_then(table) else {
            continue;
        };
        if named.iter().any(|n| n.value == name) {
            faults
                .error(
                    &files::BAD_VALUE,
                    item,
                    format!("{}.{} stands in `tables` twice", name.0, name.1),
                )
                .remedy("remove one of the two");
        }
        named.push(faults.spanned(item, name));
    }
    // What is no list is told as such.
    if matches!(&node.content, Content::List(items) if items.is_empty()) {
        faults
            .error(&files::MISSING_KEY, node, "`tables` is empty")
            .remedy("name at least one table");
    }
    (!named.is_empty()).then(|| Tables {
        named,
        union: true,
        moves: root.text_at(&["moves"]) == Some("true"),
        found: None,
    })
}

/// One table alone has nowhere that a row could move to.
fn moves_alone(root: &Node, faults: &mut Faults) {
    let of_several = root.at(&["source", "tables"]).is_some();
    // Beside another kind it is told that it has no place there.
    if root.text_at(&["kind"]).is_some_and(|kind| kind != "entity") {
        return;
    }
    if let Some(at) = root.get("moves").filter(|_| !of_several) {
        faults
            .error(
                &files::BAD_VALUE,
                &at.clone(),
                "`moves` stands beside one table",
            )
            .because("it says that rows go from one of several tables to another")
            .remedy("remove it, or name the tables in `source.tables`");
    }
}
