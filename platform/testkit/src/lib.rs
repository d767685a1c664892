//! What tests of every crate share: waiting for a state instead of sleeping, asking a router, real engines.

mod engine;
pub mod http;
pub mod kafka;
pub mod postgres;
pub mod redis;
pub mod server;

use std::time::Duration;

/// Longest wait for a state that must come. Far more than it takes, so that a slow machine fails nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Waits until `holds`.
///
/// # Panics
/// With `what`, where it does not come within [`PATIENCE`].
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut look = tokio::time::interval(BETWEEN_LOOKS);
        while !holds().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"));
}

#[cfg(test)]
mod tests {
    use super::until;

    #[tokio::test(start_paused = true)]
    async fn it_waits_until_the_state_is_there() {
        let mut looks = 0;
        until("the third look", async || {
            looks += 1;
            looks == 3
        })
        .await;
        assert_eq!(looks, 3);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "never came: a miracle")]
    async fn it_says_what_never_came() {
        until("a miracle", async || false).await;
    }
}
