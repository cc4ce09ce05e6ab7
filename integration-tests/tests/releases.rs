//! Released contracts: what a file may not change any more, offline, as whoever runs the commands
//! has them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::process::Command;

use onramp_integration_tests::Folder;

const LOCK: &str = "contracts.lock";

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

fn shop() -> Folder {
    Folder::with(&[("onramp.yaml", GATEWAY), ("products/orders.yaml", ORDERS)])
}

fn orders(folder: &Folder, change: impl Fn(&str) -> String) {
    folder.write("products/orders.yaml", &change(ORDERS));
}

/// The repository that the gateway's folder stands in.
fn git(folder: &Folder, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@shop.test"])
        .args(arguments)
        .current_dir(folder.around())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

fn codes(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|c| (*c).to_owned()).collect()
}

#[test]
fn a_released_contract_is_held_against_what_the_file_says_later() {
    let folder = shop();
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    let output = folder.run(&["release", "commerce.orders.v1"]);
    assert_eq!(output.stdout, b"commerce.orders.v1: released, schema 1\n");
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    let first = folder.read(LOCK);

    // What may change: it is said that it is not released, and releasing it adds to the file.
    orders(&folder, |o| {
        format!("{o}  note: {{ type: string, from: note, optional: true }}\n")
    });
    assert_eq!(
        folder.found(&["check"]),
        (codes(&["ONR-628", "ONR-624"]), 0)
    );
    assert_eq!(folder.found(&["check", "--fail-on", "warning"]).1, 1);
    orders(&folder, |o| {
        format!("{o}  note: {{ type: string, from: note, optional: true }}\n")
            .replace("key:", "on_mapping_change: backfill\nkey:")
    });
    assert_eq!(folder.found(&["check"]), (codes(&["ONR-624"]), 0));
    assert_eq!(folder.found(&["check", "--fail-on", "info"]).1, 1);
    let output = folder.run(&["release", "--all"]);
    assert_eq!(output.stdout, b"commerce.orders.v1: released, schema 2\n");
    assert!(folder.read(LOCK) != first);
    let second = folder.read(LOCK);
    let output = folder.run(&["release", "--all"]);
    assert_eq!(
        output.stdout,
        b"commerce.orders.v1: released already, nothing changed\n"
    );
    assert_eq!(folder.read(LOCK), second);

    // What may not: all of it in one run, and nothing is released.
    orders(&folder, |o| {
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
    assert_eq!(folder.read(LOCK), second);

    orders(&folder, |o| o.replace("active", "draft"));
    let found = folder.found(&["check"]).0;
    assert!(found.contains(&"ONR-623".to_owned()), "{found:?}");
    orders(&folder, |o| o.replace("active", "retired"));
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    orders(&folder, |o| o.replace("orders.v1", "orders.v2"));
    assert_eq!(
        folder.found(&["check"]),
        (codes(&["ONR-623", "ONR-624"]), 1)
    );
}

#[test]
fn the_field_is_shown_with_the_way_out() {
    let folder = shop();
    folder.run(&["release", "--all"]);
    orders(&folder, |o| o.replace("decimal(12,2)\"", "decimal(12,3)\""));
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
    let folder = shop();
    let output = folder.run(&["release", "commerce.order.v1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("did you mean `commerce.orders.v1`?"),
        "{text}"
    );
    orders(&folder, |o| o.replace("active", "draft"));
    let none = (codes(&["ONR-128", "ONR-629"]), 1);
    assert_eq!(folder.found(&["release", "commerce.orders.v1"]), none);
    assert!(!folder.path().join(LOCK).exists());
    assert_eq!(folder.run(&["release"]).status.code(), Some(64));
}

#[test]
fn a_lock_that_cannot_be_read_is_an_error_and_is_never_written_over() {
    let folder = shop();
    for broken in [
        "",
        "<<<<<<< HEAD\n",
        "{\"format\":2,\"contracts\":{}}",
        "[]",
    ] {
        folder.write(LOCK, broken);
        assert_eq!(folder.found(&["check"]), (codes(&["ONR-625"]), 1));
        assert_eq!(folder.found(&["release", "--all"]).1, 1);
        assert_eq!(folder.read(LOCK), broken);
    }
}

#[test]
fn files_are_held_against_a_revision_and_the_repository_is_left_alone() {
    let folder = shop();
    folder.run(&["release", "--all"]);
    git(&folder, &["init", "-q", "-b", "main"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-q", "-m", "All"]);
    let index = std::fs::read(folder.around().join(".git/index")).unwrap();
    assert_eq!(
        folder.found(&["check", "--against", "main"]),
        (codes(&[]), 0)
    );

    // Who edits what was released, so that `check` alone is silent, is found out.
    orders(&folder, |o| {
        o.replace(
            "  total:    { type: \"decimal(12,2)\", from: tot_amt }\n",
            "",
        )
    });
    std::fs::remove_file(folder.path().join(LOCK)).unwrap();
    assert_eq!(folder.found(&["check"]), (codes(&[]), 0));
    let (found, code) = folder.found(&["check", "--against", "main"]);
    assert_eq!(code, 1);
    assert!(found.contains(&"ONR-620".to_owned()), "{found:?}");
    assert!(found.contains(&"ONR-626".to_owned()), "{found:?}");

    for nowhere in ["mian", "-x", ""] {
        let (found, code) = folder.found(&["check", &format!("--against={nowhere}")]);
        assert_eq!((found, code), (codes(&["ONR-627"]), 1), "{nowhere}");
    }
    let after = std::fs::read(folder.around().join(".git/index")).unwrap();
    assert_eq!(index, after);
}

/// Under another HMAC key every row would get another key: no level of compatibility allows it.
#[test]
fn the_hmac_key_of_a_released_key_field_stays() {
    let folder = shop();
    let keys = "keys: { pii_1: { env: A }, pii_2: { env: B } }\n";
    folder.write("onramp.yaml", &format!("{GATEWAY}{keys}"));
    let keyed = |key: &str, filter: &str| {
        let email = format!("  email: {{ type: string, from: e, protect: {{ {key} }} }}\n");
        orders(&folder, |text| {
            let text = text.replace("[order_id]", "[order_id, email]");
            text.replace("ordr_hdr }", &format!("ordr_hdr{filter} }}")) + &email
        });
    };
    keyed("hmac: pii_1", "");
    assert_eq!(folder.found(&["release", "--all"]), (vec![], 0));
    assert_eq!(folder.found(&["check"]), (vec![], 0));
    keyed("hmac: pii_2", "");
    let (found, code) = folder.found(&["check"]);
    assert_eq!((&found[0][..], code), ("ONR-621", 1), "{found:?}");
    assert_eq!(folder.found(&["release", "--all"]).1, 1);
    keyed("none: why", "");
    assert_eq!(folder.found(&["check"]).0[0], "ONR-621");
    // An entry that does not name the key was written before it could: nothing is known of it.
    keyed("hmac: pii_1", "");
    let lock: serde_json::Value = serde_json::from_str(&folder.read(LOCK)).unwrap();
    let mut older = lock.clone();
    let contract = older["contracts"]["commerce.orders.v1"].as_object_mut();
    assert!(contract.unwrap().remove("key_pseudonyms").is_some());
    folder.write(LOCK, &older.to_string());
    assert_eq!(folder.found(&["check"]), (codes(&["ONR-624"]), 0));
    folder.write(LOCK, &lock.to_string());
    // The mapping may change as long as the key stays.
    keyed("hmac: pii_1", ", where: row.a == 1");
    assert!(!folder.found(&["check"]).0.contains(&"ONR-621".to_owned()));
}

/// Whatever its type: of a pseudonym and an address, which are both a string, no schema tells.
#[test]
fn a_released_field_that_loses_its_protection_says_why() {
    let folder = shop();
    let gateway = format!("{GATEWAY}keys: {{ pii: {{ env: K }} }}\n");
    folder.write("onramp.yaml", &gateway);
    let with = |protect: &str| {
        let email = "  email: { type: string, from: email, optional: true";
        let dropped = "  born: { type: record, fields: { on: { type: date, from: born } }";
        let protected = protect.replace("hmac: pii", "drop: true");
        orders(&folder, |o| {
            format!("{o}{email}{protect} }}\n{dropped}{protected} }}\non_mapping_change: keep\n")
        });
    };
    with(", protect: { hmac: pii }");
    assert!(
        folder
            .run(&["release", "commerce.orders.v1"])
            .status
            .success()
    );
    with("");
    let bare = |folder: &Folder| {
        let (found, code) = folder.found(&["check"]);
        (found.iter().filter(|code| *code == "ONR-346").count(), code)
    };
    assert_eq!(bare(&folder), (2, 1));
    let released = folder.run(&["release", "commerce.orders.v1"]);
    assert!(!released.status.success(), "{released:?}");
    with(", protect: { none: \"a public register\" }");
    assert_eq!(bare(&folder).0, 0);
}
