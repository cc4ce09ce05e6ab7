//! The products of the files, and what progress knows of them.

use onramp_finding::codes::running;
use onramp_finding::{Code, Failure, Finding, Kind, Place};
use onramp_language::{Gateway, Product, Status};
use onramp_publisher::progress::{self, Progress};

/// The products of a gateway whose changes are published.
pub(crate) fn published(gateway: &Gateway) -> Vec<&Product> {
    let products = gateway.products.iter();
    products.filter(|p| is_published(gateway, p)).collect()
}

/// Whether a product's changes are published.
pub(crate) fn is_published(gateway: &Gateway, product: &Product) -> bool {
    product.status.is_published() || (product.status == Status::Draft && gateway.drafts)
}

/// Whether a run may go on from progress: no recovery is half done, and the files are as
/// [`against_files`] asks.
pub(crate) fn check(gateway: &Gateway, seen: Option<&Progress>) -> Result<(), Failure> {
    let open = seen.and_then(|s| s.gaps.values().find(|gap| gap.open));
    if let Some(gap) = open {
        let code: &Code = &running::RECOVERY_UNFINISHED;
        let message = format!(
            "recovery from {} was begun at {} and did not end",
            gap.from, gap.when
        );
        let place = Place::Kafka(format!("topic {}", progress::topic(&gateway.name.value)));
        return Err(Failure::stop(
            Kind::Source,
            Finding::error(code, place, message)
                .because(code.reason)
                .remedy("run `onramp recover` again: it goes on where it ended"),
        ));
    }
    against_files(gateway, seen)
}

/// What progress knows of products, against the files: a product that is neither there nor
/// retired would have its changes acknowledged away.
pub(crate) fn against_files(gateway: &Gateway, seen: Option<&Progress>) -> Result<(), Failure> {
    let Some(seen) = seen else { return Ok(()) };
    let mut wrong = Vec::new();
    for (name, state) in &seen.products {
        let file = gateway
            .products
            .iter()
            .find(|p| p.name.value.to_string() == *name);
        let finding = match (file, state.status) {
            (None, progress::ProductStatus::Active) => Finding::error(
                &running::PRODUCT_WITHOUT_FILE,
                Place::Kafka(format!("topic {}", progress::topic(&gateway.name.value))),
                format!("{name} was published by this gateway, and no file stands for it"),
            )
            .because(
                "its changes would be acknowledged to the source without having been published",
            )
            .remedy("restore its file, or keep it with status: retired"),
            (Some(file), progress::ProductStatus::Active)
                if file.status == Status::Draft && !gateway.drafts =>
            {
                Finding::error(
                    &running::PRODUCT_WITHOUT_FILE,
                    file.name.place(),
                    format!("{name} was published by this gateway, and is a draft now"),
                )
                .because(
                    "its changes would be acknowledged to the source without having been published",
                )
                .remedy("write status: active, or status: retired")
            }
            _ => continue,
        };
        wrong.push(finding.of_product(name.clone()));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failure::all(Kind::Configuration, wrong))
    }
}
