//! Each finding about a mapping once, with its words.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use onramp_connector::{BeforeImage, Index, TableDescription, ValueType};
use onramp_finding::{Place, Severity};
use onramp_language::Product;
use onramp_translator::check;
use support::{column, nullable, product, table};

const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";

fn orders() -> TableDescription {
    table(vec![
        column("no", ValueType::Int(64)),
        column("stat", ValueType::Text),
        nullable("tot", ValueType::Decimal(Some((12, 2)))),
        column("pt", ValueType::Unsupported),
        column("kind", ValueType::Enum(["a".to_owned(), "b".into()].into())),
        column("amt", ValueType::Decimal(None)),
        column("ts", ValueType::LocalTimestamp),
        column("dbl", ValueType::Double),
        column("dt", ValueType::Date),
    ])
}

/// Code, severity's first letter, message, reason or remedy as asked.
fn said(product: &Product, table: &TableDescription) -> Vec<String> {
    check(product, table)
        .into_iter()
        .map(|f| {
            assert_eq!(f.product.as_deref(), Some("commerce.orders.v1"));
            assert!(matches!(f.place, Place::File { .. }), "{f:?}");
            assert!(f.reason.is_some() || f.remedy.is_some(), "{f:?}");
            let mark = if f.severity == Severity::Error {
                ""
            } else {
                "?"
            };
            format!("{}{mark} {}", f.code.id, f.message)
        })
        .collect()
}

fn field(field: &str) -> Vec<String> {
    let product = product(HEAD, &format!("id: {{ type: long, from: no }}\nx: {field}"));
    said(&product, &orders())
}

#[test]
fn a_sound_mapping_has_no_finding() {
    assert!(field("{ type: 'decimal(14,3)', from: tot, optional: true }").is_empty());
    assert!(field("{ type: string, from: stat }").is_empty());
    assert!(field("{ type: boolean, expr: 'row.stat == \"Y\"' }").is_empty());
}

#[test]
fn columns() {
    assert_eq!(
        field("{ type: string, from: stst }"),
        ["ONR-301 table public.ordr_hdr has no column \"stst\""]
    );
    let typo = product(
        HEAD,
        "id: { type: long, from: no }\nx: { type: string, from: stst }",
    );
    assert_eq!(
        check(&typo, &orders())[0].remedy.as_deref(),
        Some("did you mean stat?")
    );
    assert_eq!(
        field("{ type: string, from: pt }"),
        ["ONR-302 column pt is of type unsupported, which is not carried"]
    );
}

#[test]
fn types() {
    for (text, message) in [
        (
            "{ type: int, from: no }",
            "column no (int(64)) cannot become int (field x)",
        ),
        (
            "{ type: string, from: no }",
            "column no (int(64)) cannot become string (field x)",
        ),
        (
            "{ type: float, from: dbl }",
            "column dbl (double) cannot become float (field x)",
        ),
        (
            "{ type: timestamp, from: ts }",
            "column ts (localtimestamp) cannot become timestamp (field x)",
        ),
        (
            "{ type: date, from: stat }",
            "column stat (text) cannot become date (field x)",
        ),
        (
            "{ type: 'decimal(12,1)', from: tot, optional: true }",
            "column tot (decimal(some((12, 2)))) cannot become decimal(12,1) (field x)",
        ),
        (
            "{ type: 'decimal(10,0)', from: no }",
            "column no (int(64)) cannot become decimal(10,0) (field x)",
        ),
        (
            "{ type: long, expr: row.stat }",
            "the expression (string) cannot become long (field x)",
        ),
    ] {
        assert_eq!(field(text), [format!("ONR-303 {message}")], "{text}");
    }
}

#[test]
fn nulls_precision_formats_and_codes() {
    assert_eq!(
        field("{ type: 'decimal(12,2)', from: tot }"),
        ["ONR-304? column tot (decimal(some((12, 2)))) may be null, and field x is required"]
    );
    assert_eq!(
        field("{ type: 'decimal(12,2)', from: amt }"),
        ["ONR-316? column amt (decimal(none)) declares no precision, and field x has one"]
    );
    assert_eq!(
        field("{ type: date, from: dt, parse: '%Y%m%d' }"),
        ["ONR-303 column dt (date) cannot become date (field x)"]
    );
    assert_eq!(
        field("{ type: enum, from: kind, values: { 'a': A }, otherwise: fail }"),
        ["ONR-310 the codes of field x do not fit column kind (enum([\"a\", \"b\"]))"]
    );
    assert_eq!(
        field("{ type: enum, from: no, values: { '01': A }, otherwise: fail }"),
        ["ONR-310 the codes of field x do not fit column no (int(64))"]
    );
    assert!(
        field(
            "{ type: enum, from: kind, values: { 'a': A }, default: U, otherwise: { value: U } }"
        )
        .is_empty()
    );
}

