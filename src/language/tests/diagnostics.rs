//! Every diagnostic once: a folder of files and what is said about it.
//!
//! `diagnostics/NAME.yaml` is split at lines `--- FILE` into files of a throwaway folder; lines
//! `# set: path=value` and `# env: NAME=value` at its top are settings. What `load` says about
//! it must be `NAME.expected`. `ONRAMP_BLESS=1 cargo test -p onramp-language` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::path::Path;

use onramp_finding::{Style, to_text};
use onramp_language::{Overrides, load};

/// A gateway file that is right; a case that says nothing of its own about it gets this one.
const GATEWAY: &str = "\
gateway: shop
source: { type: postgres, url: \"postgres://onramp@db/shop\" }
kafka: { brokers: [kafka:9092] }
registry: { url: \"http://registry:8081\" }
keys: { pii_2026: { env: PII } }
products: [products/*.yaml]
";

/// A product file that is right.
const PRODUCT: &str = "\
product: commerce.orders.v1
status: active
owner: { team: order-management, contact: orders@shop.test }
description: Every order.
kind: entity
source: { table: public.ordr_hdr }
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
";

fn said_about(case: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut overrides = Overrides::default();
    let mut files = vec![(String::new(), String::new())];
    for line in case.lines() {
        if let Some(name) = line.strip_prefix("--- ") {
            files.push((name.to_owned(), String::new()));
            continue;
        }
        let setting = |prefix| {
            line.strip_prefix(prefix)
                .and_then(|s: &str| s.split_once('='))
        };
        if let Some((path, value)) = setting("# set: ") {
            overrides.flags.push((path.into(), value.into()));
        } else if let Some((name, value)) = setting("# env: ") {
            overrides.environment.push((name.into(), value.into()));
        } else {
            let file = files.last_mut().unwrap();
            file.1.push_str(line);
            file.1.push('\n');
        }
    }
    for (name, text) in files.iter().skip(1) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.trim_end().strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => {
                let text = text
                    .replace("<PRODUCT>\n", PRODUCT)
                    .replace("<GATEWAY>\n", GATEWAY);
                // Bytes and lengths that a case cannot hold itself.
                let mut bytes = text.replace("<LONG>", &"x".repeat(1 << 20)).into_bytes();
                if let Some(at) = bytes.windows(5).position(|w| w == b"<FF>\n") {
                    bytes[at] = 0xff;
                }
                std::fs::write(path, bytes).unwrap();
            }
        }
    }
    let has = |name: &str| {
        files
            .iter()
            .any(|(n, _)| n == name || n.starts_with(&format!("{name}/")))
    };
    if !has("onramp.yaml") {
        std::fs::write(folder.path().join("onramp.yaml"), GATEWAY).unwrap();
    }
    if !has("products") {
        std::fs::create_dir(folder.path().join("products")).unwrap();
        std::fs::write(folder.path().join("products/orders.yaml"), PRODUCT).unwrap();
    }
    match load(&folder.path().join("onramp.yaml"), &overrides) {
        Ok(loaded) if loaded.warnings.is_empty() => "nothing\n".to_owned(),
        Ok(loaded) => to_text(&loaded.warnings, Style::PLAIN),
        Err(findings) => to_text(&findings, Style::PLAIN),
    }
}

#[test]
fn every_diagnostic_reads_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let bless = std::env::var_os("ONRAMP_BLESS").is_some();
    let mut cases: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .collect();
    cases.sort();
    let mut wrong = String::new();
    let mut everything = String::new();
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        let said = said_about(&text);
        assert!(
            !said.contains("hunter2"),
            "{} shows a secret",
            case.display()
        );
        assert!(
            said.lines().all(|l| l.chars().count() <= 80),
            "too wide:\n{said}"
        );
        everything.push_str(&said);
        let expected = case.with_extension("expected");
        if bless {
            std::fs::write(&expected, &said).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != said {
            wrong.push_str(&format!("{}:\n{said}\n", case.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as expected (ONRAMP_BLESS=1 writes anew):\n{wrong}"
    );
    for code in onramp_finding::codes::files::ALL {
        assert!(
            everything.contains(code.id),
            "no case shows {} {}",
            code.id,
            code.title
        );
    }
}
