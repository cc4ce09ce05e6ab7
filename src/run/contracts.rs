//! Contracts of this run: schemas registered, topics made and claimed, and what the translator is
//! told of each product.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use onramp_connector::{Ident, Position, TableDescription};
use onramp_event::{EventType, Route, RouteId};
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind};
use onramp_language::{Compatibility, Gateway, Headers, Product, Status};
use onramp_publisher::progress::{FORMAT, ProductState, ProductStatus, Progress};
use onramp_publisher::topics::{self, Keeping, Pinned, TopicSpec};
use onramp_publisher::{HistoryRecord, Kafka, Stage, claims};
use onramp_registry::{
    Level, RegistryClient, key_subject, publish_contract, record_subject, value_subject,
};
use onramp_translator::{
    Contract, Encoding, Mapped, QuarantineRoute, RowNames, TableMapping, ValueSchema,
};

use super::attempt::{Context, blocking};
use super::history::decide::{Known, decide};
use super::{products, protection, settings, sources};

/// A product's contract, as registered.
pub(super) struct Published {
    contract: Contract,
    /// One a record.
    value_schema_ids: Vec<u32>,
    key_schema_id: Option<u32>,
    topic: Pinned,
    quarantine: Option<Pinned>,
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
    pub(super) keys: protection::Keys,
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

/// Every mapping against its tables, offline from Kafka and registry.
pub(crate) fn check_mappings(gateway: &Gateway, described: &[TableDescription]) -> Vec<Finding> {
    let published = products::published(gateway).into_iter();
    published
        .flat_map(|product| check_mapping(product, described))
        .collect()
}

/// A product's mapping against each of its tables, and against all of them.
pub(crate) fn check_mapping(product: &Product, described: &[TableDescription]) -> Vec<Finding> {
    // A table that is missing was found so by the source's own preflight.
    let tables = sources::of(product, described);
    let mut found: Vec<(Finding, Vec<&Ident>)> = Vec::new();
    for table in &tables {
        for finding in onramp_translator::check(product, table) {
            match found.iter_mut().find(|(f, _)| *f == finding) {
                Some((_, of)) => of.push(&table.name),
                None => found.push((finding, vec![&table.name])),
            }
        }
    }
    let all = tables.len();
    let named = |(finding, of): (Finding, Vec<&Ident>)| of_tables(finding, &of, all);
    let mut findings: Vec<Finding> = found.into_iter().map(named).collect();
    findings.extend(onramp_translator::check_union(product, &tables));
    findings
}

/// What is said of each of a union's tables is said of the file; of some it says of which.
fn of_tables(mut finding: Finding, of: &[&Ident], all: usize) -> Finding {
    let Some((first, more)) = of.split_first().filter(|_| of.len() < all) else {
        return finding;
    };
    let first = first.to_string();
    if !finding.message.contains(&first) {
        finding.message.push_str(&format!(", in {first}"));
        if !more.is_empty() {
            finding
                .message
                .push_str(&format!(" and {} more", more.len()));
        }
    }
    finding
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
        let mut values = Some(Vec::new());
        for value in &contract.values {
            let subject = subject(&topic, value);
            let before = published_before(state, value);
            let id = publish_contract(&registry, &subject, &value.schema, level, before).await;
            match (each(id, &topic, &mut refused)?, &mut values) {
                (Some(id), Some(values)) => values.push(id),
                _ => values = None,
            }
        }
        let key = match &contract.key_schema {
            None => None,
            Some(schema) => {
                let subject = key_subject(&topic);
                let key = publish_contract(&registry, &subject, schema, level, before).await;
                Some(each(key, &topic, &mut refused)?)
            }
        };
        let (Some(values), Some(key)) = (values, key.map_or(Some(None), |id| id.map(Some))) else {
            continue;
        };
        specs.extend(topic_specs(product, state));
        schemas.push((contract, values, key));
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
    let mut topics = ensured.topics.into_iter();
    let mut published = Vec::with_capacity(schemas.len());
    for (product, (contract, value_schema_ids, key_schema_id)) in
        context.published().into_iter().zip(schemas)
    {
        let (Some(topic), quarantine) = (
            topics.next(),
            product.quarantine_topic().and_then(|_| topics.next()),
        ) else {
            let message = "a topic was not made and not refused";
            return Err(Failure::internal(&running::INTERNAL, message));
        };
        published.push(Published {
            contract,
            value_schema_ids,
            key_schema_id,
            topic,
            quarantine,
        });
    }
    Ok(published)
}

/// The subject of a value's schema.
pub(crate) fn subject(topic: &str, value: &ValueSchema) -> String {
    match value.event {
        None => value_subject(topic),
        Some(_) => record_subject(topic, &value.record),
    }
}

/// Whether events of this schema's record were published before.
fn published_before(state: Option<&ProductState>, value: &ValueSchema) -> bool {
    state.is_some_and(|state| match &value.event {
        None => true,
        Some(event) => state.event_schema_ids.contains_key(event),
    })
}

/// A contract's subjects, each with its schema and whether events of it were published before.
pub(crate) fn subjects(
    topic: &str,
    contract: Contract,
    state: Option<&ProductState>,
) -> Vec<(String, String, bool)> {
    let values = contract.values.into_iter().map(|value| {
        let before = published_before(state, &value);
        (subject(topic, &value), value.schema, before)
    });
    let key = contract.key_schema;
    let key = key.map(|schema| (key_subject(topic), schema, state.is_some()));
    values.chain(key).collect()
}

/// The topics that a product needs: its own, and that of its rows that cannot be translated.
pub(crate) fn topic_specs(product: &Product, state: Option<&ProductState>) -> Vec<TopicSpec> {
    let name = product.name.value.to_string();
    let own = TopicSpec {
        product: name.clone(),
        topic: name.clone(),
        keeping: match product.is_entity() {
            true => Keeping::LastOfEachKey,
            false => Keeping::Everything,
        },
        partitions: state.map(|s| s.partitions),
        topic_id: state.and_then(|s| s.topic_id.clone()),
    };
    let quarantine = product.quarantine_topic().map(|topic| TopicSpec {
        product: name,
        topic,
        keeping: Keeping::Everything,
        // In the order in which they failed.
        partitions: Some(1),
        topic_id: None,
    });
    std::iter::once(own).chain(quarantine).collect()
}

/// Routes and a translator for what was published, and the states to write down.
pub(super) fn plan(
    context: &Context,
    keys: protection::Keys,
    published: Vec<Published>,
    seen: Option<&Progress>,
    from: &Position,
    described: &[TableDescription],
) -> Result<Plan, Failure> {
    let gateway = &context.gateway;
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
        let event_schema_ids = event_ids(&published, before);
        let types = types(
            &published.contract,
            &published.value_schema_ids,
            &name,
            &gateway.registry.url,
        );
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
            value_schema_id: match product.is_entity() {
                true => published.value_schema_ids.first().map(|id| *id as i32),
                false => None,
            },
            event_schema_ids,
            tables: sources::names_of_all(product),
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
        // One that returns reconciles anyway.
        if !changed && !returns {
            let known = before.map_or(&[][..], |state| &state.tables);
            refused.extend(sources::gone(product, known));
        }
        let run = seen.and_then(|s| s.histories.get(&name));
        let known = Known {
            mapping_changed: changed,
            published: before.is_some(),
            returns,
            tables: before.map_or(&[], |state| &state.tables),
            run,
        };
        let mut rows = None;
        match decide(&context.instance.0, product, known) {
            Ok(None) => {}
            Ok(Some(record)) => {
                if record.given_up {
                    let live = seen.and_then(|s| s.live_rows.get(&name));
                    notes.extend(live.map(|rows| rows.gone(&name)).unwrap_or_default());
                }
                if run != Some(&record) {
                    notes.push(record.note(&name));
                }
                rows = row_names(&record);
                histories.push((name.clone(), record));
            }
            Err(finding) => refused.push((*finding).of_product(name.clone())),
        }
        if before != Some(&state) {
            states.push((name.clone(), state));
        }
        let route = route(gateway, name.clone(), published.topic.partitions, types);
        pinned.extend(published.quarantine.clone());
        let quarantine = published.quarantine.map(|topic| Route {
            product: name.clone(),
            topic: topic.topic.clone(),
            partitions: topic.partitions,
            source: route.source.clone(),
            types: vec![EventType {
                name: topic.topic.clone(),
                data_schema: String::new(),
            }],
            quarantine: true,
        });
        let of_quarantine = match &quarantine {
            None => None,
            Some(quarantine) => Some(QuarantineRoute {
                route: route_id(routes.len() + 1)?,
                partitions: quarantine.partitions,
            }),
        };
        let mapped = Mapped {
            route: route_id(routes.len())?,
            quarantine: of_quarantine,
            rows,
            product: Arc::new(product.clone()),
            encoding: Encoding {
                value_schema_ids: published.value_schema_ids,
                key_schema_id: published.key_schema_id,
                partitions: route.partitions,
                header_bytes: header_bytes(gateway.headers, &route),
            },
        };
        routes.push(route);
        routes.extend(quarantine);
        for mapping in &mut mappings {
            if sources::reads(product, &mapping.table.name) {
                mapping.products.push(mapped.clone());
            }
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
            // Rows that it was still to tell are not told any more: nobody asks which the log brought.
            let live = seen.and_then(|s| s.live_rows.get(&name));
            notes.extend(live.map(|rows| rows.gone(&name)).unwrap_or_default());
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

/// By what rows are named that are told once, as long as the run that tells them is not done.
fn row_names(record: &HistoryRecord) -> Option<RowNames> {
    let under_way = record.stage != Stage::Done && !record.secret.is_empty();
    under_way.then(|| RowNames {
        secret: record.secret.as_bytes().into(),
        asked: Arc::new(AtomicBool::new(true)),
    })
}

fn route_id(number: usize) -> Result<RouteId, Failure> {
    let number = u16::try_from(number).map_err(|_| {
        let message = "more topics than routes can be numbered";
        Failure::internal(&running::INTERNAL, message)
    })?;
    Ok(RouteId(number))
}

/// The ids of facts' schemas by type; those of types that are gone stay known.
fn event_ids(published: &Published, before: Option<&ProductState>) -> BTreeMap<String, i32> {
    let mut ids = before.map_or_else(BTreeMap::new, |state| state.event_schema_ids.clone());
    let values = published.contract.values.iter();
    for (value, id) in values.zip(&published.value_schema_ids) {
        if let Some(event) = &value.event {
            ids.insert(event.clone(), *id as i32);
        }
    }
    ids
}

/// What each type of a product's events is called.
pub(crate) fn types(
    contract: &Contract,
    ids: &[u32],
    product: &str,
    registry: &str,
) -> Vec<EventType> {
    let registry = registry.trim_end_matches('/');
    let types = contract
        .values
        .iter()
        .zip(ids)
        .map(|(value, id)| EventType {
            name: match &value.event {
                None => product.to_owned(),
                Some(event) => format!("{product}.{event}"),
            },
            data_schema: format!("{registry}/schemas/ids/{id}"),
        });
    types.collect()
}

/// What all events of a product have in common.
pub(crate) fn route(
    gateway: &Gateway,
    product: String,
    partitions: i32,
    types: Vec<EventType>,
) -> Route {
    Route {
        topic: product.clone(),
        partitions,
        source: format!("onramp/{}/{product}", gateway.name.value),
        types,
        quarantine: false,
        product,
    }
}

/// What headers take beside the transaction's place and id and the subject, at most.
pub(crate) fn header_bytes(headers: Headers, route: &Route) -> usize {
    // Names, frames, times and ordinals, rounded up.
    const TRANSACTION: usize = 64;
    const CLOUD_EVENTS: usize = 320;
    match headers {
        Headers::None => 0,
        Headers::Transaction => TRANSACTION,
        Headers::CloudEvents => {
            let of_type = |t: &EventType| t.name.len() + t.data_schema.len();
            let longest = route.types.iter().map(of_type).max();
            // Its name is in the ids of rows that are told once, too.
            CLOUD_EVENTS + route.source.len() + 3 * longest.unwrap_or_default()
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
