//! Writes docs/reference.md, docs/findings.md and docs/onramp.schema.json from the language's
//! definition; with `--check` it only says whether they are as they would be written.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let check = std::env::args().any(|a| a == "--check");
    // Cargo says where the crate is; without it, the docs are looked for in the folder at hand.
    let docs = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(
        || PathBuf::from("docs"),
        |at| PathBuf::from(at).join("../../docs"),
    );
    let mut drifted = false;
    let mut out = std::io::stderr();
    for (name, text) in onramp_language::reference::pages() {
        let path = docs.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        drifted = true;
        let said = if check {
            writeln!(
                out,
                "docs/{name} is not what the definition says; run: cargo run -p onramp-language --bin reference"
            )
        } else if let Err(e) =
            std::fs::create_dir_all(&docs).and_then(|()| std::fs::write(&path, text))
        {
            writeln!(out, "docs/{name} cannot be written: {e}").and(Err(e))
        } else {
            writeln!(out, "docs/{name} written")
        };
        if said.is_err() {
            return ExitCode::FAILURE;
        }
    }
    if check && drifted {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
