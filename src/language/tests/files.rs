//! Whole files: what the language promises is read as it is meant.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use onramp_finding::{Style, to_text};
use onramp_language::{
    Compatibility, Gateway, Headers, Loaded, Otherwise, Overrides, Protect, Scalar, Secret, Shape,
    Source, Status, TlsMode, load, read,
};

/// An entity with everything that is built.
const ORDERS: &str = r#"product: commerce.orders.v2
status: active                       # draft | active | deprecated | retired
owner: { team: order-management, contact: orders@shop.test }
description: Every order of the shop, as it stands now.
sla: { tier: 1, freshness: 5s, retention: forever }
compatibility: full_transitive       # the default: consumers read history from its start
kind: entity
source: { table: public.ordr_hdr, where: row.del_flg != "Y" }
key: [order_id]
fields:
  order_id:    { type: long, from: ord_no, doc: The order's number. }
  customer_id: { type: string, expr: "'CUST-' + string(row.cust_no)" }
  status:
    type: enum
    from: ord_stat
    values: { "N": NEW, "P": PAID, "S": SHIPPED, "X": CANCELLED }
    default: UNKNOWN                 # the symbol that older readers see for a newer one
    otherwise: fail                  # fail | null | { value: UNKNOWN }
  total:       { type: "decimal(12,2)", from: tot_amt }
  placed_at:   { type: timestamp, from: ord_dt, parse: "%Y%m%d%H%M%S", zone: Europe/London, ambiguous: fail }
  email:       { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii_2026 } }
  address:
    type: record
    fields:
      street: { type: string, from: adr_1 }
      city:   { type: string, from: adr_3 }
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn loaded(path: &Path, overrides: &Overrides) -> Loaded {
    load(path, overrides).unwrap_or_else(|findings| panic!("{}", to_text(&findings, Style::PLAIN)))
}

fn reference_gateway(product: &str, overrides: &Overrides) -> (tempfile::TempDir, Gateway) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("products")).unwrap();
    std::fs::copy(
        root().join("config/onramp.yaml"),
        folder.path().join("onramp.yaml"),
    )
    .unwrap();
    std::fs::write(folder.path().join("products/orders.yaml"), product).unwrap();
    let gateway = loaded(&folder.path().join("onramp.yaml"), overrides).gateway;
    (folder, gateway)
}

#[test]
fn the_reference_gateway_is_read_as_it_says() {
    let (_folder, gateway) = reference_gateway(ORDERS, &Overrides::default());
    assert_eq!(gateway.name.value, "legacy_shop");
    assert_eq!(gateway.source.host, "db.internal");
    assert_eq!(
        gateway.source.password,
        Some(Secret::File("/run/secrets/shop-db".into()))
    );
    assert_eq!(gateway.source.tls, TlsMode::VerifyFull);
    assert_eq!(gateway.kafka.brokers, ["kafka-1:9092", "kafka-2:9092"]);
    assert_eq!(
        (gateway.kafka.partitions, gateway.kafka.replication),
        (6, 3)
    );
    assert_eq!(
        gateway.kafka.properties,
        [("client.rack".into(), "eu-1a".into())]
    );
    assert_eq!(gateway.limits.queue, 24 << 20);
    assert_eq!(gateway.commit_every, Duration::from_millis(100));
    assert_eq!(gateway.drain, Duration::from_secs(20));
    assert_eq!(gateway.headers, Headers::Transaction);
    assert_eq!(gateway.keys[0].0, "pii_2026");
    assert!(!gateway.drafts);
}

#[test]
fn an_entity_is_read_as_it_says() {
    let (_folder, gateway) = reference_gateway(ORDERS, &Overrides::default());
    let [product] = &gateway.products[..] else {
        panic!("one product")
    };
    assert_eq!(product.name.value.to_string(), "commerce.orders.v2");
    assert_eq!(product.status, Status::Active);
    assert_eq!(product.compatibility, Compatibility::FullTransitive);
    assert_eq!(
        product.tables.read(),
        [("public".into(), "ordr_hdr".into())]
    );
    assert_eq!(
        product.filter.as_ref().unwrap().value,
        "row.del_flg != \"Y\""
    );
    let names: Vec<&str> = product.records()[0]
        .fields
        .iter()
        .map(|f| f.name.value.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "order_id",
            "customer_id",
            "status",
            "total",
            "placed_at",
            "email",
            "address"
        ]
    );
    let Shape::Enum {
        values,
        default,
        otherwise,
        ..
    } = &product.records()[0].fields[2].shape
    else {
        panic!("an enum")
    };
    let codes: Vec<(&str, &str)> = values
        .iter()
        .map(|(c, s)| (c.as_str(), s.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            ("N", "NEW"),
            ("P", "PAID"),
            ("S", "SHIPPED"),
            ("X", "CANCELLED")
        ]
    );
    assert_eq!(default.as_ref().unwrap().value, "UNKNOWN");
    assert_eq!(*otherwise, Otherwise::Fail);
    let Shape::Scalar { r#type, .. } = &product.records()[0].fields[3].shape else {
        panic!("a scalar")
    };
    assert_eq!(
        r#type.value,
        Scalar::Decimal {
            precision: 12,
            scale: 2
        }
    );
    let Shape::Scalar {
        source: Source::Column {
            parse: Some(parse), ..
        },
        ..
    } = &product.records()[0].fields[4].shape
    else {
        panic!("a text date")
    };
    assert_eq!(parse.zone.as_ref().unwrap().0.value, "Europe/London");
    assert!(product.records()[0].fields[5].optional);
    assert_eq!(
        product.records()[0].fields[5]
            .protect
            .as_ref()
            .unwrap()
            .value,
        Protect::Hmac("pii_2026".into())
    );
}

