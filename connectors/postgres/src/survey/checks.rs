//! Check constraints that list a column's values, read from the server's own spelling of them.

/// A table's constraints over one column: the column, and the expression.
pub(super) const CHECKS: &str = "
SELECT a.attname::text, pg_get_expr(k.conbin, k.conrelid)
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
 WHERE k.contype = 'c' AND k.convalidated AND array_length(k.conkey, 1) = 1
   AND n.nspname = $1 AND c.relname = $2
 ORDER BY k.conname";

/// The values, where the expression says no more than that the column is one of them: `c = 'A'`,
/// `c = ANY (ARRAY['A', 'B'])`, and several of these with OR. None for anything else.
pub(super) fn listed(expression: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut words = String::new();
    let mut rest = expression;
    while let Some(at) = rest.find('\'') {
        words.push_str(&rest[..at]);
        // A text with an escape is no code.
        if rest[..at].ends_with('E') {
            return None;
        }
        rest = &rest[at + 1..];
        let mut value = String::new();
        loop {
            let end = rest.find('\'')?;
            value.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('\'') {
                Some(more) => {
                    value.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        values.push(value);
    }
    words.push_str(rest);
    if !only_equals(&words) {
        return None;
    }
    if values.is_empty() {
        values = numbers(&words);
    }
    (!values.is_empty()).then_some(values)
}

/// Whether what stands around the values compares for equality and does nothing else.
fn only_equals(words: &str) -> bool {
    let alone = |word: &str| {
        words
            .split(|c: char| !c.is_alphanumeric())
            .any(|w| w == word)
    };
    words.contains('=')
        && !words.contains(['<', '>', '~', '!', '+', '*', '/', '|', '%', '"'])
        && !["AND", "NOT", "NULL", "IS", "ALL", "CASE", "LIKE"].iter().any(|w| alone(w))
        // A call is a name before a bracket; ANY and casts' lengths are none.
        && !calls(words)
}

fn calls(words: &str) -> bool {
    words.match_indices('(').any(|(at, _)| {
        let before = words[..at].trim_end();
        let name: String = before
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let name: String = name.chars().rev().collect();
        !name.is_empty() && name != "ANY" && name != "OR" && !before.contains("::")
    })
}

/// The whole numbers of `c = ANY (ARRAY[1, 2])`.
fn numbers(words: &str) -> Vec<String> {
    let Some((_, list)) = words.split_once("ARRAY[") else {
        return Vec::new();
    };
    let list = list.split(']').next().unwrap_or_default();
    let values: Vec<&str> = list.split(',').map(str::trim).collect();
    match values.iter().all(|v| v.parse::<i64>().is_ok()) {
        true => values.into_iter().map(str::to_owned).collect(),
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn values_are_read_where_a_constraint_lists_them_and_nowhere_else() {
        for (expression, expected) in [
            (
                "((stat)::text = ANY ((ARRAY['A'::character varying, 'it''s'::character varying])::text[]))",
                Some(vec!["A", "it's"]),
            ),
            (
                "(flg = ANY (ARRAY['Y'::bpchar, 'N'::bpchar]))",
                Some(vec!["Y", "N"]),
            ),
            (
                "((flg = 'Y'::bpchar) OR (flg = 'N'::bpchar))",
                Some(vec!["Y", "N"]),
            ),
            ("(lvl = ANY (ARRAY[1, 2, 3]))", Some(vec!["1", "2", "3"])),
            ("(qty > 0)", None),
            ("(upper(stat) = 'A'::text)", None),
            ("(stat <> 'A'::text)", None),
            ("((stat = 'A'::text) AND (stat = 'B'::text))", None),
            ("(length(stat) = 2)", None),
            ("(stat ~ '^[A-Z]$'::text)", None),
            ("(stat = 'open", None),
        ] {
            let found = listed(expression);
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|v| v.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{expression}");
        }
    }
}
