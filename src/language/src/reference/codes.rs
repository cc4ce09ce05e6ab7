//! The page of every finding's code.

use std::fmt::Write as _;

/// docs/findings.md.
pub fn findings() -> String {
    let mut out = String::from(
        "# Findings\n\n\
         <!-- Written by `cargo run -p onramp-language --bin reference`. -->\n\n\
         Every finding has a code that never changes its meaning: 1xx files, 2xx expressions, 3xx\n\
         mappings, 4xx the source, 5xx Kafka, 6xx the registry and contracts, 7xx running.\n",
    );
    for code in onramp_finding::codes::all() {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n## {}: {}\n\n{}\n",
            code.id,
            code.title,
            code.reason.trim_end()
        );
        let example = code.example.trim_end();
        let _ = write!(out, "\n```{}\n{example}\n```\n", written_in(example));
        let _ = write!(out, "\n**What to do.** {}\n", code.remedy.trim_end());
    }
    out
}

/// What an example is written in: most are a part of a file.
fn written_in(example: &str) -> &'static str {
    const SQL: [&str; 8] = [
        "ALTER ",
        "CREATE ",
        "DELETE ",
        "SELECT ",
        "SET ",
        "SHOW ",
        "TRUNCATE ",
        "UPDATE ",
    ];
    if SQL.iter().any(|word| example.starts_with(word)) {
        "sql"
    } else if example.starts_with("$ ") {
        "sh"
    } else if example.starts_with("error[") {
        "text"
    } else {
        "yaml"
    }
}
