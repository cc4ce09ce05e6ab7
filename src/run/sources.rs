//! The tables that products read, as the database has them.

use onramp_connector::{Connector, Ident, TableDescription};
use onramp_finding::codes::{running, source};
use onramp_finding::{Failure, Finding};
use onramp_language::{Gateway, OnTruncate, Product, TableName};

use super::products;

/// A product's tables.
pub(crate) fn idents(product: &Product) -> Vec<Ident> {
    product.tables.read().into_iter().map(ident).collect()
}

fn ident((schema, table): TableName) -> Ident {
    Ident { schema, table }
}

/// Whether a product reads a table.
pub(crate) fn reads(product: &Product, table: &Ident) -> bool {
    let this = |(schema, name): &TableName| *schema == table.schema && *name == table.table;
    product.tables.read().iter().any(this)
}

/// Those of the described tables that a product reads.
pub(crate) fn of<'t>(
    product: &Product,
    described: &'t [TableDescription],
) -> Vec<&'t TableDescription> {
    let reads = |t: &&TableDescription| reads(product, &t.name);
    described.iter().filter(reads).collect()
}

/// The names of a product's tables, as progress has them; a source's messages have none.
pub(crate) fn names_of_all(product: &Product) -> Vec<String> {
    let idents = idents(product).into_iter();
    let tables = idents.filter(|ident| ident.message_prefix().is_none());
    tables.map(|table| table.to_string()).collect()
}

/// The names of a union's tables, as its runs have them; of one table there is nothing to tell.
pub(crate) fn names(product: &Product) -> Vec<String> {
    match product.tables.union {
        true => idents(product).iter().map(Ident::to_string).collect(),
        false => Vec::new(),
    }
}

/// The gateway with its products' patterns held against the tables that there are; what is wrong with
/// them. Where no product has any, nothing is asked.
pub(crate) async fn found(
    gateway: &Gateway,
    connector: &dyn Connector,
) -> Result<(Gateway, Vec<Finding>), Failure> {
    let mut found = gateway.clone();
    let patterns = products::published(gateway)
        .iter()
        .any(|product| product.tables.has_patterns());
    if !patterns {
        return Ok((found, Vec::new()));
    }
    let there = connector.surveyor().await?.tables().await?.found;
    let there: Vec<TableName> = there.into_iter().map(|t| (t.schema, t.table)).collect();
    let mut findings = Vec::new();
    let published = |p: &Product| products::is_published(gateway, p);
    for product in found.products.iter_mut().filter(|p| published(p)) {
        if !product.tables.has_patterns() {
            continue;
        }
        for at in product.tables.find(there.iter()) {
            let named = &product.tables.named[at];
            let (schema, table) = &named.value;
            let message = format!("no table is called like {schema}.{table}");
            findings.push(
                Finding::error(&source::NO_TABLE, named.place(), message)
                    .because("the database shows no such table, or not to this role")
                    .remedy("correct the name in source.tables; `*` stands for any letters")
                    .of_product(product.name.to_string()),
            );
        }
    }
    Ok((found, findings))
}

/// Whether any product's patterns mean other tables than they did.
pub(crate) fn differ(before: &Gateway, now: &Gateway) -> bool {
    let both = before.products.iter().zip(&now.products);
    both.into_iter()
        .any(|(before, now)| before.tables.found != now.tables.found)
}

/// Those of the tables that a product read that are no more: their rows went without a word.
pub(crate) fn gone(product: &Product, known: &[String]) -> impl Iterator<Item = Finding> {
    let now = names(product);
    let ends = product.tables.union && product.on_truncate == OnTruncate::Stop;
    let place = product.tables.place();
    let gone = known.iter().filter(move |name| ends && !now.contains(name));
    let name = product.name.value.to_string();
    gone.map(move |table| {
        let message =
            format!("table {table}, which the product read, is no longer one of its tables");
        Finding::error(&running::UNION_TABLE_GONE, place.clone(), message)
            .because(running::UNION_TABLE_GONE.reason)
            .remedy(running::UNION_TABLE_GONE.remedy)
            .of_product(name.clone())
    })
}
