//! JSON values as YAML in blocks.

use serde_json::Value;

/// Every string is quoted as JSON quotes it, which YAML reads the same: no text is ever taken for a
/// number, a boolean or a date. What YAML does not take as it is (5.1, printable characters) is
/// escaped.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(object) => {
            for (n, (key, value)) in object.iter().enumerate() {
                // The first key of a list's item stands behind its dash.
                let pad = if n == 0 && out.ends_with("- ") {
                    ""
                } else {
                    &pad
                };
                out.push_str(&format!("{pad}{key}:"));
                nested(out, value, indent);
            }
        }
        Value::Array(list) => {
            for value in list {
                out.push_str(&format!("{pad}- "));
                match value {
                    Value::Object(object) if !object.is_empty() => block(out, value, indent + 2),
                    other => out.push_str(&format!("{}\n", scalar(other))),
                }
            }
        }
        other => out.push_str(&format!("{pad}{}\n", scalar(other))),
    }
}

fn scalar(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

fn nested(out: &mut String, value: &Value, indent: usize) {
    let has_more = match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    if has_more {
        out.push('\n');
        block(out, value, indent + 2);
    } else {
        out.push_str(&format!(" {}\n", scalar(value)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn texts_stay_texts_and_blocks_stand_in_each_other() {
        let value = json!({
            "id": "a: b # no", "yes": "no", "n": 1.5, "none": null, "empty": {}, "list": [],
            "strange": "\"\n\u{9f}\u{2028}",
            "many": [{ "x": 1, "inner": { "y": ["01", true] } }, { "x": 2 }, {}, []],
        });
        let expected = r#"id: "a: b # no"
yes: "no"
n: 1.5
none: null
empty: {}
list: []
strange: "\"\n\u009f\u2028"
many:
  - x: 1
    inner:
      y:
        - "01"
        - true
  - x: 2
  - {}
  - []
"#;
        assert_eq!(super::text(&value), expected);
    }
}
