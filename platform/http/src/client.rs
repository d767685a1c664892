//! Calling a service that has several replicas.
//!
//! A [`Client`] knows every address behind the configured names, asks each about once a second whether it is
//! ready, and sends a request to the one that has least to do. It repeats what it may repeat, and nothing else:
//! what was certainly not sent, and what only reads.

mod address;
mod answer;
mod connection;
mod endpoint;
mod probe;
mod replicas;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};
use http_body::Body as _;
use tokio::time::{Instant, timeout_at};
use tower::retry::budget::{Budget as _, TpsBudget};

pub use address::{AddressError, ServiceAddress};
pub use endpoint::ReplicaState;
pub use replicas::Resolver;

use endpoint::{Endpoint, Failure, Take};
use replicas::Replicas;

/// How a service is called.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// A replica that has not taken a connection after so long is left out. Default 300 ms.
    pub connect_timeout: Duration,
    /// A connection that was idle for so long is closed: sooner than a server does it. Default 15 s.
    pub idle_timeout: Duration,
    /// How often each replica is asked whether it is ready. Default 1 s.
    pub probe_every: Duration,
    /// A replica that has not answered that after so long is left out. Default 1 s.
    pub probe_timeout: Duration,
    /// How often names are resolved again. Default 2 s.
    pub resolve_every: Duration,
    /// Longest time that resolving a name may take. Default 5 s.
    pub resolve_timeout: Duration,
    /// Share of what was sent in the last ten seconds that may be sent again, 0 to 1, beside ten a second. Default 0.1.
    pub repeated: f32,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(300),
            idle_timeout: Duration::from_secs(15),
            probe_every: Duration::from_secs(1),
            probe_timeout: Duration::from_secs(1),
            resolve_every: Duration::from_secs(2),
            resolve_timeout: Duration::from_secs(5),
            repeated: 0.1,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No replica could be reached: certainly nothing was done.
    #[error("no replica could be reached: {0}")]
    NotSent(String),
    /// The connection broke before the answer: nobody knows what was done.
    #[error("the connection broke before the answer: {0}")]
    Broken(String),
    /// The deadline came before the answer: nobody knows what was done.
    #[error("no answer within the deadline")]
    Late,
    /// The body of the request could not be read to its end, so that nobody can have done what it asks for.
    #[error("the body of the request is incomplete: {0}")]
    Body(hyper::Error),
}

/// A service and all of its replicas. Clones share them.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    replicas: Replicas,
    /// Where the search for the least busy one begins, so that equals take turns.
    turn: AtomicUsize,
    /// What may be sent again: where all replicas fail, requests are not multiplied by their number.
    repeats: TpsBudget,
}

/// So long what was sent counts for what may be sent again.
const REMEMBERED: Duration = Duration::from_secs(10);

/// As many a second may always be sent again.
const REPEATS_A_SECOND: u32 = 10;

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.replicas()).finish()
    }
}

impl Client {
    /// Begins to look after the replicas; must be called in a runtime.
    #[must_use]
    pub fn new(address: &ServiceAddress, config: &ClientConfig) -> Self {
        Self::with_resolver(address, config, &Resolver::default())
    }

    /// The same with another way of resolving names.
    #[must_use]
    pub fn with_resolver(address: &ServiceAddress, config: &ClientConfig, resolver: &Resolver) -> Self {
        Self(Arc::new(Inner {
            replicas: Replicas::of(address, config, resolver),
            turn: AtomicUsize::new(0),
            repeats: TpsBudget::new(REMEMBERED, REPEATS_A_SECOND, config.repeated),
        }))
    }

    /// Every address and how it is, in no sequence.
    #[must_use]
    pub fn replicas(&self) -> Vec<(SocketAddr, ReplicaState)> {
        let known = self.0.replicas.known.borrow();
        known.endpoints.iter().map(|endpoint| (endpoint.address, endpoint.state())).collect()
    }

    /// Every address, as soon as all names have been looked up; those that are known where that takes until `deadline`.
    pub async fn addresses(&self, deadline: Instant) -> Vec<SocketAddr> {
        let mut known = self.0.replicas.known.clone();
        // Whether all are known or not: what is known is what there is.
        let _ = timeout_at(deadline, known.wait_for(|known| known.unresolved == 0)).await;
        let mut addresses: Vec<_> =
            self.0.replicas.known.borrow().endpoints.iter().map(|endpoint| endpoint.address).collect();
        addresses.sort_unstable();
        addresses
    }

