//! What the registry answers, and what each trouble means.

use std::error::Error;

use onramp_finding::codes::registry as codes;
use onramp_finding::{Code, Failure, Finding, Kind, Place};
use serde_json::Value;

use crate::Level;
use crate::client::{Registered, Verdict};

/// A status and the JSON that came with it.
pub(crate) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    /// Takes a success or a refusal that the documented API knows; everything else is an error.
    pub(crate) fn read(status: u16, text: &[u8]) -> Result<Answer, Failure> {
        let body = serde_json::from_slice::<Value>(text).ok();
        match status {
            401 | 403 => {
                let message = format!("the registry refuses access (status {status})");
                return Err(Failure::stop(
                    Kind::Registry,
                    finding(&codes::REGISTRY_REFUSED, "", message),
                ));
            }
            408 | 429 | 500..=599 => {
                let message = format!("the registry cannot work now (status {status})");
                return Err(Failure::retry(
                    Kind::Registry,
                    finding(&codes::REGISTRY_UNREACHABLE, "", message),
                ));
            }
            300..=399 => {
                let message = format!("the registry's address redirects (status {status})");
                return Err(Failure::stop(
                    Kind::Registry,
                    finding(&codes::REGISTRY_ANSWER, "", message),
                ));
            }
            _ => {}
        }
        match body {
            Some(body) if (200..300).contains(&status) => Ok(Answer { status, body }),
            Some(body) if body.get("error_code").is_some() => Ok(Answer { status, body }),
            // Not this API's way to refuse: another server's page.
            _ => Err(odd("", &format!("no JSON of this API (status {status})"))),
        }
    }

    /// The subject, version, schema or configuration is not there: 40401 to 40408.
    pub(crate) fn is_missing(&self) -> bool {
        self.status == 404
    }

    /// The body of a success.
    pub(crate) fn success(self, subject: &str) -> Result<Value, Failure> {
        let Answer { status, body } = self;
        let code = body.get("error_code").and_then(Value::as_i64).unwrap_or(0);
        let said = body.get("message").and_then(Value::as_str).unwrap_or("");
        match status {
            200..=299 => Ok(body),
            409 | 422 => {
                let message = "the registry refuses the request".to_owned();
                let reason = format!("it answers {code}: {}", bounded(said));
                let mut finding = finding(&codes::REGISTRY_SCHEMA, subject, message);
                finding.reason = Some(reason);
                Err(Failure::stop(Kind::Registry, finding))
            }
            _ => Err(odd(subject, &format!("status {status}, error code {code}"))),
        }
    }

    /// A version of a subject; none where it is missing.
    pub(crate) fn registered(self, subject: &str) -> Result<Option<Registered>, Failure> {
        if self.is_missing() {
            return Ok(None);
        }
        let body = self.success(subject)?;
        let parts = (
            body.get("version").and_then(number),
            body.get("id").and_then(number),
            body.get("schema").and_then(Value::as_str),
        );
        let (Some(version), Some(id), Some(schema)) = parts else {
            return Err(odd(subject, "a version lacks its number, id or schema"));
        };
        let kind = body.get("schemaType").and_then(Value::as_str);
        let references = body.get("references").and_then(Value::as_array);
        Ok(Some(Registered {
            version,
            id,
            schema: schema.to_owned(),
            kind: kind.unwrap_or("AVRO").to_owned(),
            has_references: references.is_some_and(|listed| !listed.is_empty()),
        }))
    }

    /// A level; none where the configuration holds other things alone.
    pub(crate) fn level(self, subject: &str) -> Result<Option<Level>, Failure> {
        let body = self.success(subject)?;
        match body.get("compatibilityLevel") {
            None | Some(Value::Null) => Ok(None),
            Some(word) => word
                .as_str()
                .and_then(|word| word.parse().ok())
                .map(Some)
                .ok_or_else(|| odd(subject, "the compatibility level is none of the seven")),
        }
    }

    /// The registry's own check.
    pub(crate) fn verdict(self, subject: &str) -> Result<Verdict, Failure> {
        let body = self.success(subject)?;
        let compatible = body
            .get("is_compatible")
            .and_then(Value::as_bool)
            .ok_or_else(|| odd(subject, "a compatibility check without a result"))?;
        let messages = body.get("messages").and_then(Value::as_array);
        Ok(Verdict {
            compatible,
            messages: messages
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .take(10)
                .map(bounded)
                .collect(),
        })
    }
}

/// A number that fits one of the registry's.
pub(crate) fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

/// The registry's own words, on one line and short.
fn bounded(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(300).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// Where in the registry; as a whole where the subject is empty.
pub(crate) fn place(subject: &str) -> Place {
    if subject.is_empty() {
        Place::Registry("schema registry".to_owned())
    } else {
        Place::Registry(format!("subject {subject}"))
    }
}

/// A finding with the code's own reason and remedy.
pub(crate) fn finding(code: &'static Code, subject: &str, message: String) -> Finding {
    Finding::error(code, place(subject), message)
        .because(code.reason)
        .remedy(code.remedy)
}

/// An answer that the documented API does not give.
pub(crate) fn odd(subject: &str, what: &str) -> Failure {
    let message = format!("the registry's answer is not understood: {what}");
    Failure::stop(
        Kind::Registry,
        finding(&codes::REGISTRY_ANSWER, subject, message),
    )
}

/// An answer beyond the bound.
pub(crate) fn too_large(limit: usize) -> Failure {
    odd("", &format!("it is larger than {limit} bytes"))
}

/// The password could not be read; `why` names where it was looked for.
pub(crate) fn password_unread(why: &str) -> Failure {
    let message = format!("registry.password cannot be read: {why}");
    Failure::stop(
        Kind::Configuration,
        finding(&codes::REGISTRY_SETTINGS, "", message),
    )
}

/// No answer, or half of one.
pub(crate) fn transport(error: reqwest::Error) -> Failure {
    // The error prints its address; what it says without it is enough.
    let error = error.without_url();
    if let Some(tls) = tls_trouble(&error) {
        let message = format!("TLS with the registry fails: {tls}");
        return Failure::stop(Kind::Registry, finding(&codes::REGISTRY_TLS, "", message));
    }
    let message = if error.is_timeout() {
        "the registry does not answer in time"
    } else if error.is_connect() {
        "no connection to the registry"
    } else {
        "the connection to the registry broke"
    };
    let mut deepest: &dyn Error = &error;
    while let Some(inner) = deepest.source() {
        deepest = inner;
    }
    let message = format!("{message}: {}", bounded(&deepest.to_string()));
    Failure::retry(
        Kind::Registry,
        finding(&codes::REGISTRY_UNREACHABLE, "", message),
    )
}

/// TLS's own error among the causes.
fn tls_trouble<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(why) = cause {
        if let Some(tls) = why.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An io::Error that wraps another gives that one's source as its own, and so hides it.
        cause = match why
            .downcast_ref::<std::io::Error>()
            .and_then(|io| io.get_ref())
        {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => why.source(),
        };
    }
    None
}
