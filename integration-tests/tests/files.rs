//! What the program says of files, as somebody at a terminal or a pipeline has it. Needs no servers:
//! a fault in a file ends it before anything is opened.

use std::process::Output;

use onramp_integration_tests::Folder;

/// What lies there answers nobody: a connection would end with another code.
const GATEWAY: &str = r#"gateway: shop
source: { type: postgres, url: "postgres://onramp@127.0.0.1:1/shop" }
kafka: { brokers: ["127.0.0.1:1"] }
registry: { url: "http://127.0.0.1:1" }
products: [products/**/*.yaml]
"#;

const ORDERS: &str = r#"product: commerce.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr_hdr, where: row.del_flg != "Y" }
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
"#;

/// Runs the program from elsewhere, with the folder's gateway file named.
fn run(folder: &Folder, arguments: &[&str]) -> Output {
    let config = folder.path().join("onramp.yaml");
    let config = config.to_str().expect("a path of this test's own");
    folder.run(&[arguments, &["--config", config]].concat())
}

/// Everything that was said, which fits a terminal of 80 columns and has no colour in a pipe.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let text = text.into_owned();
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    text
}

/// A code and where it is found, for each finding.
fn places(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut code = String::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("[ONR-") {
            code = format!("ONR-{}", &rest[..3]);
        } else if let Some(place) = line.trim_start().strip_prefix("--> ") {
            found.push((code.clone(), place.to_owned()));
        }
    }
    found
}

#[test]
fn every_fault_of_every_file_is_told_in_one_run() {
    let typo = ORDERS.replace("status:", "statsu:");
    let typed = ORDERS
        .replace("orders.v1", "lines.v1")
        .replace("from: ord_no", "expr: 'row.a.trim()'");
    let folder = Folder::with(&[
        (
            "onramp.yaml",
            &GATEWAY.replace("127.0.0.1:1\"] }", "x\"] }"),
        ),
        ("products/a/orders.yaml", &typo),
        ("products/b/broken.yaml", "product: [\n"),
        ("products/b/lines.yaml", &typed),
    ]);
    let expected = [
        ("ONR-109", "onramp.yaml:3:20"),
        ("ONR-103", "products/a/orders.yaml:2:1"),
        ("ONR-102", "products/b/broken.yaml:2:1"),
        ("ONR-211", "products/b/lines.yaml:9:34"),
    ]
    .map(|(code, place)| (code.to_owned(), place.to_owned()));
    for command in ["check", "run"] {
        let output = run(&folder, &[command]);
        let text = said(&output);
        assert_eq!(places(&text), expected, "{text}");
        assert!(text.contains("did you mean `status`?"), "{text}");
        assert_eq!(output.status.code(), Some(64), "{text}");
    }
}

#[test]
fn a_fault_in_a_product_is_a_finding_of_check_and_keeps_run_from_starting() {
    let folder = Folder::with(&[
        ("onramp.yaml", GATEWAY),
        ("products/orders.yaml", &ORDERS.replace("long", "lnog")),
    ]);
    let output = run(&folder, &["check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = &said["findings"];
    let finding = &findings[0];
    assert_eq!(finding["code"], "ONR-108");
    assert_eq!(finding["product"], "commerce.orders.v1");
    assert_eq!(
        (&finding["line"], &finding["column"]),
        (&9.into(), &21.into())
    );
    assert_eq!(finding["remedy"], "did you mean `long`?");
    assert_eq!(findings.as_array().map(Vec::len), Some(1));
    assert_eq!(run(&folder, &["run"]).status.code(), Some(64));
}

#[test]
fn sound_files_are_said_to_be_and_wrong_usage_is_not_a_finding() {
    let folder = Folder::with(&[("onramp.yaml", GATEWAY), ("products/orders.yaml", ORDERS)]);
    let output = run(&folder, &["check"]);
    assert_eq!(said(&output), "shop: 1 product(s), nothing wrong\n");
    assert_eq!(output.status.code(), Some(0));
    let output = run(&folder, &["check", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let nothing =
        serde_json::json!({ "findings": [], "gateway": "shop", "products": 1, "refused": [] });
    assert_eq!(told, nothing);
    for wrong in [&["check", "--frmat", "json"][..], &["chek"]] {
        assert_eq!(run(&folder, wrong).status.code(), Some(64), "{wrong:?}");
    }
    let nowhere = Folder::with(&[]);
    let output = run(&nowhere, &["check"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("ONR-101"));
}
