//! History and live changes against a model: a handful of seeds; `make torture` has the hundreds.

use onramp_integration_tests::model;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_each_key_tells_the_end_of_its_history_and_no_step_back() {
    let private = model::server().await;
    for seed in [1, 2, 3, 4, 5] {
        model::run(&private, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_holds_on_the_newest_server() {
    let private = model::server_of("postgres18").await;
    // The second loses its database too.
    for seed in [6, 10] {
        model::run(&private, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_each_row_that_was_there_is_told_once_and_each_change_once() {
    let private = model::server().await;
    for seed in [1, 2, 3, 5] {
        model::run_facts(&private, seed).await;
    }
}
