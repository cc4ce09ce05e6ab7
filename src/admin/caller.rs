//! The caller's side of the admin endpoint: what `onramp status` and `onramp backfill` ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use onramp_finding::codes::{self, running};
use onramp_finding::{Failure, Finding, Kind, Place, SourceFile, Span};
use onramp_language::{Admin, Gateway};
use serde_json::Value;

use super::{Order, ReplayOrder, WHERE};
use crate::run::history::command::{Accepted, Replayed};
use crate::status::Status;

/// Longer than the endpoint itself takes to give up.
const PATIENCE: Duration = Duration::from_secs(45);
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// What the gateway that runs tells; [`running::NO_ANSWER`] where none does.
pub(crate) async fn status(gateway: &Gateway) -> Result<Status, Failure> {
    let admin = admin(gateway)?;
    let request = client()?.get(url(admin, "status"));
    let (_, body) = send(admin, request, None).await?;
    serde_json::from_str(&body).map_err(|_| no_answer("what answers is not a gateway's status"))
}

/// Orders a back-fill; gives the run, which progress holds then.
pub(crate) async fn backfill(gateway: &Gateway, order: &Order) -> Result<Accepted, Failure> {
    let admin = admin(gateway)?;
    let body = serde_json::to_string(order).unwrap_or_default();
    let request = client()?
        .post(url(admin, "backfill"))
        .header("content-type", "application/json")
        .body(body);
    let (_, body) = send(admin, request, order.filter.as_deref()).await?;
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    match answer["run"].as_str() {
        Some(run) => Ok(Accepted {
            run: run.to_owned(),
            under_way: answer["under_way"] == true,
        }),
        None => Err(no_answer("what answers is not a gateway")),
    }
}

/// Has facts in quarantine told late; gives what was committed.
pub(crate) async fn replay(gateway: &Gateway, order: &ReplayOrder) -> Result<Replayed, Failure> {
    let admin = admin(gateway)?;
    let body = serde_json::to_string(order).unwrap_or_default();
    let request = client()?
        .post(url(admin, "replay"))
        .header("content-type", "application/json")
        .body(body);
    let (_, body) = send(admin, request, None).await?;
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let number = |name: &str| answer[name].as_u64();
    let findings = answer["not_replayed"].as_array().into_iter().flatten();
    let told = || {
        Some(Replayed {
            rows: number("rows")?,
            events: number("events")?,
            before: number("before")?,
            left: number("left")?,
            refused: number("refused")?,
            findings: findings.filter_map(|f| finding(f, None)).collect(),
        })
    };
    told().ok_or_else(|| no_answer("what answers is not a gateway"))
}

fn admin(gateway: &Gateway) -> Result<&Admin, Failure> {
    gateway.admin.as_ref().ok_or_else(|| {
        let finding = Finding::error(
            &running::NO_ANSWER,
            Place::Setting("admin".into()),
            "the gateway file names no admin endpoint",
        )
        .because(running::NO_ANSWER.reason)
        .remedy("add `admin: { listen: \"127.0.0.1:8081\" }` to the gateway file, and start the gateway anew");
        Failure::stop(Kind::Configuration, finding)
    })
}

/// Where one that listens everywhere is reached from here.
fn url(admin: &Admin, what: &str) -> String {
    let ip = match admin.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let at = SocketAddr::new(ip, admin.listen.port());
    format!("http://{at}/v1/{what}")
}

fn client() -> Result<reqwest::Client, Failure> {
    let none = || Failure::internal(&running::INTERNAL, "no http client can be made");
    // The endpoint speaks plain http; the client looks for a TLS provider all the same.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| none())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_PATIENCE)
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|_| none())
}

