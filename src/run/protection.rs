//! The keys of protection: read, found long enough, and held against those that a product's values
//! were published with.

use std::collections::BTreeMap;

use onramp_finding::codes::{protection, running};
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::{Gateway, Product, Protect, Secret};
use onramp_publisher::progress::{Progress, Protected};
use onramp_translator::{LEAST_SECRET_BYTES, fingerprint};

use super::{products, settings};

/// Keys by the names that products refer to them by.
pub(crate) type Keys = Vec<(String, Vec<u8>)>;

/// Reads every key that the gateway declares.
fn read(gateway: &Gateway) -> Result<Keys, Failure> {
    let read = |(name, secret): &(String, Secret)| {
        let secret = settings::read(secret, &format!("keys.{name}"))?;
        Ok((name.clone(), secret.into_bytes()))
    };
    gateway.keys.iter().map(read).collect()
}

/// Reads them before anything is begun. Refuses to encrypt under a secret that is guessed too easily,
/// and says where pseudonyms are made with one: they are published, and another secret would give
/// them other values.
pub(crate) fn preflight(gateway: &Gateway) -> Result<Keys, Failure> {
    let keys = read(gateway)?;
    let short = |name: &str| {
        keys.iter()
            .any(|(n, secret)| n == name && secret.len() < LEAST_SECRET_BYTES)
    };
    let mut refused = Vec::new();
    for product in products::published(gateway) {
        // Fields and elements may have one key: of that it is told once.
        let mut told: Vec<&str> = Vec::new();
        for protect in product.protections() {
            let Some(key) = protect.key().filter(|key| short(key)) else {
                continue;
            };
            let message = format!("the secret of {key} has fewer than {LEAST_SECRET_BYTES} bytes");
            let code = &protection::SECRET_SHORT;
            match &protect.value {
                Protect::Encrypt(_) => refused.push(
                    Finding::error(code, protect.place(), message)
                        .because(code.reason)
                        .remedy(code.remedy)
                        .of_product(product.name.value.to_string()),
                ),
                _ if told.contains(&key) => {}
                _ => {
                    told.push(key);
                    tracing::warn!(
                        code = code.id,
                        product = %product.name.value,
                        "{message}: {}",
                        code.remedy
                    );
                }
            }
        }
    }
    match refused.is_empty() {
        true => Ok(keys),
        false => Err(Failure::all(Kind::Configuration, refused)),
    }
}

/// What a product's values are protected by from now on; the names that it used before stay
/// taken. None where it never had a key.
pub(crate) fn now(product: &Product, keys: &Keys, before: Option<&Protected>) -> Option<Protected> {
    let mut secrets = before.map_or_else(BTreeMap::new, |before| before.secrets.clone());
    for protect in product.protections() {
        if let Some((name, secret)) = keys.iter().find(|(n, _)| Some(&**n) == protect.key()) {
            secrets.insert(name.clone(), fingerprint(secret));
        }
    }
    let protected = Protected {
        secrets,
        key_fields: product.key_pseudonyms(),
        fields: product.protection_words(),
    };
    (protected != Protected::default()).then_some(protected)
}

/// In what the keys are not those that the topic was filled with.
pub(crate) fn changed(
    product: &Product,
    before: Option<&Protected>,
    now: Option<&Protected>,
) -> Vec<Finding> {
    // An earlier version of the program kept no word of it.
    let Some(before) = before else {
        return Vec::new();
    };
    let nothing = Protected::default();
    let now = now.unwrap_or(&nothing);
    let name = product.name.value.to_string();
    let mut findings = Vec::new();
    if before.key_fields != now.key_fields {
        let place = product
            .key
            .first()
            .map_or(product.name.place(), |key| key.place());
        findings.push(
            Finding::error(
                &running::KEY_CHANGED,
                place,
                format!("the keys of {name} would get other bytes"),
            )
            .because("a key field's pseudonyms were published under another HMAC key, and a version keeps it for as long as it lives")
            .remedy("restore the key's name under `protect`, or start a new version"),
        );
    }
    for (key, secret) in &now.secrets {
        if before.secrets.get(key).is_some_and(|then| then != secret) {
            findings.push(
                Finding::error(
                    &protection::SECRET_REPLACED,
                    Place::Setting(format!("keys.{key}")),
                    format!("{key} is not the secret that values of {name} were published with"),
                )
                .because(protection::SECRET_REPLACED.reason)
                .remedy(protection::SECRET_REPLACED.remedy),
            );
        }
    }
    findings.extend(bared(product, &before.fields, "published"));
    findings
        .into_iter()
        .map(|finding| finding.of_product(name.clone()))
        .collect()
}

/// The fields that something protected, and whose values nothing protects now: no schema need tell of
/// it, so the file has to.
pub(crate) fn bared(product: &Product, then: &BTreeMap<String, String>, was: &str) -> Vec<Finding> {
    let code = &protection::UNPROTECTED_NOW;
    let told = then.iter().filter_map(|(path, word)| {
        let place = product.bare(path)?.name.place();
        let message = format!("nothing protects {path}, which was {was} with {word}");
        let finding = Finding::error(code, place, message);
        Some(finding.because(code.reason).remedy(code.remedy))
    });
    told.collect()
}

/// In what the keys, and what is protected, are not what topics were filled with: said before
/// anything is made.
pub(crate) fn held_against(
    gateway: &Gateway,
    keys: &Keys,
    seen: Option<&Progress>,
) -> Result<(), Failure> {
    let mut refused = Vec::new();
    for product in products::published(gateway) {
        let state = seen.and_then(|seen| seen.products.get(&product.name.value.to_string()));
        let then = state.and_then(|state| state.protection.as_ref());
        let now = now(product, keys, then);
        refused.extend(changed(product, then, now.as_ref()));
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Failure::all(Kind::Configuration, refused)),
    }
}
