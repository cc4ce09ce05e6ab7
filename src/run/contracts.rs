//! Contracts of this run: schemas registered, topics made and claimed, and what the translator is
//! told of each product.

use std::sync::Arc;

use onramp_connector::{Ident, Position, TableDescription};
use onramp_event::{Route, RouteId};
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind};
use onramp_language::{Compatibility, Gateway, Headers, Product, Status};
use onramp_publisher::progress::{FORMAT, ProductState, ProductStatus, Progress};
use onramp_publisher::topics::{self, Keeping, Pinned, TopicSpec};
use onramp_publisher::{HistoryRecord, Kafka, claims};
use onramp_registry::{Level, RegistryClient, key_subject, publish_contract, value_subject};
use onramp_translator::{Contract, Encoding, Mapped, TableMapping};

use super::attempt::{Context, blocking};
use super::history::decide::{Known, decide};
use super::{products, protection, settings};

/// A product's contract, as registered.
pub(super) struct Published {
    contract: Contract,
    value_schema_id: u32,
    key_schema_id: Option<u32>,
    topic: Pinned,
}

/// What streaming begins with.
pub(super) struct Plan {
    /// By route.
    pub(super) routes: Arc<[Route]>,
    pub(super) pinned: Vec<Pinned>,
    /// The products' states that progress does not have yet.
    pub(super) states: Vec<(String, ProductState)>,
    /// Runs that begin now, as records of progress.
    pub(super) notes: Vec<(String, String)>,
    /// Every product's run over its table's rows.
    pub(super) histories: Vec<(String, HistoryRecord)>,
    /// What tables become, and the keys of protection.
    pub(super) mappings: Vec<TableMapping>,
    pub(super) keys: Vec<(String, Vec<u8>)>,
}

impl Plan {
    /// Progress with what this start decided.
    pub(super) fn shown(&self, settled: Option<&Progress>) -> Progress {
        let mut shown = settled.cloned().unwrap_or_default();
        shown.products.extend(self.states.iter().cloned());
        shown.histories.extend(self.histories.iter().cloned());
        shown
    }
}

/// A product's table.
pub(crate) fn ident(product: &Product) -> Ident {
    let (schema, table) = &product.table.value;
    Ident {
        schema: schema.clone(),
        table: table.clone(),
    }
}

/// Every mapping against its table, offline from Kafka and registry.
pub(crate) fn check_mappings(gateway: &Gateway, described: &[TableDescription]) -> Vec<Finding> {
    products::published(gateway)
        .into_iter()
        .flat_map(|product| {
            let table = ident(product);
            let found = described.iter().find(|t| t.name == table);
            // A table that is missing was found so by the source's own preflight.
            found
                .map(|table| onramp_translator::check(product, table))
                .unwrap_or_default()
        })
        .collect()
}

/// Registers schemas, makes topics and claims them; in that order, so that a contract that is
/// refused leaves no topic behind.
pub(super) async fn publish(
    context: &Context,
    kafka: &Kafka,
    seen: Option<&Progress>,
) -> Result<Vec<Published>, Failure> {
    let registry = RegistryClient::new(settings::registry(&context.gateway))?;
    let state_of = |p: &Product| seen.and_then(|s| s.products.get(&p.name.value.to_string()));
    let mut schemas = Vec::new();
    let mut specs = Vec::new();
    let mut refused = Vec::new();
    for product in context.published() {
        let contract = onramp_translator::contract(product);
        let topic = product.name.value.to_string();
        let state = state_of(product);
        let level = level(product.compatibility);
        let before = state.is_some();
        let subject = value_subject(&topic);
        let value =
            publish_contract(&registry, &subject, &contract.value_schema, level, before).await;
        let value = each(value, &topic, &mut refused)?;
        let key = match &contract.key_schema {
            None => None,
            Some(schema) => {
                let subject = key_subject(&topic);
                let key = publish_contract(&registry, &subject, schema, level, before).await;
                Some(each(key, &topic, &mut refused)?)
            }
        };
        let (Some(value), Some(key)) = (value, key.map_or(Some(None), |id| id.map(Some))) else {
            continue;
        };
        specs.push(topic_spec(product, state));
        schemas.push((contract, value, key));
    }
    if let Some(failure) = all(refused) {
        return Err(failure);
    }
    let (kafka, gateway, instance) = (
        kafka.clone(),
        context.gateway.name.value.clone(),
        context.instance.0.to_string(),
    );
    let ensured = blocking(move || {
        let wanted: Vec<_> = specs
            .iter()
            .map(|s| (s.topic.clone(), s.product.clone()))
            .collect();
        claims::claim(&kafka, &gateway, &instance, &wanted)?;
        topics::ensure(&kafka, &specs)
    })
    .await?;
    for finding in &ensured.findings {
        tracing::warn!(code = finding.code.id, "{}", finding.message);
    }
    Ok(schemas
        .into_iter()
        .zip(ensured.topics)
        .map(
            |((contract, value_schema_id, key_schema_id), topic)| Published {
                contract,
                value_schema_id,
                key_schema_id,
                topic,
            },
        )
        .collect())
}

