//! A plan's hash.
//!
//! It stands for what the gateway will be once a run has done its work, not for the steps that are
//! left: so it is the same before, in the midst of and after them, and a container that was restarted
//! with the same `--plan` starts. Everything that a run goes by is in it: the products with contract
//! and mapping, what becomes of an older mapping's events, the columns that they read and those
//! columns' types, the names at the source and which database it is, topics and their partitions.
//! What does not decide what is published is not: secrets, addresses, limits, listening ports.

use onramp_connector::TableDescription;
use onramp_language::Gateway;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::run::{contracts, products, settings, sources};

/// What is hashed.
pub(super) struct End<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) system: &'a str,
    pub(super) described: &'a [TableDescription],
    pub(super) pinned: &'a [(String, i32)],
}

/// So many hexadecimal digits are told.
const DIGITS: usize = 16;

impl End<'_> {
    pub(super) fn hash(&self) -> String {
        let digest = Sha256::digest(self.material().to_string().as_bytes());
        let mut digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.truncate(DIGITS);
        digits
    }

    fn material(&self) -> Value {
        let names = settings::source(self.gateway, "");
        let mut published: Vec<Value> = products::published(self.gateway)
            .into_iter()
            .map(|product| self.product(product))
            .collect();
        published.sort_by_key(|product| product.to_string());
        let kafka = &self.gateway.kafka;
        json!({
            "format": 1,
            "gateway": self.gateway.name.value,
            "system": self.system,
            "slot": names.slot,
            "publication": names.publication,
            "headers": format!("{:?}", self.gateway.headers),
            "replication": kafka.replication,
            "topic_settings": kafka.topic_settings,
            "topics": self.pinned,
            "products": published,
        })
    }

    fn product(&self, product: &onramp_language::Product) -> Value {
        let contract = onramp_translator::contract(product);
        let tables = sources::of(product, self.described);
        let tables: Vec<_> = tables
            .into_iter()
            .map(|table| {
                let read = onramp_translator::columns(product, table);
                let columns = table.columns.iter().filter(|c| read.contains(&c.name));
                let columns = columns.map(|c| (&c.name, &c.type_name, c.nullable));
                (table.name.to_string(), columns.collect::<Vec<_>>())
            })
            .collect();
        let mut hashed = json!({
            "name": product.name.value.to_string(),
            "tables": tables,
            "contract": contract.contract_hash,
            "mapping": contract.mapping_hash,
            "level": contracts::level(product.compatibility).to_string(),
            "on_mapping_change": product.on_mapping_change.map(|how| format!("{how:?}")),
        });
        if product.tells_rows() {
            hashed["history"] = "insert".into();
        }
        hashed
    }
}
