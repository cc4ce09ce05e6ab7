//! A broker that asks who comes: what it does not allow stops the gateway at once, by name.

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::{Gateway, Private, Scenario};

const BROKER: i32 = 67;
const PASSWORD: &str = "planted-kafka-password-31c8";

/// Clients that say who they are come by a listener of their own; the servers' own are trusted.
fn guarded(port: u16) -> String {
    format!(
        "listeners=SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{port}\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT\n\
         security.inter.broker.protocol=SASL_PLAINTEXT\n\
         sasl.mechanism.inter.broker.protocol=PLAIN\n\
         sasl.enabled.mechanisms=PLAIN\n\
         listener.name.sasl_plaintext.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"broker\" password=\"broker\" user_broker=\"broker\" user_onramp=\"{PASSWORD}\";\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:broker\n",
        controller = port + 1,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_does_not_allow_stops_it_at_once() {
    let mut port = 0;
    let private = Private::broker(|free| {
        port = free;
        guarded(free)
    })
    .await;
    let mut servers = private.servers();
    servers.kafka = format!("127.0.0.1:{port}");
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let security = "kafka:\n  security: { protocol: SASL_PLAINTEXT, mechanism: PLAIN, username: \
                    onramp, password: { env: TEST_KAFKA_PASSWORD } }\n";
    let file = scenario.gateway_file("").replace("kafka:\n", security);
    scenario.write("onramp.yaml", &file);
    // Who is known and may do nothing; and who is not known.
    for (password, code) in [(PASSWORD, "ONR-503"), ("planted-wrong-password", "ONR-502")] {
        let mut gateway = Gateway::start_with(&scenario, |command| {
            command.env("TEST_KAFKA_PASSWORD", password);
        });
        let output = gateway.refuses(BROKER, code).await;
        assert!(!output.contains("trying again"), "tried once: {output}");
        assert!(!output.contains("planted"), "no password: {output}");
    }
    scenario.close().await;
}
