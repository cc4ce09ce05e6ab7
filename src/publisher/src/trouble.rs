//! Which of Kafka's errors pass by themselves, which need somebody, and which mean that another
//! took over.

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as E};

use crate::context::Watch;

/// What an error code means for the gateway. `doing` is what was tried ("committing a
/// transaction"), `place` where.
pub(crate) fn failure(code: E, doing: &str, place: Place) -> Failure {
    let found = |code, message: String| Finding::error(code, place.clone(), message);
    match code {
        E::Fenced | E::ProducerFenced | E::InvalidProducerEpoch => Failure::stop(
            Kind::Fenced,
            found(&codes::FENCED, format!("fenced while {doing}")),
        ),
        E::Authentication
        | E::SaslAuthenticationFailed
        | E::UnsupportedSASLMechanism
        | E::IllegalSASLState => Failure::stop(
            Kind::Broker,
            found(
                &codes::AUTHENTICATION,
                format!("credentials refused while {doing}"),
            )
            .remedy(codes::AUTHENTICATION.remedy),
        ),
        E::TopicAuthorizationFailed
        | E::ClusterAuthorizationFailed
        | E::TransactionalIdAuthorizationFailed
        | E::GroupAuthorizationFailed
        | E::DelegationTokenAuthorizationFailed => Failure::stop(
            Kind::Broker,
            found(
                &codes::AUTHORISATION,
                format!("not authorised: {doing} ({})", name(code)),
            )
            .remedy(codes::AUTHORISATION.remedy),
        ),
        E::MessageSizeTooLarge | E::MessageBatchTooLarge | E::InvalidMessageSize => Failure::stop(
            Kind::Data,
            found(
                &codes::TOO_LARGE,
                format!("an event is too large for the broker, while {doing}"),
            )
            .remedy(codes::TOO_LARGE.remedy),
        ),
        E::InvalidTimestamp | E::InvalidRecord => Failure::stop(
            Kind::Data,
            found(
                &codes::EVENT_REFUSED,
                format!("an event is refused ({}), while {doing}", name(code)),
            )
            .remedy(codes::EVENT_REFUSED.remedy),
        ),
        E::InvalidTransactionTimeout => Failure::stop(
            Kind::Configuration,
            found(
                &codes::TIMEOUT_REFUSED,
                "the brokers refuse transaction.timeout.ms".to_owned(),
            )
            .remedy(codes::TIMEOUT_REFUSED.remedy),
        ),
        E::UnknownTopic | E::UnknownPartition | E::UnknownTopicOrPartition | E::UnknownTopicId => {
            Failure::stop(
                Kind::Broker,
                found(
                    &codes::TOPIC_MISSING,
                    format!("a topic or partition is not there, while {doing}"),
                )
                .remedy(codes::TOPIC_MISSING.remedy),
            )
        }
        E::InvalidTransactionalState
        | E::InvalidProducerIdMapping
        | E::ConcurrentTransactions
        | E::OutOfOrderSequenceNumber
        | E::Inconsistent
        | E::State
        | E::MessageTimedOut => Failure::retry(
            Kind::Broker,
            found(
                &codes::ABORTED,
                format!("transaction aborted ({}) while {doing}", name(code)),
            ),
        ),
        E::OperationTimedOut
        | E::AllBrokersDown
        | E::BrokerTransportFailure
        | E::Resolve
        | E::RequestTimedOut
        | E::CoordinatorNotAvailable
        | E::CoordinatorLoadInProgress
        | E::NotCoordinator
        | E::BrokerNotAvailable
        | E::LeaderNotAvailable
        | E::NotLeaderForPartition
        | E::NetworkException
        | E::SSL => Failure::retry(
            Kind::Broker,
            found(
                &codes::UNREACHABLE,
                format!("Kafka does not answer ({}) while {doing}", name(code)),
            ),
        ),
        other => Failure::retry(
            Kind::Broker,
            found(
                &codes::CLIENT,
                format!("Kafka failed ({}) while {doing}", name(other)),
            ),
        ),
    }
}

/// The same for the library's error type.
pub(crate) fn of(error: &KafkaError, doing: &str, place: Place) -> Failure {
    match error.rdkafka_error_code() {
        Some(code) => failure(code, doing, place),
        None => Failure::retry(
            Kind::Broker,
            Finding::error(
                &codes::CLIENT,
                place,
                format!("Kafka failed while {doing} ({error})"),
            ),
        ),
    }
}

/// A failure with what the client saw in the background: refused credentials explain a silence,
/// and do not pass by waiting.
pub(crate) fn explained(failed: Failure, watch: &Watch, doing: &str) -> Failure {
    let seen = watch.seen();
    if let (true, Some(code)) = (failed.retry, seen.refused) {
        let mut refused = failure(code, doing, Place::Nowhere);
        because(&mut refused, seen.last);
        return refused;
    }
    let mut failed = failed;
    if failed.retry {
        because(&mut failed, seen.last);
    }
    failed
}

fn because(failure: &mut Failure, last: Option<String>) {
    if let (Some(finding), Some(last)) = (failure.findings.first_mut(), last) {
        finding.reason.get_or_insert(last);
    }
}

/// The code's name, as Kafka's documentation has it.
fn name(code: E) -> String {
    format!("{code:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_somebody_is_not_tried_again() {
        for (code, kind, retry) in [
            (E::Fenced, Kind::Fenced, false),
            (E::InvalidProducerEpoch, Kind::Fenced, false),
            (E::SaslAuthenticationFailed, Kind::Broker, false),
            (E::TopicAuthorizationFailed, Kind::Broker, false),
            (E::MessageSizeTooLarge, Kind::Data, false),
            (E::InvalidTransactionTimeout, Kind::Configuration, false),
            (E::AllBrokersDown, Kind::Broker, true),
            (E::MessageTimedOut, Kind::Broker, true),
            (E::NotEnoughReplicas, Kind::Broker, true),
        ] {
            let failure = failure(code, "testing", Place::Nowhere);
            assert_eq!((failure.kind, failure.retry), (kind, retry), "{code:?}");
        }
    }
}
