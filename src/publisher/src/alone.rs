//! Progress written alone: a decision that is taken while nobody streams.

use std::time::Instant;

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

use crate::producer::TransactionalProducer;
use crate::progress::{POSITION_KEY, PositionRecord};

/// Writes a position and further records (key and value) in one transaction: all of them, or none.
///
/// The producer fenced every other of its gateway, and progress was read after that. A failure uses
/// it up: nobody knows whether the transaction was committed, and progress is to be read again.
pub fn write_alone(
    producer: TransactionalProducer,
    position: &PositionRecord,
    notes: &[(String, String)],
) -> Result<TransactionalProducer, Failure> {
    match write(&producer, position, notes) {
        Ok(()) => Ok(producer),
        Err(failure) => {
            producer.abort();
            Err(failure)
        }
    }
}

fn write(
    producer: &TransactionalProducer,
    position: &PositionRecord,
    notes: &[(String, String)],
) -> Result<(), Failure> {
    let began = Instant::now();
    let allowed = producer.timeout();
    let mut still = || match began.elapsed() < allowed {
        true => Ok(()),
        false => Err(Failure::stop(
            Kind::Broker,
            Finding::error(
                &codes::UNREACHABLE,
                Place::Nowhere,
                format!("progress is not written within {} s", allowed.as_secs()),
            )
            .remedy(codes::UNREACHABLE.remedy),
        )),
    };
    producer.begin()?;
    for (key, value) in notes {
        producer.send_progress(key, value, &mut still)?;
    }
    let value = serde_json::to_string(position).unwrap_or_default();
    producer.send_progress(POSITION_KEY, &value, &mut still)?;
    producer.commit(&mut still)
}
