//! Every code there is, by where it is found.
//!
//! 1xx files, 2xx expressions, 3xx mappings, 4xx the source, 5xx Kafka, 6xx the registry and
//! contracts, 7xx running.

use crate::Code;

pub mod expression;
pub mod files;
pub mod kafka;
pub mod mapping;
pub mod registry;
pub mod running;
pub mod source;

/// All codes, in order.
pub fn all() -> Vec<&'static Code> {
    [
        files::ALL,
        expression::ALL,
        mapping::ALL,
        source::ALL,
        kafka::ALL,
        registry::ALL,
        running::ALL,
    ]
    .concat()
}