#[test]
fn a_code_is_the_text_that_stands_in_the_file() {
    let text = "product: a.b.v1\nstatus: active\nowner: { team: t, contact: c }\ndescription: 2026-01-01\nkind: entity\nsource: { table: s.t }\nkey: [id]\nfields:\n  id: { type: long, from: on }\n  e: { type: enum, from: e, values: { 01: A, Y: B, \"\": C, ~: D, 1.0: E } }\n";
    let (_folder, gateway) = reference_gateway(text, &Overrides::default());
    let product = &gateway.products[0];
    assert_eq!(product.description, "2026-01-01");
    let Shape::Enum { values, .. } = &product.records()[0].fields[1].shape else {
        panic!("an enum")
    };
    let codes: Vec<&str> = values.iter().map(|(c, _)| c.as_str()).collect();
    assert_eq!(codes, ["01", "Y", "", "~", "1.0"]);
}

#[test]
fn a_flag_comes_before_a_variable_and_a_variable_before_the_file() {
    let pairs = |all: &[(&str, &str)]| {
        all.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let overrides = Overrides {
        environment: pairs(&[
            ("ONRAMP_SOURCE__URL", "postgres://u@one/d"),
            ("ONRAMP_KAFKA__BROKERS", "a:1, b:2"),
            ("ONRAMP_KAFKA__SECURITY__PASSWORD__FILE", "/run/k"),
            ("ONRAMP_KEYS__OTHER__ENV", "OTHER"),
            ("ONRAMP_DRAFTS", "true"),
            ("ONRAMP_SERVICE_HOST", "10.0.0.1"),
        ]),
        flags: pairs(&[
            ("source.url", "postgres://u@two/d"),
            ("kafka.properties.client.id", "x"),
        ]),
    };
    let (_folder, gateway) = reference_gateway(ORDERS, &overrides);
    assert_eq!(gateway.source.host, "two");
    assert_eq!(gateway.kafka.brokers, ["a:1", "b:2"]);
    assert_eq!(
        gateway.kafka.security.unwrap().password,
        Some(Secret::File("/run/k".into()))
    );
    assert!(
        gateway
            .keys
            .contains(&("other".into(), Secret::Env("OTHER".into())))
    );
    assert!(
        gateway
            .kafka
            .properties
            .contains(&("client.id".into(), "x".into()))
    );
    assert!(gateway.drafts);
}

#[test]
fn a_product_with_faults_hides_no_other_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("products")).unwrap();
    std::fs::copy(
        root().join("config/onramp.yaml"),
        folder.path().join("onramp.yaml"),
    )
    .unwrap();
    std::fs::write(folder.path().join("products/orders.yaml"), ORDERS).unwrap();
    let broken = ORDERS
        .replace("orders.v2", "orders.v3")
        .replace("ord_no,", "ord_no, frm: x,");
    std::fs::write(folder.path().join("products/other.yaml"), broken).unwrap();
    let reading = read(&folder.path().join("onramp.yaml"), &Overrides::default());
    assert_eq!(reading.refused, ["commerce.orders.v3"]);
    assert_eq!(reading.gateway.unwrap().products.len(), 1);
    assert_eq!(reading.findings.len(), 1);
    assert_eq!(
        reading.findings[0].product.as_deref(),
        Some("commerce.orders.v3")
    );
}

#[test]
fn the_example_is_without_fault() {
    let example = root().join("examples/shop/onramp.yaml");
    assert!(
        !loaded(&example, &Overrides::default())
            .gateway
            .products
            .is_empty()
    );
}

#[test]
fn the_generated_pages_are_as_the_definition_says() {
    for (name, text) in onramp_language::reference::pages() {
        let there = std::fs::read_to_string(root().join("docs").join(name)).unwrap_or_default();
        assert!(
            there == text,
            "docs/{name} drifted: cargo run -p onramp-language --bin reference"
        );
    }
}
