//! Released contracts: what a file may not change any more, offline, as whoever runs the commands
//! has them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::path::Path;
use std::process::{Command, Output};

use onramp_integration_tests::binary;

const GATEWAY: &str = "gateway: shop
source: { type: postgres, url: \"postgres://onramp@db/shop\" }
kafka: { brokers: [\"127.0.0.1:1\"] }
registry: { url: \"http://127.0.0.1:1\" }
products: [products/*.yaml]
";

const ORDERS: &str = "product: commerce.orders.v1
status: active
owner: { team: order-management, contact: orders@shop.test }
description: Every order.
kind: entity
source: { table: public.ordr_hdr }
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
  total:    { type: \"decimal(12,2)\", from: tot_amt }
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("shop/onramp.yaml", GATEWAY);
        folder.write("shop/products/orders.yaml", ORDERS);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn orders(&self, change: impl Fn(&str) -> String) {
        self.write("shop/products/orders.yaml", &change(ORDERS));
    }

    fn lock(&self) -> String {
        std::fs::read_to_string(self.0.path().join("shop/contracts.lock")).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .current_dir(self.0.path().join("shop"))
            .env("COLUMNS", "80")
            .output()
            .unwrap()
    }

    /// The codes that a command found, and its exit code.
    fn found(&self, arguments: &[&str]) -> (Vec<String>, i32) {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let findings = said["findings"].as_array().expect("findings");
        let codes = findings
            .iter()
            .map(|f| f["code"].as_str().unwrap().to_owned());
        (codes.collect(), output.status.code().unwrap())
    }

    fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@shop.test"])
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

fn codes(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|c| (*c).to_owned()).collect()
}

#[test]
fn a_released_contract_is_held_against_what_the_file_says_later() {
    let folder = Folder::new();
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    let output = folder.run(&["release", "commerce.orders.v1"]);
    assert_eq!(output.stdout, b"commerce.orders.v1: released, schema 1\n");
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    let first = folder.lock();

    // What may change: it is said that it is not released, and releasing it adds to the file.
    folder.orders(|o| format!("{o}  note: {{ type: string, from: note, optional: true }}\n"));
    assert_eq!(
        folder.found(&["check"]),
        (codes(&["ONR-628", "ONR-624"]), 0)
    );
    assert_eq!(folder.found(&["check", "--fail-on", "warning"]).1, 1);
    folder.orders(|o| {
        format!("{o}  note: {{ type: string, from: note, optional: true }}\n")
            .replace("key:", "on_mapping_change: backfill\nkey:")
    });
    assert_eq!(folder.found(&["check"]), (codes(&["ONR-624"]), 0));
    assert_eq!(folder.found(&["check", "--fail-on", "info"]).1, 1);
    let output = folder.run(&["release", "--all"]);
    assert_eq!(output.stdout, b"commerce.orders.v1: released, schema 2\n");
    assert!(folder.lock() != first);
    let second = folder.lock();
    let output = folder.run(&["release", "--all"]);
    assert_eq!(
        output.stdout,
        b"commerce.orders.v1: released already, nothing changed\n"
    );
    assert_eq!(folder.lock(), second);

    // What may not: all of it in one run, and nothing is released.
    folder.orders(|o| {
        o.replace("decimal(12,2)", "decimal(12,3)")
            .replace("key: [order_id]", "key: [order_id, total]")
            .replace("kind:", "compatibility: backward\nkind:")
    });
    let broken = codes(&["ONR-620", "ONR-621", "ONR-622"]);
    let (found, code) = folder.found(&["check"]);
    assert_eq!(code, 1);
    for code in broken {
        assert!(found.contains(&code), "{code} is not among {found:?}");
    }
    assert_eq!(folder.found(&["release", "commerce.orders.v1"]).1, 1);
    assert_eq!(folder.lock(), second);

    folder.orders(|o| o.replace("active", "draft"));
    let found = folder.found(&["check"]).0;
    assert!(found.contains(&"ONR-623".to_owned()), "{found:?}");
    folder.orders(|o| o.replace("active", "retired"));
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    folder.orders(|o| o.replace("orders.v1", "orders.v2"));
    assert_eq!(
        folder.found(&["check"]),
        (codes(&["ONR-623", "ONR-624"]), 1)
    );
}

#[test]
fn the_field_is_shown_with_the_way_out() {
    let folder = Folder::new();
    folder.run(&["release", "--all"]);
    folder.orders(|o| o.replace("decimal(12,2)\"", "decimal(12,3)\""));
    let output = folder.run(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("error[ONR-620]: total: "), "{text}");
    assert!(text.contains("products/orders.yaml:10:3"), "{text}");
    assert!(text.contains("help: keep the type and add"), "{text}");
    assert!(text.contains("commerce.orders.v2"), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
}

#[test]
fn a_product_that_cannot_be_released_is_said_to_be() {
    let folder = Folder::new();
    let output = folder.run(&["release", "commerce.order.v1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("did you mean `commerce.orders.v1`?"),
        "{text}"
    );
    folder.orders(|o| o.replace("active", "draft"));
    let none = (codes(&["ONR-128", "ONR-629"]), 1);
    assert_eq!(folder.found(&["release", "commerce.orders.v1"]), none);
    assert!(!folder.0.path().join("shop/contracts.lock").exists());
    assert_eq!(folder.run(&["release"]).status.code(), Some(64));
}

#[test]
fn a_lock_that_cannot_be_read_is_an_error_and_is_never_written_over() {
    let folder = Folder::new();
    for broken in [
        "",
        "<<<<<<< HEAD\n",
        "{\"format\":2,\"contracts\":{}}",
        "[]",
    ] {
        folder.write("shop/contracts.lock", broken);
        assert_eq!(folder.found(&["check"]), (codes(&["ONR-625"]), 1));
        assert_eq!(folder.found(&["release", "--all"]).1, 1);
        assert_eq!(folder.lock(), broken);
    }
}

#[test]
fn files_are_held_against_a_revision_and_the_repository_is_left_alone() {
    let folder = Folder::new();
    folder.run(&["release", "--all"]);
    folder.git(&["init", "-q", "-b", "main"]);
    folder.git(&["add", "."]);
    folder.git(&["commit", "-q", "-m", "All"]);
    let index = std::fs::read(folder.0.path().join(".git/index")).unwrap();
    assert_eq!(
        folder.found(&["check", "--against", "main"]),
        (codes(&[]), 0)
    );

    // Who edits what was released, so that `check` alone is silent, is found out.
    folder.orders(|o| {
        o.replace(
            "  total:    { type: \"decimal(12,2)\", from: tot_amt }\n",
            "",
        )
    });
    std::fs::remove_file(folder.0.path().join("shop/contracts.lock")).unwrap();
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    let (found, code) = folder.found(&["check", "--against", "main"]);
    assert_eq!(code, 1);
    assert!(found.contains(&"ONR-620".to_owned()), "{found:?}");
    assert!(found.contains(&"ONR-626".to_owned()), "{found:?}");

    for nowhere in ["mian", "-x", ""] {
        let (found, code) = folder.found(&["check", &format!("--against={nowhere}")]);
        assert_eq!((found, code), (codes(&["ONR-627"]), 1), "{nowhere}");
    }
    let after = std::fs::read(Path::new(folder.0.path()).join(".git/index")).unwrap();
    assert_eq!(index, after);
}
