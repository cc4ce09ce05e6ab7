//! What goes wrong on the wire, and what that means for the operator.

use std::io;

use fallible_iterator::FallibleIterator;
use onramp_finding::codes::source as codes;
use onramp_finding::{Code, Failure, Finding, Kind, Place};
use postgres_protocol::message::backend::ErrorResponseBody;

use crate::catalogue::session::speaks_of_names;
use crate::target::Target;

/// The server's own error. Its detail and hint are left out: a detail may hold a row's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerError {
    /// SQLSTATE.
    pub(crate) state: String,
    /// The primary message.
    pub(crate) message: String,
}

impl ServerError {
    /// Reads an ErrorResponse.
    pub(crate) fn read(body: &ErrorResponseBody) -> ServerError {
        let mut error = ServerError {
            state: String::new(),
            message: String::new(),
        };
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => error.state = text(),
                b'M' => error.message = text(),
                _ => {}
            }
        }
        error
    }
}

/// Trouble with the connection.
#[derive(Debug)]
pub(crate) enum WireError {
    /// It cannot be made, or was cut.
    Io(io::Error),
    /// The server says no.
    Server(ServerError),
    /// TLS is not as the file asks for.
    Tls(String),
    /// Authentication that is not offered to this server.
    Authentication(&'static str),
    /// What the protocol does not have here.
    Protocol(String),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        WireError::Io(error)
    }
}

impl WireError {
    /// What it means for the gateway: whether to try again, and what to tell the operator.
    pub(crate) fn failure(self, target: &Target, connecting: bool) -> Failure {
        let place = Place::Source(format!(
            "{}@{}:{}/{}",
            target.user, target.host, target.port, target.database
        ));
        let finding = |code: &'static Code, message: &str, reason: String| {
            Finding::error(code, place.clone(), message)
                .because(reason)
                .remedy(code.remedy)
        };
        match self {
            WireError::Io(error) if connecting => Failure::retry(
                Kind::Source,
                finding(
                    &codes::UNREACHABLE,
                    "the source cannot be reached",
                    error.to_string(),
                ),
            ),
            WireError::Io(error) => Failure::retry(
                Kind::Source,
                finding(
                    &codes::CONNECTION_LOST,
                    "the connection to the source's log was lost",
                    error.to_string(),
                ),
            ),
            WireError::Server(error) => server(&error, finding),
            WireError::Tls(reason) => Failure::stop(
                Kind::Source,
                finding(
                    &codes::TLS_UNUSABLE,
                    "the source cannot be reached over TLS",
                    reason,
                ),
            ),
            WireError::Authentication(reason) => Failure::stop(
                Kind::Source,
                finding(
                    &codes::AUTHENTICATION,
                    "the gateway cannot prove to the source who it is",
                    reason.to_owned(),
                ),
            ),
            WireError::Protocol(reason) => Failure::stop(
                Kind::Source,
                finding(
                    &codes::LOG_UNREADABLE,
                    "the source's log is not understood",
                    reason,
                ),
            ),
        }
    }
}

/// Which errors of the server may pass by themselves: 08 connection, 40 conflict, 53 resources,
/// 57 the operator's intervention, 55006 somebody else's slot, 55P03 a lock.
fn server(
    error: &ServerError,
    finding: impl Fn(&'static Code, &str, String) -> Finding,
) -> Failure {
    let state = error.state.as_str();
    // A message of another class may quote a row: a text that cannot be converted, say.
    let reason = if speaks_of_names(state) {
        format!("{} (SQLSTATE {state})", error.message)
    } else {
        format!("SQLSTATE {state}")
    };
    if state.starts_with("28") || state == "3D000" {
        let finding = finding(
            &codes::NOT_LET_IN,
            "the source refuses the connection",
            reason,
        );
        return Failure::stop(Kind::Source, finding);
    }
    let finding = finding(
        &codes::LOG_REFUSED,
        "the source refuses to stream its log",
        reason,
    );
    let passes = ["08", "40", "53", "57"]
        .iter()
        .any(|class| state.starts_with(class))
        || matches!(state, "55006" | "55P03");
    if passes {
        Failure::retry(Kind::Source, finding)
    } else {
        Failure::stop(Kind::Source, finding)
    }
}
