//! Which operations a condition over `op` lets through.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as cel_op};

use crate::syntax;

/// A set of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operations {
    /// `"insert"`.
    pub insert: bool,
    /// `"update"`.
    pub update: bool,
    /// `"delete"`.
    pub delete: bool,
}

impl Operations {
    /// Each of them.
    pub const ALL: Operations = Operations {
        insert: true,
        update: true,
        delete: true,
    };

    fn with(self, other: Operations, how: fn(bool, bool) -> bool) -> Operations {
        Operations {
            insert: how(self.insert, other.insert),
            update: how(self.update, other.update),
            delete: how(self.delete, other.delete),
        }
    }

    fn only(words: &[&str]) -> Operations {
        Operations {
            insert: words.contains(&"insert"),
            update: words.contains(&"update"),
            delete: words.contains(&"delete"),
        }
    }

    fn others(self) -> Operations {
        Operations {
            insert: !self.insert,
            update: !self.update,
            delete: !self.delete,
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Operations::only(&[])
    }
}

/// The operations under which a condition may be true, as far as its `&&`, `||` and comparisons of
/// `op` with texts tell: never too few. All of them where the text cannot be read.
pub fn operations(condition: &str) -> Operations {
    let read = syntax::guarded(condition, || {
        let tree = syntax::read(condition)?;
        Ok(of(&tree.root))
    });
    read.unwrap_or(Operations::ALL)
}

fn of(expr: &IdedExpr) -> Operations {
    let Expr::Call(call) = &expr.expr else {
        return Operations::ALL;
    };
    match (call.func_name.as_str(), &call.args[..]) {
        (cel_op::LOGICAL_AND, [a, b]) => of(a).with(of(b), |a, b| a && b),
        (cel_op::LOGICAL_OR, [a, b]) => of(a).with(of(b), |a, b| a || b),
        (cel_op::EQUALS, [..]) => compared(call).unwrap_or(Operations::ALL),
        (cel_op::NOT_EQUALS, [..]) => compared(call).map_or(Operations::ALL, Operations::others),
        (cel_op::IN, [a, list]) if is_op(a) => among(list).unwrap_or(Operations::ALL),
        _ => Operations::ALL,
    }
}

/// `op == "insert"`, either way round.
fn compared(call: &CallExpr) -> Option<Operations> {
    let [a, b] = &call.args[..] else { return None };
    let word = match (is_op(a), is_op(b)) {
        (true, false) => text(b)?,
        (false, true) => text(a)?,
        _ => return None,
    };
    Some(Operations::only(&[word]))
}

fn among(list: &IdedExpr) -> Option<Operations> {
    let Expr::List(list) = &list.expr else {
        return None;
    };
    let words: Option<Vec<&str>> = list.elements.iter().map(text).collect();
    Some(Operations::only(&words?))
}

fn is_op(expr: &IdedExpr) -> bool {
    matches!(&expr.expr, Expr::Ident(name) if name == "op")
}

fn text(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_tells_its_operations_or_all_of_them() {
        for (condition, words) in [
            ("op == \"insert\"", &["insert"][..]),
            ("\"delete\" == op", &["delete"]),
            ("op != \"delete\"", &["insert", "update"]),
            ("op in [\"insert\", \"update\"]", &["insert", "update"]),
            ("op == \"update\" && before.a != after.a", &["update"]),
            (
                "op == \"update\" || op == \"delete\"",
                &["update", "delete"],
            ),
            (
                "op == \"update\" || after.a == 1",
                &["insert", "update", "delete"],
            ),
            ("!(op == \"update\")", &["insert", "update", "delete"]),
            ("op == \"insert\" && op == \"delete\"", &[]),
            ("op == \"upsert\"", &[]),
            ("op == ", &["insert", "update", "delete"]),
        ] {
            assert_eq!(
                operations(condition),
                Operations::only(words),
                "{condition}"
            );
        }
    }
}
