//! Text to a tree, by CEL's own grammar: bounded before it is parsed, and with faults in our words.

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr, SelectExpr, SourceInfo};
use cel::parser::{ParseError, Parser};
use onramp_finding::codes::expression as codes;

use crate::Fault;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 4 << 10;
/// The deepest nesting of brackets; those inside of strings count too, so that no disagreement
/// with the grammar about where a string ends can hide one.
const MAX_NESTING: usize = 32;
/// Text up to this length is parsed on the caller's stack; a chain of operators nests the tree.
const SHALLOW_BYTES: usize = 160;
const DEEP_STACK_BYTES: usize = 64 << 20;

/// A parsed expression: the tree, and where its nodes stand.
pub(crate) struct Tree<'t> {
    pub(crate) text: &'t str,
    pub(crate) root: IdedExpr,
    places: SourceInfo,
}

/// Runs `work` where neither a deep tree nor a panic of the parser's can hurt the caller.
pub(crate) fn guarded<T: Send>(
    text: &str,
    work: impl FnOnce() -> Result<T, Vec<Fault>> + Send,
) -> Result<T, Vec<Fault>> {
    bounds(text)?;
    let done = if text.len() <= SHALLOW_BYTES {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
    } else {
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .stack_size(DEEP_STACK_BYTES)
                .spawn_scoped(scope, work)
                .ok()
                .and_then(|thread| thread.join().ok())
        })
    };
    done.unwrap_or_else(|| {
        Err(vec![Fault::new(
            &codes::SYNTAX,
            0..text.len(),
            "the expression cannot be read",
        )])
    })
}

fn bounds(text: &str) -> Result<(), Vec<Fault>> {
    let too_large = |at, message: String| Err(vec![Fault::new(&codes::TOO_LARGE, at, message)]);
    if text.len() > MAX_EXPRESSION_BYTES {
        return too_large(
            0..text.len(),
            format!(
                "the expression has {} bytes, more than {MAX_EXPRESSION_BYTES}",
                text.len()
            ),
        );
    }
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return too_large(
                at..at + 1,
                format!("brackets are nested more than {MAX_NESTING} deep"),
            );
        }
    }
    Ok(())
}

/// Parses text that is within bounds; to be called inside of [`guarded`].
pub(crate) fn read(text: &str) -> Result<Tree<'_>, Vec<Fault>> {
    match Parser::new()
        .enable_ident_escape_syntax(true)
        .max_recursion_depth(64)
        .parse_with_source_info(text)
    {
        Ok((root, places)) => Ok(Tree { text, root, places }),
        Err(errors) => {
            // The first error is what is wrong; what follows is the parser finding its feet.
            let first = errors.errors.iter().min_by_key(|e| e.pos);
            Err(vec![first.map_or_else(
                || {
                    Fault::new(
                        &codes::SYNTAX,
                        0..text.len(),
                        "the expression cannot be read",
                    )
                },
                |e| syntax_fault(text, e),
            )])
        }
    }
}

fn syntax_fault(text: &str, error: &ParseError) -> Fault {
    let mut start = offset(text, error.pos);
    if error.msg.contains("Recursion limit") {
        return Fault::new(
            &codes::TOO_LARGE,
            0..text.len(),
            "the expression is nested too deep",
        );
    }
    if text.trim().is_empty() {
        return Fault::new(&codes::SYNTAX, 0..text.len(), "the expression is empty");
    }
    let fault = |at: Range<usize>, message: String| Fault::new(&codes::SYNTAX, at, message);
    if error.msg.starts_with("Incomplete") || start >= text.trim_end().len() {
        let end = text.trim_end().len();
        let last = text[..end]
            .char_indices()
            .next_back()
            .map_or(0, |(at, _)| at);
        let f = fault(
            last..end,
            "the expression ends where more is expected".into(),
        );
        return if error.msg.contains("_?_:_") {
            f.remedy("write both branches: condition ? value : other value")
        } else {
            f
        };
    }
    // `<>` is two tokens to the grammar, and the second is what it stumbles over.
    if text[start..].starts_with('>') && text[..start].ends_with('<') {
        start -= 1;
    }
    let token = token_at(text, start);
    let at = start..start + token.len();
    if let Some(word) = error.msg.strip_prefix("reserved identifier: ") {
        return fault(at, format!("`{word}` is a reserved word"))
            .remedy("a column of that name stands in backticks: row.`…`");
    }
    if error.msg.contains("has()") {
        return Fault::new(&codes::ARGUMENTS, at, "`has` takes one column")
            .remedy("write has(row.column)");
    }
    if error.msg.starts_with("invalid") {
        return fault(at, format!("`{token}` is beyond the range of its type"));
    }
    if token.starts_with(['"', '\'']) {
        return fault(at, "the string cannot be read".into()).remedy(
            "close it with the quote that it began with; a backslash in it is written twice",
        );
    }
    let f = fault(at, format!("`{token}` is not expected here"));
    match token.to_ascii_lowercase().as_str() {
        "=" => f.remedy("equality is =="),
        "<>" => f.remedy("inequality is !="),
        "and" | "&" => f.remedy("and is &&"),
        "or" | "|" => f.remedy("or is ||"),
        "not" => f.remedy("not is !"),
        "is" => f.remedy("write == null, != null or has(…)"),
        "like" => f.remedy("use startsWith, endsWith, contains or matches"),
        _ => f,
    }
}

