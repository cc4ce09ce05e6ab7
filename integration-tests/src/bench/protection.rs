//! One protected text of an entity, beside the same entity without.

use super::beside::{Variant, alternate};
use super::products::filled;
use super::stage::Stage;
use super::{Measure, Options};

const KEYS: &str = "keys: { pii: { env: TEST_PII_KEY } }\n";

/// A text of some forty bytes as it is, and by this way of protection.
pub(crate) async fn measure(options: &Options, way: &'static str) -> Vec<Measure> {
    let mut stage = filled(options, way).await;
    let plain = "from: note, optional: true }";
    let to = format!(
        "from: note, optional: true, classification: personal, protect: {{ {way}: pii }} }}"
    );
    let protected = Stage::product(1).replace(plain, &to);
    assert_ne!(protected, Stage::product(1), "a field is protected");
    let variant = |name, product| Variant {
        name,
        more: KEYS,
        products: vec![product],
        events: 1,
    };
    let variants = vec![
        variant("a text as it is", Stage::product(1)),
        variant(way, protected),
    ];
    let taken = alternate(options, &mut [(&mut stage, variants)]).await;
    stage.close().await;
    let [plain, protected] = &taken[..] else {
        return Vec::new();
    };
    vec![
        Measure::new(
            format!("{way} of a text"),
            protected.rows_per_second(),
            "rows/s",
        )
        .beside("without", plain.rows_per_second()),
        Measure::new(
            format!("{way} of a text: CPU"),
            protected.cpu_us(),
            "us/row",
        )
        .beside("without", plain.cpu_us()),
        Measure::new(
            format!("{way} of a text: what it adds"),
            protected.more_than(plain).1,
            "us/row",
        ),
    ]
}
