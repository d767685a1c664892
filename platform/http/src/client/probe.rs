//! Asking a replica how it is.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use platform_resilience::jittered;
use tokio::time::{Instant, sleep, timeout};

use super::endpoint::{Endpoint, Failure, ReplicaState, Take};

/// What is asked.
const READINESS: &str = "/actuator/health/readiness";

/// Longest answer that is read, in bytes.
const MOST: usize = 16 * 1024;

/// First pause after a replica has not answered; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause between two looks at a replica that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A replica that many requests doubt is asked so often at most.
const AFTER_DOUBT: Duration = Duration::from_millis(10);

/// Asks again and again, less often while nobody answers. May be dropped at any moment.
pub(super) async fn look_after(endpoint: Arc<Endpoint>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let state = ask(&endpoint).await;
        endpoint.set(state);
        endpoint.close_idle();
        let rest = if state == ReplicaState::Dead {
            let rest = pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
            rest
        } else {
            pause = FIRST_PAUSE;
            endpoint.config.probe_every
        };
        tokio::select! {
            () = sleep(jittered(rest)) => {}
            () = endpoint.doubted.notified() => sleep(jittered(AFTER_DOUBT)).await,
        }
    }
}

async fn ask(endpoint: &Arc<Endpoint>) -> ReplicaState {
    let asking = async {
        match ask_on(endpoint, Take::Idle).await {
            Err(Failure::Broken { reused: true, .. }) => ask_on(endpoint, Take::Fresh).await,
            answered => answered,
        }
    };
    match timeout(endpoint.config.probe_timeout, asking).await {
        // Whoever knows no readiness answers 404, and is there.
        Ok(Ok(status)) if status.is_server_error() => ReplicaState::NotReady,
        Ok(Ok(_)) => ReplicaState::Ready,
        Ok(Err(_)) | Err(_) => ReplicaState::Dead,
    }
}

async fn ask_on(endpoint: &Arc<Endpoint>, take: Take) -> Result<StatusCode, Failure> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static(READINESS);
    let answer = endpoint.ask(request, take, Instant::now() + endpoint.config.probe_timeout).await?;
    let status = answer.status();
    // Read to its end, so that the connection can be used again.
    let _ = to_bytes(answer.into_body(), MOST).await;
    Ok(status)
}