/// The topic that a product needs.
pub(crate) fn topic_spec(product: &Product, state: Option<&ProductState>) -> TopicSpec {
    let topic = product.name.value.to_string();
    TopicSpec {
        product: topic.clone(),
        topic,
        keeping: Keeping::LastOfEachKey,
        partitions: state.map(|s| s.partitions),
        topic_id: state.and_then(|s| s.topic_id.clone()),
    }
}

/// Routes and a translator for what was published, and the states to write down.
pub(super) fn plan(
    context: &Context,
    published: Vec<Published>,
    seen: Option<&Progress>,
    from: &Position,
    described: &[TableDescription],
) -> Result<Plan, Failure> {
    let gateway = &context.gateway;
    let keys = protection::read(gateway)?;
    let registry = gateway.registry.url.trim_end_matches('/');
    let mut states = Vec::new();
    let mut routes = Vec::new();
    let mut pinned = Vec::new();
    let mut notes = Vec::new();
    let mut histories = Vec::new();
    let mut refused = Vec::new();
    let mut mappings: Vec<TableMapping> = described
        .iter()
        .map(|table| TableMapping {
            table: table.clone(),
            products: Vec::new(),
        })
        .collect();
    for (product, published) in context.published().into_iter().zip(published) {
        let name = product.name.value.to_string();
        let before = seen.and_then(|s| s.products.get(&name));
        // It was retired, and is published again.
        let returns = before.is_some_and(|b| b.status == ProductStatus::Retired);
        let state = ProductState {
            format: FORMAT,
            from: match before {
                Some(before) if !returns => before.from.clone(),
                _ => from.0.to_string(),
            },
            contract_hash: published.contract.contract_hash,
            mapping_hash: published.contract.mapping_hash,
            topic_id: published.topic.id.clone(),
            partitions: published.topic.partitions,
            key_schema_id: published.key_schema_id.map(|id| id as i32),
            value_schema_id: Some(published.value_schema_id as i32),
            status: ProductStatus::Active,
            protection: protection::now(product, &keys, before.and_then(|b| b.protection.as_ref())),
        };
        if let Some(before) = before {
            let (then, now) = (before.protection.as_ref(), state.protection.as_ref());
            refused.extend(protection::changed(product, then, now));
        }
        if let Some(before) = before
            && before.key_schema_id != state.key_schema_id
        {
            refused.push(
                Finding::error(
                    &running::KEY_CHANGED,
                    product.name.place(),
                    format!("the keys of {name} would get other bytes"),
                )
                .because("the id of a key's schema is part of the key's bytes, and it is another than the one published so far")
                .remedy("restore key_format and the registry's ids, or start a new version")
                .of_product(name.clone()),
            );
        }
        let changed = before.is_some_and(|b| b.mapping_hash != state.mapping_hash);
        let run = seen.and_then(|s| s.histories.get(&name));
        let known = Known {
            mapping_changed: changed,
            returns,
            run,
        };
        match decide(&context.instance.0, product, known) {
            Ok(record) => {
                if run != Some(&record) {
                    notes.push(record.note(&name));
                }
                histories.push((name.clone(), record));
            }
            Err(finding) => refused.push((*finding).of_product(name.clone())),
        }
        if before != Some(&state) {
            states.push((name.clone(), state));
        }
        let route = Route {
            product: name.clone(),
            topic: name.clone(),
            partitions: published.topic.partitions,
            source: format!("onramp/{}/{name}", gateway.name.value),
            event_type: name,
            data_schema: format!("{registry}/schemas/ids/{}", published.value_schema_id),
        };
        let mapped = Mapped {
            route: RouteId(u16::try_from(routes.len()).map_err(|_| {
                Failure::internal(
                    &running::INTERNAL,
                    "more products than routes can be numbered",
                )
            })?),
            product: Arc::new(product.clone()),
            encoding: Encoding {
                value_schema_id: published.value_schema_id,
                key_schema_id: published.key_schema_id,
                partitions: route.partitions,
                header_bytes: header_bytes(gateway.headers, &route),
            },
        };
        routes.push(route);
        let table = ident(product);
        if let Some(mapping) = mappings.iter_mut().find(|m| m.table.name == table) {
            mapping.products.push(mapped);
        }
        pinned.push(published.topic);
    }
    // A product that its file retires is marked so: its changes are acknowledged from now on.
    for product in gateway
        .products
        .iter()
        .filter(|p| p.status == Status::Retired)
    {
        let name = product.name.value.to_string();
        if let Some(before) = seen.and_then(|s| s.products.get(&name))
            && before.status == ProductStatus::Active
        {
            states.push((
                name,
                ProductState {
                    status: ProductStatus::Retired,
                    ..before.clone()
                },
            ));
        }
    }
    if !refused.is_empty() {
        return Err(Failure::all(Kind::Configuration, refused));
    }
    Ok(Plan {
        routes: routes.into(),
        pinned,
        states,
        notes,
        histories,
        mappings,
        keys,
    })
}

