//! Every code there is, by where it is found.
//!
//! 1xx files, 2xx expressions, 3xx mappings, 4xx the source, 5xx Kafka, 6xx the registry,
//! contracts and drafts, 7xx running.

use crate::Code;

pub mod contracts;
pub mod discovery;
pub mod dry_run;
pub mod expression;
pub mod files;
pub mod fixtures;
pub mod kafka;
pub mod mapping;
pub mod protection;
pub mod registry;
pub mod running;
pub mod source;

/// All codes, in order.
pub fn all() -> Vec<&'static Code> {
    let mut all = [
        files::ALL,
        fixtures::ALL,
        expression::ALL,
        mapping::ALL,
        protection::ALL,
        source::ALL,
        kafka::ALL,
        registry::ALL,
        contracts::ALL,
        discovery::ALL,
        running::ALL,
        dry_run::ALL,
    ]
    .concat();
    // The program's own fault is the last, whoever came after it.
    all.sort_by_key(|code| code.id);
    all
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_code_has_its_number_and_a_whole_page() {
        let all = super::all();
        for pair in all.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} {}", pair[0].id, pair[1].id);
        }
        for code in all {
            let number = code.id.strip_prefix("ONR-").unwrap_or_default();
            assert!(
                number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()),
                "{}",
                code.id
            );
            for part in [code.title, code.reason, code.example, code.remedy] {
                assert!(!part.trim().is_empty(), "{} lacks a part", code.id);
            }
        }
    }
}
