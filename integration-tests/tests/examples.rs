//! The examples are what a reader begins with: nothing is wrong with them, and each product is tested.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The gateway files of all examples.
fn gateways() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let found = std::fs::read_dir(examples).unwrap();
    let found = found.map(|folder| folder.unwrap().path().join("onramp.yaml"));
    found.filter(|config| config.is_file()).collect()
}

/// What a command says of a gateway in JSON, and whether it succeeds.
fn told(config: &Path, arguments: &[&str]) -> (bool, Value) {
    let done = Command::new(onramp_integration_tests::binary())
        .args(arguments)
        .args(["--format", "json", "--config"])
        .arg(config)
        .output()
        .unwrap();
    let read = serde_json::from_slice(&done.stdout);
    (done.status.success(), read.expect("JSON"))
}

#[test]
fn nothing_is_wrong_with_the_examples() {
    let gateways = gateways();
    assert!(gateways.len() >= 4, "one of each kind: {gateways:?}");
    for config in gateways {
        let (sound, said) = told(&config, &["check", "--fail-on", "info"]);
        assert!(sound, "{}: {said}", config.display());
    }
}

#[test]
fn each_product_of_the_examples_has_tests_that_pass() {
    for config in gateways() {
        let (passed, said) = told(&config, &["test"]);
        assert!(passed, "{}: {said}", config.display());
        let tests = said["tests"].as_array().unwrap();
        let tested: BTreeSet<&str> = tests
            .iter()
            .map(|t| t["product"].as_str().unwrap())
            .collect();
        let (_, checked) = told(&config, &["check"]);
        let products = checked["products"].as_u64().unwrap();
        assert_eq!(
            tested.len() as u64,
            products,
            "{}: {tested:?}",
            config.display()
        );
    }
}
