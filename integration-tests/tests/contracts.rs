//! Contracts that are refused at a start.

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::{Gateway, Scenario};

const REGISTRY: i32 = 68;

#[tokio::test(flavor = "multi_thread")]
async fn one_start_tells_every_product_whose_contract_is_refused() {
    let scenario = Scenario::new(TABLE).await;
    let products = ["accounts.v1", "others.v1", "more.v1"];
    let write = |name: &str, text: &str| {
        let text = text.replace("accounts.v1", name);
        scenario.write(&format!("products/{name}.yaml"), &text);
    };
    for name in products {
        write(name, PRODUCT);
    }
    let gateway = Gateway::streaming(&scenario).await;
    assert!(gateway.stop().await.success());
    // No reader of the old schema understands the new one, nor the other way.
    let broken = PRODUCT.replace(
        "version:    { type: long, from: ver }",
        "version:    { type: string, expr: string(row.ver) }",
    );
    assert_ne!(broken, PRODUCT);
    for name in &products[1..] {
        write(name, &format!("{broken}on_mapping_change: keep\n"));
    }
    let output = Gateway::start(&scenario).refuses(REGISTRY, "ONR-611").await;
    for name in &products[1..] {
        let subject = format!("{}-value", scenario.topic(name));
        assert!(output.contains(&subject), "{subject}: {output}");
    }
    scenario.close().await;
}
