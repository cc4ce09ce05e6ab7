//! What a command may have left behind on the servers.

use std::collections::BTreeMap;
use std::time::Duration;

use onramp_registry::{RegistryClient, RegistryOptions, key_subject, value_subject};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{Scenario, connect};

const PATIENCE: Duration = Duration::from_secs(60);

/// Everything of a scenario's that the servers know, by what it is: what stays the same where
/// nothing is left behind.
///
/// # Panics
/// Where a server does not answer.
pub async fn traces(scenario: &Scenario, products: &[&str]) -> BTreeMap<&'static str, Vec<String>> {
    let db = connect(&scenario.servers.database(&scenario.name)).await;
    let mut found = BTreeMap::new();
    for (what, sql) in [
        (
            "slots",
            "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()",
        ),
        ("publications", "SELECT pubname::text FROM pg_publication"),
        (
            "relations",
            "SELECT concat_ws(' ', oid, relname, relfilenode, relreplident) FROM pg_class
              WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)",
        ),
        ("functions", "SELECT count(*)::text FROM pg_proc"),
        ("types", "SELECT count(*)::text FROM pg_type"),
        ("triggers", "SELECT tgname::text FROM pg_trigger"),
    ] {
        let rows = db.query(sql, &[]).await.expect("the catalogue answers");
        let mut names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        names.sort();
        found.insert(what, names);
    }
    let (topics, groups) = kafka(scenario).await;
    found.insert("topics", topics);
    found.insert("groups", groups);
    found.insert("subjects", subjects(scenario, products).await);
    found
}

/// Topics and consumer groups with the scenario's name in theirs, and groups of ours.
async fn kafka(scenario: &Scenario) -> (Vec<String>, Vec<String>) {
    let (brokers, name) = (scenario.servers.kafka.clone(), scenario.name.clone());
    let work = move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .create()
            .expect("the settings are right");
        let metadata = consumer.fetch_metadata(None, PATIENCE);
        let metadata = metadata.expect("the broker answers");
        let topics = metadata.topics().iter().map(|t| t.name().to_owned());
        let mut topics: Vec<String> = topics.filter(|t| t.contains(&name)).collect();
        let groups = consumer.fetch_group_list(None, PATIENCE);
        let groups = groups.expect("the broker answers");
        let groups = groups.groups().iter().map(|g| g.name().to_owned());
        let ours = |g: &String| g.contains(&name) || g.contains("onramp");
        let mut groups: Vec<String> = groups.filter(ours).collect();
        topics.sort();
        groups.sort();
        (topics, groups)
    };
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

/// Versions and levels of the products' subjects.
async fn subjects(scenario: &Scenario, products: &[&str]) -> Vec<String> {
    let client = RegistryClient::new(RegistryOptions::new(&scenario.servers.registry));
    let client = client.expect("the address is right");
    let mut found = Vec::new();
    for product in products {
        let topic = scenario.topic(product);
        for subject in [value_subject(&topic), key_subject(&topic)] {
            let versions = client.versions(&subject).await;
            let level = client.subject_level(&subject).await;
            let (versions, level) = (versions.expect("it answers"), level.expect("it answers"));
            if !versions.is_empty() || level.is_some() {
                found.push(format!("{subject} {versions:?} {level:?}"));
            }
        }
    }
    found
}
