//! Asks source, registry and Kafka what a run would find, and what it would do about it.

use std::sync::Arc;

use onramp_connector::{Connector, Instance, SourceIdentity, TableDescription};
use onramp_finding::{Failure, Finding};
use onramp_language::{Gateway, Product, Status};
use onramp_postgres::Postgres;
use onramp_publisher::progress::{self, ProductStatus, Progress};
use onramp_publisher::{Kafka, Stage, claims, topics};
use onramp_registry::{Foreseen, Foresight, RegistryClient, foresee};

use super::{Area, Does, Fate, Plan, PlannedProduct, Step, Unasked, hash, rows};
use crate::run::history::decide::{Known, decide};
use crate::run::{blocking, contracts, products, protection, requests, settings, sources};
use crate::terminal;

/// The name under which the source sees whoever looks.
const INSTANCE: &str = "plan";

/// Looks at everything, and says all that is wrong in one go: a server that cannot be asked keeps
/// nobody from asking the others. The keys of protection were read by whoever asks.
pub(crate) async fn look(
    gateway: &Gateway,
    keys: Result<protection::Keys, Failure>,
    sample: bool,
    shown: Option<&terminal::Progress>,
) -> Plan {
    let instance = Instance(INSTANCE.into());
    let connector: Arc<dyn Connector> =
        Arc::new(Postgres::new(settings::source(gateway, &instance.0)));
    // Out of reach it is asked once more for the rest, and that is told.
    let (gateway, unfound) = sources::found(gateway, connector.as_ref())
        .await
        .unwrap_or_else(|_| (gateway.clone(), Vec::new()));
    let gateway = &gateway;
    let mut look = Look {
        gateway,
        connector,
        shown,
        plan: Plan {
            gateway: gateway.name.value.clone(),
            findings: unfound,
            ..Plan::default()
        },
        seen: None,
        pinned: Vec::new(),
        keys: None,
    };
    look.keys = look.kept(keys);
    look.says("asking Kafka");
    let kafka = look.progress().await;
    look.says("asking the source");
    let source = look.source().await;
    look.says("asking the registry");
    look.registry().await;
    if let Some(kafka) = &kafka {
        look.says("asking Kafka for the products' topics");
        look.kafka(kafka).await;
        look.products(source.as_ref(), sample).await;
    }
    let mut plan = look.plan;
    plan.refuse();
    // Without progress nobody knows what is there already.
    if kafka.is_none() {
        plan.steps.clear();
    }
    let refused = plan.out_of_reach.is_some() || onramp_finding::any_error(&plan.findings);
    if let Some(source) = source
        && !refused
    {
        let end = hash::End {
            gateway,
            system: &source.identity.system,
            described: &source.described,
            pinned: &look.pinned,
        };
        plan.hash = Some(end.hash());
    }
    plan
}

/// What was found at the source.
pub(super) struct Source {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) described: Vec<TableDescription>,
    identity: SourceIdentity,
}

struct Look<'a> {
    gateway: &'a Gateway,
    connector: Arc<dyn Connector>,
    shown: Option<&'a terminal::Progress>,
    plan: Plan,
    seen: Option<Progress>,
    /// The products' topics with their partition counts, as they are or will be.
    pinned: Vec<(String, i32)>,
    /// The keys of protection, where they could be read.
    keys: Option<protection::Keys>,
}