#[test]
fn expressions_point_into_the_file() {
    let product = product(
        "source: { table: public.ordr_hdr, where: row.stat }\nkey: [id]",
        "id: { type: long, from: no }\nx: { type: string, expr: row.nix }",
    );
    let findings = check(&product, &orders());
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for (finding, text) in findings.iter().zip(["row.stat", "row.nix"]) {
        let Place::File { file, span } = &finding.place else {
            panic!("{finding:?}")
        };
        let at = &file.text[span.start as usize..span.end as usize];
        assert!(text.contains(at) && !at.is_empty(), "{at}");
    }
}

#[test]
fn keys() {
    let fields = "id: { type: long, from: no }\ns: { type: string, from: stat }";
    let keyed = |head: &str, table: &TableDescription| said(&product(head, fields), table);
    let by_status = "source: { table: public.ordr_hdr }\nkey: [s]";
    let mut whole = orders();
    whole.before = BeforeImage::Whole;
    assert_eq!(
        keyed(by_status, &whole),
        ["ONR-306 the key may not tell the rows of public.ordr_hdr apart"]
    );
    let reason = format!("{by_status}\nkey_unique: {{ reason: the legacy job sees to it }}");
    assert!(keyed(&reason, &whole).is_empty());
    assert_eq!(
        keyed(&reason, &orders()),
        ["ONR-307 key field s needs stat, which a delete of public.ordr_hdr does not bring"]
    );
    // More than the index is unique too.
    assert!(keyed("source: { table: public.ordr_hdr }\nkey: [s, id]", &whole).is_empty());

    let mut deferrable = whole.clone();
    deferrable.unique[0].deferrable = true;
    assert_eq!(
        keyed(HEAD, &deferrable),
        ["ONR-308 the key rests on index ordr_pk, which is deferrable"]
    );
    deferrable.unique.push(Index {
        name: "other".into(),
        deferrable: false,
        ..deferrable.unique[0].clone()
    });
    assert!(keyed(HEAD, &deferrable).is_empty());
    let mut partial = whole.clone();
    partial.unique[0].total = false;
    assert_eq!(
        keyed(HEAD, &partial),
        ["ONR-306 the key may not tell the rows of public.ordr_hdr apart"]
    );
    let mut none = orders();
    none.before = BeforeImage::None;
    assert_eq!(
        keyed(HEAD, &none),
        ["ONR-312 updates and deletes of public.ordr_hdr cannot be followed"]
    );
}

#[test]
fn conversions_of_keys_are_one_to_one_or_do_not_count() {
    let key = |field: &str, column_type: ValueType| {
        let table = table(vec![column("c", column_type)]);
        let product = product(HEAD, &format!("id: {field}"));
        said(&product, &table)
    };
    assert!(
        key(
            "{ type: string, expr: \"'C-' + string(row.c)\" }",
            ValueType::Int(32)
        )
        .is_empty()
    );
    let secret = "{ type: string, from: c, classification: personal, protect: { hmac: pii } }";
    assert!(key(secret, ValueType::Text).is_empty());
    let many = "{ type: string, expr: row.c.lowerAscii() }";
    let parsed = "{ type: date, from: c, parse: '%Y%m%d' }";
    let folded = "{ type: enum, from: c, values: { 'a': A, 'b': A }, otherwise: fail }";
    for lossy in [many, parsed, folded] {
        assert_eq!(
            key(lossy, ValueType::Text),
            ["ONR-306 the key may not tell the rows of public.ordr_hdr apart"],
            "{lossy}"
        );
    }
    let enumerated = "{ type: enum, from: c, values: { 'a': A, 'b': B }, otherwise: fail }";
    assert!(key(enumerated, ValueType::Text).is_empty());
}

#[test]
fn the_example_shop_has_no_error() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/onramp.yaml");
    let shop = onramp_language::load(&path, &Default::default())
        .unwrap()
        .gateway;
    let text = |name: &str| column(name, ValueType::Text);
    let maybe = |name: &str| nullable(name, ValueType::Text);
    let mut customers = table(vec![
        column("cust_no", ValueType::Int(32)),
        text("cust_nm"),
        text("cust_typ"),
        maybe("eml_adr"),
        maybe("tel_no"),
        text("ctry_cd"),
        nullable("crd_lmt", ValueType::Decimal(Some((10, 2)))),
        text("opn_dt"),
        text("del_flg"),
    ]);
    customers.name.table = "cust_mst".into();
    let mut orders = table(vec![
        column("ord_no", ValueType::Int(64)),
        column("cust_no", ValueType::Int(32)),
        text("ord_stat"),
        text("ord_dt"),
        maybe("dlv_dt"),
        column("tot_amt", ValueType::Decimal(Some((12, 2)))),
        text("ccy_cd"),
        text("adr_1"),
        text("adr_3"),
        text("adr_ctry"),
        maybe("xprs_flg"),
        text("del_flg"),
    ]);
    orders.before = BeforeImage::Whole;
    assert_eq!(shop.products.len(), 2);
    for product in &shop.products {
        let table = [&customers, &orders]
            .into_iter()
            .find(|t| product.tables.read()[0].1 == t.name.table)
            .unwrap();
        assert_eq!(check(product, table), []);
        let made = onramp_translator::contract(product);
        apache_avro::Schema::parse_str(&made.values[0].schema).unwrap();
    }
}
