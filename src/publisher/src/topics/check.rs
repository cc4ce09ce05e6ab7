//! What is wrong with an existing topic.

use std::collections::BTreeMap;

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Code, Failure, Finding, Kind, Place, Severity};

use super::{Keeping, TopicSpec};
use crate::client::Kafka;
use crate::native::Described;

/// A day: consumers that are down for less must not miss a deleted key.
const TOMBSTONES_AT_LEAST_MS: i64 = 86_400_000;

/// A topic and what was found about it.
pub(super) struct Faults<'a> {
    topic: &'a str,
    product: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Faults<'a> {
    /// `product` is empty for the gateway's own topics.
    pub(super) fn new(topic: &'a str, product: &'a str, findings: &'a mut Vec<Finding>) -> Self {
        Faults {
            topic,
            product,
            findings,
        }
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static Code,
        message: String,
        reason: &str,
        remedy: String,
    ) {
        let place = Place::Kafka(format!("topic {}", self.topic));
        let mut finding = Finding::new(severity, code, place, message)
            .because(reason)
            .remedy(remedy);
        if !self.product.is_empty() {
            finding = finding.of_product(self.product);
        }
        self.findings.push(finding);
    }

    fn setting(&mut self, name: &str, is: impl std::fmt::Display, needed: &str, reason: &str) {
        let topic = self.topic;
        self.add(
            Severity::Error,
            &codes::TOPIC_SETTINGS,
            format!("topic `{topic}` has {name}={is}, {needed} is needed"),
            reason,
            format!(
                "kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {name}={needed}"
            ),
        );
    }

    /// It is not there.
    pub(super) fn missing(&mut self) {
        self.add(
            Severity::Error,
            &codes::TOPIC_MISSING,
            format!("topic `{}` is not there", self.topic),
            codes::TOPIC_MISSING.reason,
            codes::TOPIC_MISSING.remedy.to_owned(),
        );
    }

    /// Whether it is the topic that it was.
    pub(super) fn identity(&mut self, id: Option<&str>, partitions: Option<i32>, is: &Described) {
        let topic = self.topic;
        if let (Some(known), Some(now)) = (id, is.id.as_deref())
            && known != now
        {
            self.add(
                Severity::Error,
                &codes::TOPIC_RECREATED,
                format!("topic `{topic}` has id {now}, progress knows it as {known}"),
                codes::TOPIC_RECREATED.reason,
                codes::TOPIC_RECREATED.remedy.to_owned(),
            );
        }
        if let Some(pinned) = partitions
            && pinned != is.partitions
        {
            let message = format!(
                "topic `{topic}` has {} partitions, its keys are spread over {pinned}",
                is.partitions
            );
            self.add(
                Severity::Error,
                &codes::TOPIC_PARTITIONS,
                message,
                codes::TOPIC_PARTITIONS.reason,
                codes::TOPIC_PARTITIONS.remedy.to_owned(),
            );
        }
        if is.id.is_none() {
            self.add(
                Severity::Warning,
                &codes::TOPIC_ID_UNKNOWN,
                format!("the brokers give topic `{topic}` no id"),
                codes::TOPIC_ID_UNKNOWN.reason,
                codes::TOPIC_ID_UNKNOWN.remedy.to_owned(),
            );
        }
    }

    /// Settings under which events would be lost or refused.
    pub(super) fn settings(
        &mut self,
        kafka: &Kafka,
        spec: &TopicSpec,
        is: &Described,
        have: &BTreeMap<String, String>,
    ) {
        let number = |name: &str| have.get(name).and_then(|v| v.parse::<i64>().ok());
        if let Some(policy) = have.get("cleanup.policy") {
            self.policy(spec.keeping, policy);
        }
        if spec.keeping == Keeping::Everything
            && let Some(is) = number("retention.ms").filter(|is| *is >= 0)
        {
            let asked = kafka.settings.topic_setting("retention.ms");
            let asked: i64 = asked.and_then(|v| v.parse().ok()).unwrap_or(-1);
            if asked < 0 || is < asked {
                let reason = "facts would be deleted before their time";
                self.setting("retention.ms", is, &asked.to_string(), reason);
            }
        }
        if let Some(insync) = number("min.insync.replicas")
            && insync > i64::from(is.replicas)
        {
            let message = format!(
                "topic `{}` has min.insync.replicas={insync} and {} replicas",
                self.topic, is.replicas
            );
            self.add(
                Severity::Error,
                &codes::TOPIC_SETTINGS,
                message,
                "nothing could ever be written to it",
                "lower min.insync.replicas or add replicas".to_owned(),
            );
        }
        // The gateway's own records are small, and it writes no tombstones that matter for long.
        if self.product.is_empty() {
            return;
        }
        if have
            .get("message.timestamp.type")
            .is_some_and(|t| t == "LogAppendTime")
        {
            self.add(
                Severity::Warning,
                &codes::TOPIC_SETTINGS,
                format!(
                    "topic `{}` has message.timestamp.type=LogAppendTime",
                    self.topic
                ),
                "its records show when they arrived, not when the source committed",
                "set message.timestamp.type=CreateTime".to_owned(),
            );
        }
        let needs = kafka.settings.topic_needs_bytes();
        if let Some(is) = number("max.message.bytes")
            && is < needs as i64
        {
            let reason = "limits.row and the client's batches allow more than the topic takes; \
                          a lower limits.row does as well";
            self.setting("max.message.bytes", is, &needs.to_string(), reason);
        }
        if spec.keeping == Keeping::LastOfEachKey
            && let Some(is) = number("delete.retention.ms")
            && is < TOMBSTONES_AT_LEAST_MS
        {
            self.add(
                Severity::Warning,
                &codes::TOPIC_SETTINGS,
                format!(
                    "topic `{}` has delete.retention.ms={is}, less than a day",
                    self.topic
                ),
                "a consumer that is down for longer never learns of a deleted key",
                "raise delete.retention.ms to a week".to_owned(),
            );
        }
    }

    fn policy(&mut self, keeping: Keeping, policy: &str) {
        let (compacts, deletes) = (policy.contains("compact"), policy.contains("delete"));
        match keeping {
            Keeping::LastOfEachKey if !compacts || deletes => self.setting(
                "cleanup.policy",
                policy,
                "compact",
                "the topic holds the latest state of each key: what is deleted by age is lost",
            ),
            Keeping::Everything if compacts => self.setting(
                "cleanup.policy",
                policy,
                "delete",
                "compaction would drop all facts of a key but the last",
            ),
            _ => {}
        }
    }
}

/// A topic that is gone.
pub(super) fn missing(topic: &str, product: &str) -> Failure {
    let mut findings = Vec::new();
    Faults::new(topic, product, &mut findings).missing();
    Failure::all(Kind::Broker, findings)
}
