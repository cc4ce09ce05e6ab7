//! The admin endpoint: where an operator asks the gateway that runs, and tells it what to do.
//!
//! `GET /v1/status` answers from memory, whatever else is down. `POST /v1/backfill` orders a run
//! over a product's rows, `POST /v1/replay` has facts in quarantine told late. A refusal is `{"findings": […]}`, each finding as `--format json` prints
//! it.
//!
//! Whoever calls shows the token, where there is one. Without one the address is loopback, and a
//! browser on this machine is still a stranger: it is kept out by the `Host` that it must say and by
//! the content type that a page of another site may not send.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, body::Body};
use onramp_connector::Connector;
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::{Admin, Gateway};
use tokio::sync::oneshot;

use crate::health::Board;
use crate::run::history::command::{Asked, Claim, Command, Commands, NotSent};
use crate::status;

mod backfill;
pub(crate) mod caller;
mod replay;
mod token;

pub(crate) use backfill::{Order, WHERE};
pub(crate) use replay::ReplayOrder;
use token::Token;

/// The most that a request may hold.
const BODY_BYTES: usize = 64 << 10;
/// How long the source may take to describe a table, and the stream's thread to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What requests are answered from.
pub(crate) struct Desk {
    pub(crate) gateway: Gateway,
    pub(crate) instance: String,
    pub(crate) board: Board,
    pub(crate) commands: Commands,
    pub(crate) connector: Arc<dyn Connector>,
}

struct Served {
    desk: Desk,
    token: Option<Token>,
}

/// Serves until the runtime ends. The address is bound when this returns.
pub(crate) async fn serve(settings: &Admin, desk: Desk) -> Result<(), Failure> {
    let token = settings.token.as_ref().map(Token::read).transpose()?;
    let listen = settings.listen;
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|e| {
        Failure::stop(
            Kind::Configuration,
            Finding::error(
                &running::CANNOT_LISTEN,
                Place::Setting("admin.listen".into()),
                format!("cannot listen on {listen}"),
            )
            .because(e.to_string())
            .remedy("name a free address in admin.listen"),
        )
    })?;
    let served = Arc::new(Served { desk, token });
    let app = Router::new()
        .route("/v1/status", get(tell_status))
        .route("/v1/backfill", post(take_backfill))
        .route("/v1/replay", post(replay::take))
        .fallback(|| async {
            let finding = backfill::refused("there is nothing at this path")
                .remedy("GET /v1/status, POST /v1/backfill, or POST /v1/replay");
            findings(StatusCode::NOT_FOUND, &[finding])
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(served.clone(), let_in))
        .with_state(served);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the admin server ended");
        }
    });
    Ok(())
}

/// Answers strangers itself.
async fn let_in(State(served): State<Arc<Served>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let known = match &served.token {
        Some(token) => token.shown_in(headers),
        None => names_loopback(headers),
    };
    if known {
        return next.run(request).await;
    }
    let finding = Finding::error(
        &running::NOT_LET_IN,
        Place::Setting("admin.token".into()),
        "the admin endpoint does not know who asks",
    )
    .because(running::NOT_LET_IN.reason)
    .remedy(running::NOT_LET_IN.remedy);
    findings(StatusCode::UNAUTHORIZED, &[finding])
}

/// Whether the request was meant for this machine: a page that had its own name resolved to
/// loopback says that name here.
fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|h| h.to_str().ok()) else {
        return false;
    };
    let address = host.parse::<std::net::SocketAddr>().map(|a| a.ip());
    let ip = address.or_else(|_| host.trim_matches(['[', ']']).parse());
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ip.is_ok_and(|ip| ip.is_loopback()) || name.eq_ignore_ascii_case("localhost")
}