    /// Sends a request, whose URI is path and query only; without a `Host` it gets the replica's. Waits for the head of the answer. It and its body
    /// have to be there by `deadline`.
    ///
    /// It is sent to another replica where this one cannot be reached. A request without a body that only reads is
    /// also sent to another one where the connection breaks. Everything else is sent once at most; and all that is sent
    /// again is not much more than [`ClientConfig::repeated`] of what is sent.
    pub async fn call(&self, mut request: Request<Body>, deadline: Instant) -> Result<Response, CallError> {
        let endpoints = self.endpoints(deadline).await;
        let may_repeat = only_reads(request.method()) && request.body().is_end_stream();
        let mut attempts = Attempts::default();
        self.0.repeats.deposit();
        while let Some((endpoint, take)) = self.next(&endpoints, &mut attempts) {
            let copy = may_repeat.then(|| head_of(&request));
            let Ok(answered) = timeout_at(deadline, endpoint.ask(request, take, deadline)).await else {
                endpoint.doubt(ReplicaState::Unknown);
                return Err(CallError::Late);
            };
            match answered {
                Ok(answer) => return Ok(answer),
                Err(failure) => request = attempts.after(endpoint, failure, copy)?,
            }
            self.0.replicas.resolve_again();
            if !self.0.repeats.withdraw() {
                break;
            }
        }
        Err(attempts.last.unwrap_or_else(|| CallError::NotSent("its name has no address".to_owned())))
    }

    /// All that are known; at the start, when the first names are resolved.
    async fn endpoints(&self, deadline: Instant) -> Arc<[Arc<Endpoint>]> {
        let endpoints = Arc::clone(&self.0.replicas.known.borrow().endpoints);
        if !endpoints.is_empty() {
            return endpoints;
        }
        let mut known = self.0.replicas.known.clone();
        let are_known = known.wait_for(|known| !known.endpoints.is_empty() || known.unresolved == 0);
        let in_time = timeout_at(deadline, are_known).await;
        in_time.ok().and_then(Result::ok).map(|known| Arc::clone(&known.endpoints)).unwrap_or_default()
    }

    /// Of those that are best off the one with least to do, if it has not failed yet.
    fn next<'e>(
        &self,
        endpoints: &'e [Arc<Endpoint>],
        attempts: &mut Attempts<'e>,
    ) -> Option<(&'e Arc<Endpoint>, Take)> {
        if let Some(endpoint) = attempts.once_more.take() {
            return Some((endpoint, Take::Fresh));
        }
        let first = self.0.turn.fetch_add(1, Ordering::Relaxed);
        let count = endpoints.len();
        let in_turn = (0..count).map(|n| &endpoints[first.wrapping_add(n) % count]);
        let untried = in_turn.filter(|endpoint| !attempts.failed.contains(&endpoint.address));
        untried
            .min_by_key(|endpoint| (endpoint.state(), endpoint.in_flight()))
            .map(|found| (found, Take::Idle))
    }
}

/// What has been tried for one request.
#[derive(Default)]
struct Attempts<'e> {
    failed: Vec<SocketAddr>,
    /// The server closed a connection that it had left idle: the same one is asked again, on a new connection.
    once_more: Option<&'e Arc<Endpoint>>,
    /// How it went, if it ends here.
    last: Option<CallError>,
}

impl<'e> Attempts<'e> {
    /// The request, if it may be sent to somebody else.
    fn after(
        &mut self,
        endpoint: &'e Arc<Endpoint>,
        failure: Failure,
        copy: Option<Request<Body>>,
    ) -> Result<Request<Body>, CallError> {
        match failure {
            Failure::NotConnected(request, error) => {
                endpoint.doubt(ReplicaState::Dead);
                self.fail(endpoint, CallError::NotSent, &error);
                Ok(*request)
            }
            Failure::NotSent(request) => {
                endpoint.doubt(ReplicaState::Unknown);
                self.fail(endpoint, CallError::NotSent, &"it closed the connection");
                Ok(*request)
            }
            Failure::Body(error) => Err(CallError::Body(error)),
            Failure::Broken { reused, error } => {
                endpoint.doubt(ReplicaState::Unknown);
                let Some(copy) = copy else { return Err(CallError::Broken(error.to_string())) };
                if reused {
                    self.once_more = Some(endpoint);
                } else {
                    self.fail(endpoint, CallError::Broken, &error);
                }
                Ok(copy)
            }
        }
    }

    fn fail(&mut self, endpoint: &Endpoint, kind: fn(String) -> CallError, why: &dyn std::fmt::Display) {
        self.failed.push(endpoint.address);
        // Sent once is sent, whatever came after it.
        if !matches!(self.last, Some(CallError::Broken(_))) {
            self.last = Some(kind(format!("{}: {why}", endpoint.address)));
        }
    }
}

/// Methods that promise to change nothing.
fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The same request, which has no body.
fn head_of(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}
