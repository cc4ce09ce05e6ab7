//! docs/expressions.md: every example on it holds.

mod shop;

use onramp_expression::{Scratch, compile};

fn code(cell: &str) -> Option<String> {
    let cell = cell.trim();
    let inner = cell.strip_prefix('`')?.strip_suffix('`')?;
    Some(inner.replace("\\|", "|"))
}

#[test]
fn every_example_gives_what_the_page_says() {
    let page = include_str!("../../../docs/expressions.md");
    let (scope, row, scratch) = (shop::scope(), shop::Order::example(), Scratch::new());
    let mut seen = String::new();
    let mut tested = 0;
    let mut gives = false;
    for line in page.lines() {
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = line.split('|').map(|c| c.replace('\u{1}', "|")).collect();
        if cells.len() < 4 {
            gives = false;
            continue;
        }
        let last = cells[cells.len() - 2].trim().to_owned();
        if last == "Gives" {
            gives = true;
            continue;
        }
        if !gives || last.starts_with('-') {
            continue;
        }
        let example = code(&cells[cells.len() - 3]).expect(&line);
        let text = format!("({example}) == ({})", code(&last).expect(&line));
        let compiled = compile(&text, &scope).unwrap_or_else(|f| panic!("{text}: {f:?}"));
        assert_eq!(compiled.holds(&row, &scratch), Ok(true), "{text}");
        seen.push_str(&example);
        seen.push(' ');
        tested += 1;
    }
    assert!(tested > 50, "{tested}");
    // A function that is added is not on the page before somebody writes its example.
    let called: Vec<&str> = seen
        .split(|c: char| !c.is_alphanumeric() && c != '(')
        .collect();
    let mut functions = 0;
    for name in onramp_expression::functions() {
        let call = format!("{name}(");
        let is_called = called.iter().any(|word| word.starts_with(&call));
        assert!(is_called, "{name} has no example");
        functions += 1;
    }
    assert!(functions > 20, "{functions}");
    for operator in [
        "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "+", "-", "*", "/", "%", "?", "in",
    ] {
        let spaced = format!(" {operator} ");
        let unary = operator == "!" && seen.contains("!row");
        assert!(unary || seen.contains(&spaced), "{operator} has no example");
    }
}