/// The byte of a line and column, both from 1, the column counted in characters.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let line_start = text
        .split_inclusive('\n')
        .take(usize::try_from(line - 1).unwrap_or(0))
        .map(str::len)
        .sum::<usize>();
    let column = usize::try_from(column - 1).unwrap_or(0);
    text[line_start..]
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(at, _)| line_start + at)
}

fn token_at(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let Some(first) = rest.chars().next() else {
        return "";
    };
    if first == '"' || first == '\'' {
        return rest;
    }
    if rest.starts_with("<>") {
        return &rest[..2];
    }
    let end = if word(first) {
        rest.find(|c| !word(c)).unwrap_or(rest.len())
    } else {
        first.len_utf8()
    };
    &rest[..end]
}

impl Tree<'_> {
    /// The token that a node is known by: an operator, a literal, the bracket of a call.
    pub(crate) fn token(&self, expr: &IdedExpr) -> Range<usize> {
        let len = self.text.len();
        let (start, last) = self.places.offset_for(expr.id).unwrap_or((0, 0));
        let start = (start as usize).min(len);
        start..(last as usize).saturating_add(1).clamp(start, len)
    }

    /// The bytes of a whole expression, brackets around it left out.
    pub(crate) fn span(&self, expr: &IdedExpr) -> Range<usize> {
        let token = self.token(expr);
        match &expr.expr {
            Expr::Select(select) => {
                let field = self.field(select);
                if select.test {
                    self.word_before(token.start)..self.closing(field.end)
                } else {
                    field
                }
            }
            Expr::Comprehension(c) => self.span(&c.iter_range).start..token.end,
            Expr::Call(call) => {
                let mut start = token.start;
                let mut end = token.end;
                for part in call.target.iter().map(|t| &**t).chain(&call.args) {
                    let span = self.span(part);
                    start = start.min(span.start);
                    end = end.max(span.end);
                }
                if self.text[token.clone()].starts_with(['(', '[']) {
                    if call.target.is_none() && self.text[token.clone()].starts_with('(') {
                        start = self.word_before(token.start);
                    }
                    end = self.closing(end);
                }
                start..end
            }
            Expr::List(list) => {
                let end = list.elements.iter().map(|e| self.span(e).end).max();
                token.start..self.closing(end.unwrap_or(token.end))
            }
            _ => token,
        }
    }

    /// A selected column with its variable: `row.x`, in `has(row.x)` too.
    pub(crate) fn field(&self, select: &SelectExpr) -> Range<usize> {
        let operand = self.span(&select.operand);
        let point = self.after_space(operand.end);
        if !self.text[point..].starts_with('.') {
            return operand;
        }
        let name = self.after_space(point + 1);
        let end = match self.text[name..]
            .strip_prefix('`')
            .and_then(|rest| rest.find('`'))
        {
            Some(len) => name + len + 2,
            None => name + token_at(self.text, name).len(),
        };
        operand.start..end
    }

    /// The name of the function that a call's bracket belongs to.
    pub(crate) fn called(&self, expr: &IdedExpr) -> Range<usize> {
        let bracket = self.token(expr).start;
        let start = self.word_before(bracket);
        start..start + token_at(self.text, start).len()
    }

    fn after_space(&self, at: usize) -> usize {
        at + (self.text[at..].len() - self.text[at..].trim_start().len())
    }

    fn word_before(&self, at: usize) -> usize {
        let before = self.text[..at].trim_end();
        let word = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        word.len()
    }

    fn closing(&self, at: usize) -> usize {
        let next = self.after_space(at);
        if self.text[next..].starts_with([')', ']']) {
            next + 1
        } else {
            at
        }
    }
}
