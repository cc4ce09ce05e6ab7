//! What a command prints, held against a file that people have read.

use std::path::Path;

/// Compares a text with `tests/expected/<name>`. `ONRAMP_BLESS=1` writes it instead, to be read before
/// it is committed.
///
/// # Panics
/// Where it differs, or there is no such file.
pub fn is_as_expected(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/expected")
        .join(name);
    if std::env::var_os("ONRAMP_BLESS").is_some() {
        std::fs::write(&path, text).expect("the folder is writable");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{name} is another; ONRAMP_BLESS=1 writes it\n--- expected\n{expected}\n--- is\n{text}"
    );
}

/// No line is wider than a terminal of 80 columns.
///
/// # Panics
/// Where one is.
pub fn fits_80_columns(text: &str) {
    for line in text.lines() {
        let columns = line.chars().count();
        assert!(columns <= 80, "{columns} columns: {line}\nin\n{text}");
    }
}
