//! What editors say of the files, by docs/onramp.schema.json: nothing of what `onramp check` takes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use onramp_integration_tests::Folder;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the schema has against the files, a line each.
fn against(files: &[PathBuf]) -> Vec<String> {
    let mut arguments: Vec<OsString> = vec!["--schema".into()];
    arguments.push(top().join("docs/onramp.schema.json").into());
    arguments.extend(files.iter().map(OsString::from));
    let validator = top().join("integration-tests/services/odcs");
    let output = Command::new(validator).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<String> = said.lines().map(ToOwned::to_owned).collect();
    assert_eq!(output.status.success(), lines.is_empty(), "{said}");
    lines
}

fn yaml_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn editors_have_nothing_against_the_examples() {
    let mut files = vec![top().join("config/onramp.yaml")];
    yaml_below(&top().join("examples"), &mut files);
    assert!(files.len() > 10, "{files:?}");
    assert_eq!(against(&files), Vec::<String>::new());
}

const HEAD: &str = "product: shop.things.v1\nkind: outbox\nsource: { table: public.outbox }
columns: { id: id, type: type, key: key, payload: payload }\nevents:\n  Done:\n    payload: json\n    fields:\n";

#[test]
fn editors_know_what_may_stand_in_json_and_what_may_not() {
    let taken = "      id: { type: long }
      first: { type: string, at: \"lines[0].sku\" }
      from_the_row: { type: int, from: ver }
      lines: { type: array, items: { type: record, fields: { sku: { type: string } } } }\n";
    let entity =
        "product: shop.things.v1\nkind: entity\nsource: { table: public.t }\nkey: [id]\nfields:\n";
    let opened = "  id: { type: long, from: thing_no }
  lines: { type: array, from: doc, items: { type: record, fields: { sku: { type: string, at: art } } } }
  buyer: { type: record, from: doc, at: who, fields: { name: { type: string } } }\n";
    let folder = Folder::with(&[
        ("outbox.yaml", &format!("{HEAD}{taken}")),
        ("entity.yaml", &format!("{entity}{opened}")),
        (
            "two.yaml",
            &format!("{HEAD}      id: {{ type: long, from: a, expr: row.b }}\n"),
        ),
        ("none.yaml", &format!("{entity}  id: {{ type: long }}\n")),
        (
            "tests.yaml",
            "fixtures: shop.things.v1\ntests:\n  - { name: a, row: {}, expects: [] }\n",
        ),
    ]);
    let file = |name: &str| vec![folder.path().join(name)];
    for fine in ["outbox.yaml", "entity.yaml"] {
        assert_eq!(against(&file(fine)), Vec::<String>::new());
    }
    for (wrong, at) in [
        ("two.yaml", "$.events.Done.fields.id"),
        ("none.yaml", "$.fields.id"),
        ("tests.yaml", "$.tests[0]"),
    ] {
        let said = against(&file(wrong));
        assert!(
            said.iter().any(|line| line.contains(at)),
            "{wrong}: {said:?}"
        );
    }
}
