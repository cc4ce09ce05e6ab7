//! The products that a command is told, by name.

use onramp_finding::codes::running::UNKNOWN_PRODUCT;
use onramp_finding::{Finding, Place};
use onramp_language::{Gateway, Product};

/// The products of these names, all where none is named; a name that no file has is a finding. One
/// whose file has faults is passed over: they are told.
pub(super) fn products<'g>(
    gateway: &'g Gateway,
    refused: &[String],
    names: &[String],
) -> (Vec<&'g Product>, Vec<Finding>) {
    if names.is_empty() {
        return (gateway.products.iter().collect(), Vec::new());
    }
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let of_name = |p: &&Product| p.name.value.to_string() == *name;
        match gateway.products.iter().find(of_name) {
            Some(product) => found.push(product),
            None if refused.contains(name) => {}
            None => unknown.push(unknown_product(gateway, name)),
        }
    }
    (found, unknown)
}

/// No file has this name.
pub(super) fn unknown_product(gateway: &Gateway, name: &str) -> Finding {
    let names = gateway.products.iter().map(|p| p.name.value.to_string());
    let names: Vec<String> = names.collect();
    let remedy = match onramp_finding::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => UNKNOWN_PRODUCT.remedy.to_owned(),
    };
    let message = format!("there is no product {name}");
    Finding::error(&UNKNOWN_PRODUCT, Place::Nowhere, message)
        .remedy(remedy)
        .of_product(name.to_owned())
}