/// What headers take beside the transaction's place and id and the subject, at most.
fn header_bytes(headers: Headers, route: &Route) -> usize {
    // Names, frames, times and ordinals, rounded up.
    const TRANSACTION: usize = 64;
    const CLOUD_EVENTS: usize = 320;
    match headers {
        Headers::None => 0,
        Headers::Transaction => TRANSACTION,
        Headers::CloudEvents => {
            CLOUD_EVENTS + route.source.len() + route.event_type.len() + route.data_schema.len()
        }
    }
}

/// The registry's name for a product's level.
pub(crate) fn level(compatibility: Compatibility) -> Level {
    match compatibility {
        Compatibility::None => Level::None,
        Compatibility::Backward => Level::Backward,
        Compatibility::BackwardTransitive => Level::BackwardTransitive,
        Compatibility::Forward => Level::Forward,
        Compatibility::ForwardTransitive => Level::ForwardTransitive,
        Compatibility::Full => Level::Full,
        Compatibility::FullTransitive => Level::FullTransitive,
    }
}

/// What was asked for; None where the product is refused for good, which is kept for the end, so that
/// one start tells all of them. Trouble that may pass ends the start: the next product would meet it
/// too.
fn each<T>(
    asked: Result<T, Failure>,
    product: &str,
    refused: &mut Vec<Failure>,
) -> Result<Option<T>, Failure> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(mut failure) => {
            for finding in &mut failure.findings {
                finding.product.get_or_insert_with(|| product.to_owned());
            }
            if failure.retry {
                return Err(failure);
            }
            refused.push(failure);
            Ok(None)
        }
    }
}

/// All refusals as one, of the first one's kind.
fn all(refused: Vec<Failure>) -> Option<Failure> {
    let kind = refused.first()?.kind;
    let findings = refused.into_iter().flat_map(|failure| failure.findings);
    Some(Failure::all(kind, findings.collect()))
}
