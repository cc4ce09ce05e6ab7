//! An order to publish rows again: read, and held against the product and its table.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use onramp_finding::codes::running;
use onramp_finding::{Finding, Place, Severity, SourceFile, Span};
use onramp_language::{Product, Spanned};
use onramp_publisher::progress::ProductStatus;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Desk, not_now};
use crate::run::sources;

/// What findings inside a condition name as their file.
pub(crate) const WHERE: &str = "where";

/// `POST /v1/backfill`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// The product, as `commerce.orders.v2`.
    pub(crate) product: String,
    /// A condition over `row`: only what fulfils it is published again.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
    /// Whether keys that the table no longer has get tombstones in the end.
    #[serde(default)]
    pub(crate) reconcile: bool,
}

/// A refusal of the order itself.
pub(super) fn refused(message: impl Into<String>) -> Finding {
    Finding::error(&running::COMMAND_REFUSED, Place::Nowhere, message)
}

/// The order in a request's body.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Order, Vec<Finding>> {
    let remedy = r#"send {"product": "commerce.orders.v1"}, with "where" or "reconcile" as needed"#;
    read_as(headers, body, remedy)
}

/// An order of any kind in a request's body; the remedy shows one.
pub(super) fn read_as<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
    remedy: &str,
) -> Result<T, Vec<Finding>> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let finding = refused("the request is not of the content type application/json")
            .because("a page of another site could send any other in a visitor's name")
            .remedy("send `Content-Type: application/json`");
        return Err(vec![finding]);
    }
    serde_json::from_slice(body).map_err(|error| {
        // Of the error only where it is: the words may repeat what was sent.
        let place = format!("line {}, column {}", error.line(), error.column());
        let finding = refused(format!("the request is not an order ({place})")).remedy(remedy);
        vec![finding]
    })
}

/// Everything that is wrong with an order.
pub(super) async fn check(desk: &Desk, order: &Order) -> Vec<Finding> {
    let Some(progress) = desk.board.told().progress else {
        return vec![not_now("the gateway does not stream at the moment")];
    };
    let active = |name: &str| {
        let state = progress.products.get(name);
        state.is_some_and(|s| s.status == ProductStatus::Active)
    };
    let published = desk
        .gateway
        .products
        .iter()
        .map(|p| (p.name.to_string(), p));
    let published: Vec<(String, &Product)> = published.filter(|(n, _)| active(n)).collect();
    let Some((_, product)) = published.iter().find(|(name, _)| *name == order.product) else {
        let names: Vec<&str> = published.iter().map(|(name, _)| name.as_str()).collect();
        let finding = refused(format!(
            "{} is not published by this gateway",
            order.product
        ))
        .remedy(format!("name one of {}", names.join(", ")));
        return vec![finding];
    };
    if !product.is_entity() {
        let finding = refused(format!("{} is no entity", order.product))
            .because("a fact, or an application's event, is told once: there is no state to publish again")
            .remedy("name a product of kind: entity")
            .of_product(order.product.clone());
        return vec![finding];
    }
    let Some(filter) = &order.filter else {
        return Vec::new();
    };
    if order.reconcile {
        let finding = refused("where and reconcile do not go together")
            .because("reconcile gives a tombstone to every key that the run did not meet, and with where it does not meet the rows that the condition leaves out")
            .remedy("leave out one of them")
            .of_product(order.product.clone());
        return vec![finding];
    }
    let asked = async {
        let (found, _) = sources::found(&desk.gateway, desk.connector.as_ref()).await?;
        let product = found
            .products
            .into_iter()
            .find(|p| p.name.value == product.name.value);
        let tables = product.map_or_else(Vec::new, |p| sources::idents(&p));
        desk.connector.describe(&tables).await
    };
    match asked.await {
        Ok(described) if described.is_empty() => vec![
            refused(format!("the table of {} is gone", order.product))
                .remedy("look at the source: the stream stops when it meets the change"),
        ],
        Ok(described) => {
            let (product, file) = narrowed(product, filter);
            let mut findings: Vec<Finding> = Vec::new();
            for table in &described {
                let found = inside(onramp_translator::check(&product, table), &file);
                let new = found.into_iter().filter(|f| !findings.contains(f));
                findings.extend(new.collect::<Vec<_>>());
            }
            findings
        }
        Err(failure) if failure.retry => {
            vec![not_now(
                "the source cannot be asked what the table looks like",
            )]
        }
        Err(failure) => failure.findings,
    }
}

/// The product with the condition in place of its own, and the condition as a file.
fn narrowed(product: &Product, filter: &str) -> (Product, Arc<SourceFile>) {
    // A quote at the beginning would be taken for YAML's own.
    let text = match filter.starts_with(['\'', '"']) {
        true => format!(" {filter}"),
        false => filter.to_owned(),
    };
    let file = Arc::new(SourceFile {
        name: WHERE.to_owned(),
        text: text.clone(),
    });
    let mut product = product.clone();
    product.filter = Some(Spanned {
        span: Span {
            start: 0,
            end: u32::try_from(text.len()).unwrap_or(u32::MAX),
        },
        value: text,
        file: file.clone(),
    });
    (product, file)
}

/// The errors inside the condition: what else a check finds was there before.
fn inside(findings: Vec<Finding>, condition: &Arc<SourceFile>) -> Vec<Finding> {
    let within = |f: &Finding| match &f.place {
        Place::File { file, .. } => Arc::ptr_eq(file, condition),
        // An empty condition has no text to point into.
        Place::Setting(name) => name == WHERE,
        _ => false,
    };
    let mut findings = findings;
    findings.retain(|f| f.severity == Severity::Error && within(f));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(kind: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        headers
    }

    #[test]
    fn an_order_is_read_or_refused_without_repeating_it() {
        let kind = headers("application/json; charset=utf-8");
        let order = read(
            &kind,
            br#"{"product":"commerce.orders.v1","reconcile":true}"#,
        )
        .unwrap();
        assert_eq!(order.product, "commerce.orders.v1");
        assert!(order.reconcile && order.filter.is_none());
        for body in [r#"{"product":"a","wher":"hunter2"}"#, "{}", "hunter2", ""] {
            let wrong = read(&kind, body.as_bytes()).unwrap_err();
            assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
        }
        let order = br#"{"product":"a"}"#;
        assert!(read(&headers("text/plain"), order).is_err());
        assert!(read(&HeaderMap::new(), order).is_err());
    }
}
