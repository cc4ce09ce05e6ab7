//! What the client library tells in the background, kept for whoever asks next.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};

/// What went wrong behind our back.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// Credentials refused: no use in waiting.
    pub(crate) refused: Option<RDKafkaErrorCode>,
    /// The last trouble, for findings and `/ready`.
    pub(crate) last: Option<String>,
    /// The first event that was not delivered: its topic and why.
    pub(crate) undelivered: Option<(String, RDKafkaErrorCode)>,
}

/// The context of every client; clones share what was seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Before something new is sent with a client that lives long.
    pub(crate) fn forget_undelivered(&self) {
        self.lock().undelivered = None;
    }

    /// Whether anything sent was not delivered; cheap.
    pub(crate) fn any_undelivered(&self) -> bool {
        self.lock().undelivered.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        // What is kept here is plain data; a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "onramp::kafka", facility = fac, "{log_message}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "onramp::kafka", facility = fac, "{log_message}");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "onramp::kafka", facility = fac, "{log_message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        tracing::debug!(target: "onramp::kafka", ?code, "{reason}");
        let mut seen = self.lock();
        if let Some(
            code @ (RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::UnsupportedSASLMechanism
            | RDKafkaErrorCode::IllegalSASLState),
        ) = code
        {
            seen.refused = Some(code);
        }
        seen.last = Some(reason.to_owned());
    }
}

impl ConsumerContext for Watch {}

impl ProducerContext<NoCustomPartitioner> for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, message)) = result {
            let code = error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown);
            let mut seen = self.lock();
            // What is purged by an abort is an effect, not a cause.
            let purged = matches!(
                code,
                RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight
            );
            if seen.undelivered.is_none() && !purged {
                seen.undelivered = Some((message.topic().to_owned(), code));
            }
        }
    }
}
