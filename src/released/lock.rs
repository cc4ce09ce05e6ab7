//! `contracts.lock`: one entry a product, written by `onramp release`, kept in version control.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use onramp_finding::{Finding, Place, codes::contracts};
use onramp_language::{KeyFormat, Product};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::level;

/// The file's name.
pub(crate) const NAME: &str = "contracts.lock";
/// A thousand products with dozens of schemas each stay below it.
const MAX_BYTES: u64 = 256 << 20;
const FORMAT: u32 = 1;

/// What was released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    format: u32,
    /// By product.
    pub(crate) contracts: BTreeMap<String, Released>,
}

/// A product's contract, as consumers were told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Released {
    /// Its level of compatibility, by the product file's word.
    pub(crate) level: String,
    pub(crate) key: Vec<String>,
    pub(crate) key_format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_schema: Option<Value>,
    /// The key fields that are pseudonyms, and the name of the HMAC key of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) key_pseudonyms: BTreeMap<String, String>,
    /// The hash of what decides which event a row gives.
    /// The fields that something protects, and the word for what.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) protections: BTreeMap<String, String>,
    pub(crate) mapping: String,
    /// Every schema that was released, the latest last. Of a product of facts they are under `events`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) schemas: Vec<Value>,
    /// The same by type of facts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) events: BTreeMap<String, Vec<Value>>,
}

/// A record that was released: the type of facts, where it is one, and its schemas.
pub(super) type Record<'r> = (Option<&'r str>, &'r [Value]);

impl Default for Lock {
    fn default() -> Lock {
        Lock {
            format: FORMAT,
            contracts: BTreeMap::new(),
        }
    }
}

impl Lock {
    /// What stands beside the gateway file; None where nothing does.
    pub(crate) fn beside(config: &Path) -> Result<Option<Lock>, Box<Finding>> {
        let path = path(config);
        let unreadable = |why: String| {
            let message = format!("{NAME} cannot be read");
            let finding = Finding::error(
                &contracts::LOCK_UNREADABLE,
                Place::Path(NAME.to_owned()),
                message,
            );
            let remedy = contracts::LOCK_UNREADABLE.remedy;
            Box::new(finding.because(why).remedy(remedy))
        };
        match std::fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unreadable(e.to_string())),
            Ok(about) if !about.is_file() => return Err(unreadable("it is not a file".into())),
            Ok(about) if about.len() > MAX_BYTES => {
                return Err(unreadable("it is longer than 256 MiB".into()));
            }
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(&path).map_err(|e| unreadable(e.to_string()))?;
        let lock: Lock = serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))?;
        match lock.format {
            FORMAT => Ok(Some(lock)),
            other => Err(unreadable(format!(
                "it is of format {other}, and this version reads format {FORMAT}"
            ))),
        }
    }

    /// Releases what a product's file gives; whether anything is new, and how many schemas there are
    /// then. What it may not break was checked before.
    pub(super) fn release(&mut self, name: String, now: Released) -> (bool, usize) {
        let Some(before) = self.contracts.get_mut(&name) else {
            let count = now.count();
            self.contracts.insert(name, now);
            return (true, count);
        };
        let new = !before.is_current(&now);
        if new {
            let schemas = joined(std::mem::take(&mut before.schemas), now.schemas);
            let mut events = std::mem::take(&mut before.events);
            for (event, now) in now.events {
                let earlier = events.remove(&event).unwrap_or_default();
                events.insert(event, joined(earlier, now));
            }
            *before = Released {
                schemas,
                events,
                ..now
            };
        }
        (new, before.count())
    }

    /// Writes it beside the gateway file: whole, or not at all.
    pub(crate) fn write(&self, config: &Path) -> std::io::Result<()> {
        let path = path(config);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        // Temporary files are their owner's alone; this one is everybody's, as a checkout makes it.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).map_or(0o644, |m| m.permissions().mode());
            file.as_file()
                .set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        file.persist(&path)?;
        Ok(())
    }
}

/// A record's schemas with the one that it has now.
fn joined(mut earlier: Vec<Value>, now: Vec<Value>) -> Vec<Value> {
    if earlier.last() != now.last() {
        earlier.extend(now);
    }
    earlier
}

fn path(config: &Path) -> PathBuf {
    config.with_file_name(NAME)
}

impl Released {
    /// The contract that a product's file gives now, and nothing earlier.
    pub(crate) fn of(product: &Product) -> Released {
        let contract = onramp_translator::contract(product);
        // Both are written by the line above.
        let parsed = |text: &String| serde_json::from_str(text).unwrap_or_default();
        let (mut schemas, mut events) = (Vec::new(), BTreeMap::new());
        for value in &contract.values {
            match &value.event {
                None => schemas.push(parsed(&value.schema)),
                Some(event) => drop(events.insert(event.clone(), vec![parsed(&value.schema)])),
            }
        }
        Released {
            level: level(product.compatibility).word().to_ascii_lowercase(),
            key: product.key.iter().map(|k| k.value.clone()).collect(),
            key_format: match product.key_format {
                KeyFormat::String => "string".to_owned(),
                KeyFormat::Avro => "avro".to_owned(),
            },
            key_schema: contract.key_schema.as_ref().map(parsed),
            key_pseudonyms: product.key_pseudonyms(),
            protections: product.protection_words(),
            mapping: contract.mapping_hash,
            schemas,
            events,
        }
    }

    /// Whether it is just what the product's file gives now.
    pub(super) fn is_current(&self, now: &Released) -> bool {
        let rest = |r: &Released| Released {
            schemas: Vec::new(),
            events: BTreeMap::new(),
            // The mapping's hash tells of them, and an entry of an earlier version has none.
            protections: BTreeMap::new(),
            ..r.clone()
        };
        let last = |r: &Released| -> Vec<(Option<String>, Option<Value>)> {
            let records = r.records().into_iter();
            let last =
                |(event, schemas): Record<'_>| (event.map(str::to_owned), schemas.last().cloned());
            records.map(last).collect()
        };
        last(self) == last(now) && rest(self) == rest(now)
    }

    /// Its records.
    pub(super) fn records(&self) -> Vec<Record<'_>> {
        let entity = (!self.schemas.is_empty()).then_some((None, &self.schemas[..]));
        let events = self.events.iter();
        let events = events.map(|(event, schemas)| (Some(event.as_str()), &schemas[..]));
        entity.into_iter().chain(events).collect()
    }

    /// How many schemas there are.
    fn count(&self) -> usize {
        self.records()
            .iter()
            .map(|(_, schemas)| schemas.len())
            .sum()
    }

    /// Whether an earlier state of this entry may have become it by releases.
    pub(crate) fn continues(&self, earlier: &Released) -> bool {
        let kept = |event: Option<&str>| {
            let records = self.records();
            let found = records.into_iter().find(|(own, _)| *own == event);
            found.map_or(&[][..], |(_, schemas)| schemas)
        };
        let mut earlier_records = earlier.records().into_iter();
        earlier_records.all(|(event, schemas)| kept(event).starts_with(schemas))
            && self.key == earlier.key
            && self.key_format == earlier.key_format
            && self.key_schema == earlier.key_schema
            // An entry that an earlier version wrote does not name them.
            && (self.key_pseudonyms == earlier.key_pseudonyms || self.mapping == earlier.mapping)
    }
}
