//! An order to tell facts in quarantine late: read, handed over, answered.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use onramp_finding::{Finding, to_json};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Served, backfill, findings, json, not_now, not_sent, unanswered};
use crate::run::history::command::{Asked, Claim, Replay};

/// How long the quarantine may take to be read, and what it gives to be committed.
const PATIENCE: Duration = Duration::from_secs(40);

/// `POST /v1/replay`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayOrder {
    /// The product, as `commerce.order-lifecycle.v1`.
    pub(crate) product: String,
    /// Only rows of these keys; every row where there is none.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    /// Whether rows that were replayed before are told once more.
    #[serde(default)]
    pub(crate) again: bool,
}

pub(super) async fn take(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let example =
        r#"send {"product": "commerce.order-lifecycle.v1"}, with "keys" or "again" as needed"#;
    let order: ReplayOrder = match backfill::read_as(&headers, &body, example) {
        Ok(order) => order,
        Err(wrong) => return findings(StatusCode::BAD_REQUEST, &wrong),
    };
    let wrong = unfit(&served, &order);
    if let Some(wrong) = wrong {
        return findings(StatusCode::UNPROCESSABLE_ENTITY, &[wrong]);
    }
    let (answer, answered) = oneshot::channel();
    let (product, claim) = (order.product.clone(), Claim::default());
    let replay = Replay {
        product: order.product,
        keys: order.keys,
        again: order.again,
        claim: claim.clone(),
        answer,
    };
    if let Err(why) = served.desk.commands.send(Asked::Replay(replay)) {
        return findings(StatusCode::SERVICE_UNAVAILABLE, &[not_now(not_sent(why))]);
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(Ok(done))) => {
            let body = serde_json::json!({
                "product": product,
                "rows": done.rows,
                "events": done.events,
                "before": done.before,
                "left": done.left,
                "refused": done.refused,
                "not_replayed": to_json(&done.findings),
            });
            json(StatusCode::OK, body.to_string())
        }
        Ok(Ok(Err(wrong))) => findings(StatusCode::CONFLICT, &wrong),
        Ok(Err(_)) => unanswered(&claim, "the stream ended"),
        Err(_) => unanswered(
            &claim,
            "the stream does not answer; it may be waiting for Kafka",
        ),
    }
}

/// An entity's rows are read again from its table.
fn unfit(served: &Served, order: &ReplayOrder) -> Option<Finding> {
    let mut products = served.desk.gateway.products.iter();
    let product = products.find(|p| p.name.to_string() == order.product)?;
    product.is_entity().then(|| {
        backfill::refused(format!("{} is an entity", order.product))
            .because(
                "its rows are read again from its table, so that no newer state is stepped over",
            )
            .remedy("order a back-fill: POST /v1/backfill")
            .of_product(order.product.clone())
    })
}
