//! What the source is asked for: the tables that products map, and where progress stands.

use onramp_connector::{
    Ident, Position, PrepareRequest, SourceIdentity, TableDescription, TableRequest,
};
use onramp_language::{Gateway, Product};
use onramp_publisher::progress::{ProductState, ProductStatus, Progress};

use super::{products, sources};

/// The names of the tables that products map.
pub(crate) fn idents(gateway: &Gateway) -> Vec<Ident> {
    let mut idents: Vec<Ident> = Vec::new();
    for product in products::published(gateway) {
        for ident in sources::idents(product) {
            if !idents.contains(&ident) {
                idents.push(ident);
            }
        }
    }
    idents
}

/// What products need of each table.
pub(crate) fn tables(
    gateway: &Gateway,
    described: &[TableDescription],
    seen: Option<&Progress>,
) -> Vec<TableRequest> {
    let mut tables = Vec::new();
    for ident in idents(gateway) {
        let of_table: Vec<&Product> = products::published(gateway)
            .into_iter()
            .filter(|p| sources::reads(p, &ident))
            .collect();
        let mut columns = Vec::new();
        if let Some(table) = described.iter().find(|t| t.name == ident) {
            columns = of_table
                .iter()
                .flat_map(|p| onramp_translator::columns(p, table))
                .collect();
            columns.sort();
            columns.dedup();
        }
        // Nobody held the changes of one that was retired; it begins anew.
        let active = |p: &&Product| {
            let state = seen.and_then(|s| s.products.get(&p.name.value.to_string()));
            // So does a table that came since: to a pattern, or into the file.
            let read =
                |s: &ProductState| s.tables.is_empty() || s.tables.contains(&ident.to_string());
            state.is_some_and(|s| s.status == ProductStatus::Active && read(s))
        };
        tables.push(TableRequest {
            published_before: of_table.iter().any(active),
            columns,
            products: of_table.iter().map(|p| p.name.value.to_string()).collect(),
            accept_left_out: of_table.iter().all(|p| p.accept_unchanged_toast),
            table: ident,
        });
    }
    tables
}

/// What the source is to be prepared for.
pub(crate) fn request(tables: &[TableRequest], seen: Option<&Progress>) -> PrepareRequest {
    let record = seen.and_then(|p| p.position.as_ref());
    PrepareRequest {
        tables: tables.to_vec(),
        progress: record.map(|r| Position(r.position.as_str().into())),
        identity: record.map(|r| SourceIdentity {
            system: r.system.clone(),
            branch: r.branch.clone(),
        }),
    }
}