/// The answer's text; a refusal's findings as a failure.
async fn send(
    admin: &Admin,
    mut request: reqwest::RequestBuilder,
    condition: Option<&str>,
) -> Result<(u16, String), Failure> {
    if let Some(token) = &admin.token {
        let token = token.read().map_err(|reason| {
            let finding = Finding::error(
                &running::SECRET_UNREADABLE,
                Place::Setting("admin.token".into()),
                "the secret cannot be read",
            );
            let remedy = "set the environment variable, or make the file readable";
            Failure::stop(Kind::Configuration, finding.because(reason).remedy(remedy))
        })?;
        request = request.bearer_auth(token);
    }
    let answered = request.send().await;
    let answer = answered.map_err(|error| {
        let why = match (error.is_connect(), error.is_timeout()) {
            (true, _) => format!("nobody listens on {}", admin.listen),
            (_, true) => format!("{} does not answer in time", admin.listen),
            _ => format!("the connection to {} broke", admin.listen),
        };
        no_answer(why)
    })?;
    let status = answer.status();
    let body = answer.text().await;
    let body = body.map_err(|_| no_answer(format!("the connection to {} broke", admin.listen)))?;
    if status.is_success() {
        return Ok((status.as_u16(), body));
    }
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let told = answer["findings"].as_array().cloned().unwrap_or_default();
    let told: Vec<Finding> = told.iter().filter_map(|f| finding(f, condition)).collect();
    if told.is_empty() {
        return Err(no_answer(format!("{} answers {status}", admin.listen)));
    }
    Err(Failure {
        kind: Kind::Configuration,
        retry: matches!(status.as_u16(), 503 | 504),
        findings: told,
    })
}

fn no_answer(why: impl Into<String>) -> Failure {
    let finding = Finding::error(&running::NO_ANSWER, Place::Nowhere, why)
        .because(running::NO_ANSWER.reason)
        .remedy(running::NO_ANSWER.remedy);
    Failure::retry(Kind::Configuration, finding)
}

/// A finding as the endpoint tells it. Of a place in the order's own condition the text is here.
fn finding(told: &Value, condition: Option<&str>) -> Option<Finding> {
    let text = |key: &str| told[key].as_str().map(str::to_owned);
    let id = told["code"].as_str()?;
    let code = codes::all().into_iter().find(|c| c.id == id)?;
    let place = match (told["file"].as_str(), condition) {
        (Some(WHERE), Some(condition)) => within(told, condition),
        _ => text("place").map_or(Place::Nowhere, Place::Setting),
    };
    let mut finding = Finding::error(code, place, text("message")?);
    finding.reason = text("reason");
    finding.remedy = text("remedy");
    finding.product = text("product");
    Some(finding)
}

/// A place in a condition that stands on one line, by its columns.
fn within(told: &Value, condition: &str) -> Place {
    // As the endpoint has it: see how it makes a file of the condition.
    let text = match condition.starts_with(['\'', '"']) {
        true => format!(" {condition}"),
        false => condition.to_owned(),
    };
    let offset = |line: &str, column: &str| {
        let (line, column) = (told[line].as_u64()?, told[column].as_u64()?);
        let before: usize = text
            .split_inclusive('\n')
            .take(line as usize - 1)
            .map(str::len)
            .sum();
        let here = text.get(before..)?;
        let at = here.char_indices().nth(column as usize - 1);
        u32::try_from(before + at.map_or(here.len(), |(at, _)| at)).ok()
    };
    let span = Span {
        start: offset("line", "column").unwrap_or(0),
        end: offset("end_line", "end_column").unwrap_or(0),
    };
    let file = Arc::new(SourceFile {
        name: "--where".to_owned(),
        text,
    });
    Place::File { file, span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onramp_finding::codes::expression;

    #[test]
    fn a_finding_inside_a_condition_comes_back_with_its_place() {
        let condition = "row.a == 'ä' && row.nope == 1";
        let start = condition.find("row.nope").unwrap() as u32;
        let file = Arc::new(SourceFile {
            name: WHERE.into(),
            text: condition.into(),
        });
        let span = Span {
            start,
            end: start + 8,
        };
        let place = Place::File { file, span };
        let sent = Finding::error(&expression::UNKNOWN_NAME, place, "unknown column `nope`")
            .remedy("did you mean `name`?");
        let told = onramp_finding::to_json(std::slice::from_ref(&sent));
        let back = finding(&told[0], Some(condition)).unwrap();
        assert_eq!((back.code, back.remedy), (sent.code, sent.remedy));
        let Place::File { file, span: found } = back.place else {
            panic!("a place in the condition");
        };
        assert_eq!((file.name.as_str(), found), ("--where", span));
    }

    #[test]
    fn one_that_listens_everywhere_is_asked_on_loopback() {
        let at = |listen: &str| {
            let admin = Admin {
                listen: listen.parse().unwrap(),
                token: None,
            };
            url(&admin, "status")
        };
        assert_eq!(at("0.0.0.0:81"), "http://127.0.0.1:81/v1/status");
        assert_eq!(at("[::]:81"), "http://[::1]:81/v1/status");
        assert_eq!(at("10.0.0.1:81"), "http://10.0.0.1:81/v1/status");
    }
}
