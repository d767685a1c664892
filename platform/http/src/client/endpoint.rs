//! One replica: how it is, what it is busy with, and its idle connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use axum::body::Body;
use axum::response::Response;
use http::header::HOST;
use http::{HeaderValue, Request};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ClientConfig;
use super::answer::AnswerBody;
use super::connection::{Connection, Unanswered};

/// How a replica is. The first is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplicaState {
    /// It says that it can serve.
    Ready,
    /// Nobody has asked it yet, or a request to it has failed and it is asked just now.
    Unknown,
    /// It says that it cannot serve.
    NotReady,
    /// It does not answer.
    Dead,
}

impl ReplicaState {
    const ALL: [Self; 4] = [Self::Ready, Self::Unknown, Self::NotReady, Self::Dead];

    fn from_u8(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Unknown)
    }
}

/// One address of a service.
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    /// For requests that come without one.
    host: Option<HeaderValue>,
    pub(super) config: ClientConfig,
    state: AtomicU8,
    in_flight: AtomicUsize,
    /// The one used last is taken first, so that few are kept open when there is little to do.
    idle: Mutex<Vec<(Connection, Instant)>>,
    /// Tells the one who looks after it to look now.
    pub(super) doubted: Notify,
}

/// Why a replica gave no answer.
pub(super) enum Failure {
    /// No connection: certainly not sent.
    NotConnected(Box<Request<Body>>, io::Error),
    /// Each connection was closed before it took the request: certainly not sent.
    NotSent(Box<Request<Body>>),
    /// The body that the request was to have could not be read to its end; nobody can have carried it out.
    Body(hyper::Error),
    /// Sent, and no answer.
    Broken {
        /// Whether the connection had been used before: then the server may only have been tidying up.
        reused: bool,
        /// What happened.
        error: hyper::Error,
    },
}

/// Which connection a request takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// An idle one if there is one.
    Idle,
    /// A new one.
    Fresh,
}

impl Endpoint {
    pub(super) fn new(address: SocketAddr, config: ClientConfig) -> Self {
        Self {
            address,
            host: HeaderValue::from_str(&address.to_string()).ok(),
            config,
            state: AtomicU8::new(ReplicaState::Unknown as u8),
            in_flight: AtomicUsize::new(0),
            idle: Mutex::default(),
            doubted: Notify::new(),
        }
    }

    pub(super) fn state(&self) -> ReplicaState {
        ReplicaState::from_u8(self.state.load(Ordering::Relaxed))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// What has been found out by asking.
    pub(super) fn set(&self, state: ReplicaState) {
        let before = ReplicaState::from_u8(self.state.swap(state as u8, Ordering::Relaxed));
        if before != state {
            tracing::info!(replica = %self.address, ?before, now = ?state, "a replica has changed");
        }
    }

    /// What a request has noticed. It is asked at once how it really is, but not for every request that fails.
    pub(super) fn doubt(&self, state: ReplicaState) {
        if self.state() != state {
            self.set(state);
            self.doubted.notify_one();
        }
    }

    /// Sends a request and waits for the head of the answer, whose body has to be complete by `deadline`.
    pub(super) async fn ask(
        self: &Arc<Self>,
        mut request: Request<Body>,
        take: Take,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        let busy = Busy::with(self);
        if let Some(host) = &self.host {
            request.headers_mut().entry(HOST).or_insert_with(|| host.clone());
        }
        // Each idle connection may turn out to be closed, and so may a new one, once.
        loop {
            let idle = if take == Take::Idle { self.take_idle() } else { None };
            let reused = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => match Connection::open(self.address, self.config.connect_timeout).await {
                    Ok(connection) => connection,
                    Err(error) => return Err(Failure::NotConnected(Box::new(request), error)),
                },
            };
            request = match connection.send(request).await {
                Ok(answer) => return Ok(answer.map(|body| AnswerBody::of(body, connection, busy, deadline))),
                Err(Unanswered::NotSent(request)) if reused => *request,
                Err(Unanswered::NotSent(request)) => return Err(Failure::NotSent(request)),
                Err(Unanswered::Broken(error)) if error.is_user() => return Err(Failure::Body(error)),
                Err(Unanswered::Broken(error)) => return Err(Failure::Broken { reused, error }),
            };
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        loop {
            // In a statement of its own: the lock is not held while the connection is looked at.
            let last = self.idle.lock().pop();
            let (mut connection, _) = last?;
            if connection.is_idle() {
                return Some(connection);
            }
        }
    }

    fn keep(&self, mut connection: Connection) {
        if connection.is_idle() {
            self.idle.lock().push((connection, Instant::now()));
        }
    }

    /// Closes connections that were idle for long, before the server does it at a moment when one is just used.
    pub(super) fn close_idle(&self) {
        let oldest = Instant::now() - self.config.idle_timeout;
        self.idle.lock().retain_mut(|(connection, since)| *since > oldest && connection.is_idle());
    }
}

/// Held while a request is at a replica, until the end of its answer.
pub(super) struct Busy(Arc<Endpoint>);

impl Busy {
    fn with(endpoint: &Arc<Endpoint>) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(endpoint))
    }

    /// The answer is complete: others may have the connection.
    pub(super) fn give_back(self, connection: Connection) {
        self.0.keep(connection);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