impl Look<'_> {
    /// How far it is, for whoever waits.
    fn says(&self, what: &str) {
        if let Some(shown) = self.shown {
            shown.say(what);
        }
    }

    /// Keeps what was asked for; where it could not be had, why.
    fn kept<T>(&mut self, asked: Result<T, Failure>) -> Option<T> {
        match asked {
            Ok(answer) => Some(answer),
            Err(failure) => {
                self.plan.out_of_reach.get_or_insert(Unasked {
                    kind: failure.kind,
                    retry: failure.retry,
                });
                self.plan.findings.extend(failure.findings);
                None
            }
        }
    }

    fn step(&mut self, area: Area, does: Does, object: String, details: Vec<String>) {
        self.plan.steps.push(Step {
            area,
            does,
            object,
            details,
            statement: None,
            waits_for: Vec::new(),
        });
    }

    async fn progress(&mut self) -> Option<Kafka> {
        let kafka_settings = settings::kafka(self.gateway);
        let name = self.gateway.name.value.clone();
        let read = async {
            let kafka_settings = kafka_settings?;
            blocking(move || {
                let kafka = Kafka::connect(kafka_settings)?;
                let seen = progress::read(&kafka, &name)?;
                Ok((kafka, seen))
            })
            .await
        };
        let read = read.await;
        let (kafka, seen) = self.kept(read)?;
        if let Err(failure) = products::check(self.gateway, seen.as_ref()) {
            self.plan.findings.extend(failure.findings);
        }
        self.seen = seen;
        Some(kafka)
    }

    async fn source(&mut self) -> Option<Source> {
        let connector = self.connector.clone();
        let asked = connector.describe(&requests::idents(self.gateway)).await;
        let described = self.kept(asked)?;
        let tables = requests::tables(self.gateway, &described, self.seen.as_ref());
        let request = requests::request(&tables, self.seen.as_ref());
        let asked = connector.preflight(&request).await;
        let found = self.kept(asked)?;
        self.plan.findings.extend(found);
        let mappings = contracts::check_mappings(self.gateway, &described);
        self.plan.findings.extend(mappings);
        let asked = connector.planned(&request).await;
        for step in self.kept(asked)? {
            self.plan.steps.push(Step {
                area: Area::Source,
                does: if step.creates {
                    Does::Create
                } else {
                    Does::Alter
                },
                object: step.object,
                details: step.tables.iter().map(ToString::to_string).collect(),
                statement: Some(step.statement),
                waits_for: step.waits_for,
            });
        }
        let asked = connector.identity().await;
        Some(Source {
            identity: self.kept(asked)?,
            connector,
            described,
        })
    }

    async fn registry(&mut self) {
        let client = RegistryClient::new(settings::registry(self.gateway));
        let Some(client) = self.kept(client) else {
            return;
        };
        for product in products::published(self.gateway) {
            if !self.contract(&client, product).await {
                return;
            }
        }
    }

    /// What one contract would change; false where it is of no use to ask for more.
    async fn contract(&mut self, client: &RegistryClient, product: &Product) -> bool {
        let topic = product.name.value.to_string();
        let state = self.seen.as_ref().and_then(|s| s.products.get(&topic));
        let level = contracts::level(product.compatibility);
        let contract = onramp_translator::contract(product);
        let all = contracts::subjects(&topic, contract, state);
        for (subject, schema, before) in all {
            let asked = foresee(client, &subject, &schema, level, before).await;
            match self.kept(asked) {
                Some(foresight) => self.subject(foresight, &topic),
                None => return false,
            }
        }
        true
    }

    fn subject(&mut self, foresight: Foresight, product: &str) {
        let level = foresight.sets_level;
        let mut details: Vec<String> = level
            .map(|l| format!("compatibility {l}"))
            .into_iter()
            .collect();
        let does = match foresight.foreseen {
            Foreseen::Refused(findings) => {
                let named = findings.into_iter().map(|mut finding| {
                    finding.product.get_or_insert_with(|| product.to_owned());
                    finding
                });
                self.plan.findings.extend(named);
                return;
            }
            Foreseen::Unchanged { .. } if details.is_empty() => return,
            Foreseen::Unchanged { .. } => Does::Alter,
            Foreseen::NewVersion { of } => {
                details.push(format!("version {}", of.saturating_add(1)));
                Does::Alter
            }
            Foreseen::NewSubject => {
                details.push("version 1".to_owned());
                Does::Create
            }
        };
        let object = format!("subject {}", foresight.subject);
        self.step(Area::Registry, does, object, details);
    }

    async fn kafka(&mut self, kafka: &Kafka) {
        let state = |p: &Product| self.seen.as_ref()?.products.get(&p.name.value.to_string());
        let specs: Vec<_> = products::published(self.gateway)
            .into_iter()
            .flat_map(|p| contracts::topic_specs(p, state(p)))
            .collect();
        let (kafka, name) = (kafka.clone(), self.gateway.name.value.clone());
        let asked = blocking(move || {
            let own = topics::absent_own(&kafka, &name)?;
            let looked = topics::inspect(&kafka, &specs)?;
            let wanted: Vec<_> = specs
                .iter()
                .map(|s| (s.topic.clone(), s.product.clone()))
                .collect();
            let claimed = claims::inspect(&kafka, &name, &wanted)?;
            let created: Vec<_> = looked
                .absent
                .iter()
                .map(|spec| (spec.topic.clone(), topics::as_created(&kafka, spec)))
                .collect();
            Ok((own, looked, claimed, created))
        })
        .await;
        let Some((own, looked, claimed, created)) = self.kept(asked) else {
            return;
        };
        self.plan.findings.extend(looked.findings);
        self.plan.findings.extend(claimed.findings);
        for topic in own {
            let details = vec!["1 partition, of the gateway's own".to_owned()];
            self.step(Area::Kafka, Does::Create, format!("topic {topic}"), details);
        }
        for topic in claimed.unclaimed {
            self.step(
                Area::Kafka,
                Does::Claim,
                format!("topic {topic}"),
                Vec::new(),
            );
        }
        for present in looked.present {
            self.pinned.push((present.topic, present.partitions));
        }
        for (topic, new) in created {
            let mut details = vec![format!(
                "{} partition(s), {} replica(s)",
                new.partitions, new.replication
            )];
            details.extend(new.settings.iter().map(|(k, v)| format!("{k}={v}")));
            self.step(Area::Kafka, Does::Create, format!("topic {topic}"), details);
            self.pinned.push((topic, new.partitions));
        }
        self.pinned.sort();
    }

    async fn products(&mut self, source: Option<&Source>, sample: bool) {
        let published = products::published(self.gateway);
        for product in &self.gateway.products {
            let name = product.name.value.to_string();
            let planned = if published.iter().any(|p| p.name.value == product.name.value) {
                self.published(product, source, sample).await
            } else {
                let state = self.seen.as_ref().and_then(|s| s.products.get(&name));
                let active = state.is_some_and(|s| s.status == ProductStatus::Active);
                let fate = match product.status {
                    Status::Retired if active => Fate::Retires,
                    Status::Draft => Fate::LeftOut,
                    _ => continue,
                };
                PlannedProduct {
                    product: name,
                    fate,
                    rows: None,
                }
            };
            self.plan.products.push(planned);
        }
    }

    async fn published(
        &mut self,
        product: &Product,
        source: Option<&Source>,
        sample: bool,
    ) -> PlannedProduct {
        let name = product.name.value.to_string();
        let state = self.seen.as_ref().and_then(|s| s.products.get(&name));
        let returns = state.is_some_and(|s| s.status == ProductStatus::Retired);
        let mapping = onramp_translator::contract(product).mapping_hash;
        let known = Known {
            mapping_changed: state.is_some_and(|s| s.mapping_hash != mapping),
            published: state.is_some(),
            returns,
            tables: state.map_or(&[], |state| &state.tables),
            run: self.seen.as_ref().and_then(|s| s.histories.get(&name)),
        };
        let mut changed = Vec::new();
        if let (Some(keys), Some(state)) = (&self.keys, state) {
            let then = state.protection.as_ref();
            let now = protection::now(product, keys, then);
            changed = protection::changed(product, then, now.as_ref());
        }
        if !known.mapping_changed && !returns {
            changed.extend(sources::gone(product, known.tables));
        }
        let (fate, reads) = match decide(INSTANCE, product, known) {
            Err(finding) => {
                changed.push((*finding).of_product(name.clone()));
                (Fate::Refused, None)
            }
            Ok(_) if !changed.is_empty() => (Fate::Refused, None),
            Ok(None) => {
                let fate = match state {
                    None if !product.is_entity() => Fate::BeginsAnew,
                    None => Fate::Begins,
                    Some(_) if returns => Fate::Returns,
                    Some(_) if known.mapping_changed => Fate::Kept,
                    Some(_) => Fate::GoesOn,
                };
                (fate, None)
            }
            Ok(Some(run)) => {
                let fate = match state {
                    None if product.tells_rows() => Fate::BeginsWithRows,
                    None => Fate::Begins,
                    Some(_) if returns => Fate::Returns,
                    Some(_) if !known.mapping_changed => Fate::GoesOn,
                    Some(_) if Some(&run) == known.run => Fate::Kept,
                    Some(_) => Fate::Backfilled,
                };
                (fate, (run.stage == Stage::Reading).then_some(run))
            }
        };
        self.plan.findings.extend(changed);
        let mut rows = None;
        if let (Some(run), Some(source)) = (reads, source) {
            self.says(&format!("reading a sample of {name}"));
            match rows::expected(self.gateway, source, product, &run, sample).await {
                Ok(found) => rows = found,
                Err(failure) => self.plan.findings.extend(told(failure, &name)),
            }
        }
        PlannedProduct {
            product: name,
            fate,
            rows,
        }
    }
}

fn told(failure: Failure, product: &str) -> Vec<Finding> {
    let findings = failure.findings.into_iter();
    findings.map(|f| f.of_product(product.to_owned())).collect()
}