async fn tell_status(State(served): State<Arc<Served>>) -> Response {
    let desk = &served.desk;
    let status = status::of_gateway(&desk.gateway.name.value, &desk.instance, &desk.board.told());
    match serde_json::to_string(&status) {
        Ok(text) => json(StatusCode::OK, text),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn take_backfill(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let order = match backfill::read(&headers, &body) {
        Ok(order) => order,
        Err(wrong) => return findings(StatusCode::BAD_REQUEST, &wrong),
    };
    let wrong = match tokio::time::timeout(PATIENCE, backfill::check(&served.desk, &order)).await {
        Ok(wrong) => wrong,
        Err(_) => vec![not_now("the source did not describe the table in time")],
    };
    if !wrong.is_empty() {
        return findings(status_of(&wrong), &wrong);
    }
    let (answer, answered) = oneshot::channel();
    let product = order.product.clone();
    let claim = Claim::default();
    let command = Command {
        product: order.product,
        filter: order.filter,
        reconcile: order.reconcile,
        claim: claim.clone(),
        answer,
    };
    if let Err(why) = served.desk.commands.send(Asked::Run(command)) {
        return findings(StatusCode::SERVICE_UNAVAILABLE, &[not_now(not_sent(why))]);
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(Ok(accepted))) => {
            let run = accepted.run;
            tracing::info!(%product, %run, "back-fill ordered, and in progress");
            let body = serde_json::json!({
                "product": product, "run": run, "under_way": accepted.under_way,
            });
            json(StatusCode::ACCEPTED, body.to_string())
        }
        Ok(Ok(Err(wrong))) => findings(StatusCode::CONFLICT, &wrong),
        Ok(Err(_)) => unanswered(&claim, "the stream ended"),
        Err(_) => unanswered(
            &claim,
            "the stream does not answer; it may be waiting for Kafka",
        ),
    }
}

fn not_sent(why: NotSent) -> &'static str {
    match why {
        NotSent::NotStreaming => "the gateway does not stream at the moment",
        NotSent::Full => "too many commands wait already",
    }
}

/// What is said of a command that was handed over and not answered: withdrawn where the stream has
/// not taken it, else not known.
fn unanswered(claim: &Claim, why: &str) -> Response {
    if claim.take() {
        return findings(StatusCode::SERVICE_UNAVAILABLE, &[not_now(why)]);
    }
    let finding = Finding::error(
        &running::COMMAND_NOT_KNOWN,
        Place::Nowhere,
        format!("the command was taken, and is not known to be in progress: {why}"),
    )
    .because(running::COMMAND_NOT_KNOWN.reason)
    .remedy(running::COMMAND_NOT_KNOWN.remedy);
    findings(StatusCode::GATEWAY_TIMEOUT, &[finding])
}

/// What cannot be done now may be done later: told apart for whoever tries again by itself.
fn status_of(wrong: &[Finding]) -> StatusCode {
    match wrong.iter().all(|f| f.code == &running::NOT_STREAMING) {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// A command that cannot be taken at the moment.
fn not_now(why: &str) -> Finding {
    Finding::error(&running::NOT_STREAMING, Place::Nowhere, why)
        .because(running::NOT_STREAMING.reason)
        .remedy(running::NOT_STREAMING.remedy)
}

fn findings(status: StatusCode, findings: &[Finding]) -> Response {
    let body = serde_json::json!({ "findings": onramp_finding::to_json(findings) });
    json(status, body.to_string())
}

fn json(status: StatusCode, text: String) -> Response {
    let kind = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, kind, Body::from(text)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_meant_without_a_token() {
        let meant = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            names_loopback(&headers)
        };
        for host in [
            "127.0.0.1:8081",
            "127.0.0.1",
            "[::1]:8081",
            "localhost:8081",
            "localhost",
        ] {
            assert!(meant(host), "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:8081",
            "127.0.0.1.evil.test",
            "10.0.0.1:8081",
            "",
        ] {
            assert!(!meant(host), "{host}");
        }
        assert!(!names_loopback(&HeaderMap::new()));
    }
}
