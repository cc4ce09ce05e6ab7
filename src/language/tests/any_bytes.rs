//! No bytes make the loader panic, and no finding points outside of its file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use onramp_finding::{Place, Style, to_json, to_text};
use onramp_language::{Overrides, read};
use proptest::prelude::*;

const PRODUCT: &str = include_str!("../../../examples/shop/products/commerce/orders.yaml");
const GATEWAY: &str = include_str!("../../../config/onramp.yaml");

fn survives(gateway: &[u8], product: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("products")).unwrap();
    std::fs::write(folder.path().join("onramp.yaml"), gateway).unwrap();
    std::fs::write(folder.path().join("products/a.yaml"), product).unwrap();
    let reading = read(&folder.path().join("onramp.yaml"), &Overrides::default());
    for finding in &reading.findings {
        if let Place::File { file, span } = &finding.place {
            assert!(
                span.start <= span.end && span.end as usize <= file.text.len(),
                "{finding:?}"
            );
        }
    }
    let _ = to_text(&reading.findings, Style::PLAIN);
    let _ = to_json(&reading.findings);
}

/// A sound file with some bytes replaced, removed or doubled.
fn mangled(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(": "),
        Just("- "),
        Just("\n"),
        Just("&a "),
        Just("*a"),
        Just("\""),
        Just("'"),
        Just("|\n"),
        Just("#"),
        Just("ä"),
        Just("\u{feff}"),
        Just("<<: "),
        Just("? "),
        Just("%"),
        Just("\t"),
        Just("!x "),
        Just(""),
    ];
    prop::collection::vec((0..text.len(), 0usize..12, pieces), 1..6).prop_map(move |edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, removed, piece) in edits {
            let at = at.min(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(GATEWAY.as_bytes(), &bytes);
        survives(&bytes, PRODUCT.as_bytes());
    }

    #[test]
    fn any_text(text in "(\\PC|[\\n:{}\\[\\]\"'&*|> -])*") {
        survives(GATEWAY.as_bytes(), text.as_bytes());
        survives(text.as_bytes(), PRODUCT.as_bytes());
    }

    #[test]
    fn any_settings(path in "[a-z_.\\[\\]0-9-]{0,20}", value in any::<String>(), key in "(SOURCE|KAFKA|KEYS|LIMITS|X)(__?[A-Z.]{0,6}){0,3}") {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("onramp.yaml"), GATEWAY).unwrap();
        let overrides = Overrides {
            environment: vec![(format!("ONRAMP_{key}"), value.clone())],
            flags: vec![(path, value)],
        };
        let reading = read(&folder.path().join("onramp.yaml"), &overrides);
        let _ = to_text(&reading.findings, Style::PLAIN);
    }

    #[test]
    fn nearly_right(gateway in mangled(GATEWAY), product in mangled(PRODUCT)) {
        survives(&gateway, &product);
    }
}
