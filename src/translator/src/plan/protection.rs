//! How a field's values are protected, resolved: with the gateway's keys.

use onramp_finding::{Finding, codes::mapping};
use onramp_language::{Field, Protect};

use super::Planner;
use crate::cipher::FieldCipher;
use crate::protection::{Protection, Pseudonymiser};

impl Planner<'_> {
    #[allow(clippy::option_option)] // None: refused; Some(None): nothing to do.
    pub(super) fn protect(&mut self, field: &Field, path: &str) -> Option<Option<Protection>> {
        let Some(protect) = &field.protect else {
            return Some(None);
        };
        if let Protect::Mask { keep } = &protect.value {
            return Some(Some(Protection::Mask(*keep)));
        }
        let Some(name) = protect.key() else {
            return Some(None);
        };
        let key = match self.keys {
            None => Some(&b"not known while checking"[..]),
            Some(keys) => keys.iter().find(|(n, _)| n == name).map(|(_, k)| &k[..]),
        };
        let product = &self.product.name;
        let made = key
            .filter(|key| !key.is_empty())
            .and_then(|key| match &protect.value {
                Protect::Encrypt(_) => FieldCipher::new(name, key, &product.to_string(), path)
                    .map(|cipher| Protection::Cipher(Box::new(cipher))),
                _ => Pseudonymiser::new(name, key).map(Protection::Pseudonym),
            });
        if made.is_none() {
            self.say(
                Finding::error(
                    &mapping::KEY_MISSING,
                    protect.place(),
                    format!("field {path} is protected by key {name}, which there is not"),
                )
                .remedy(mapping::KEY_MISSING.remedy),
            );
        }
        made.map(Some)
    }
}
