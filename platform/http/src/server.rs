//! A service on a port.

mod connections;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower::util::Oneshot;
use tower::{Service, ServiceExt};

use crate::links::TrustedProxy;
use crate::peers::{Peer, TrustedPeers};

pub use connections::Connections;

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// A head that is not complete after so long closes the connection, and so does one on which nothing is
    /// asked for so long. Default 30 s.
    pub header_timeout: Duration,
    /// A longer head is answered with 431, in bytes; so is one with more than 100 fields. Default 32 KiB.
    pub max_header_bytes: usize,
    /// Where connections take their places; more wait to be accepted. Default those of the process.
    pub connections: Connections,
    /// When shutting down, what is being served has so long to finish. Default 10 s.
    pub drain: Duration,
    /// Whose `Forwarded` and `X-Forwarded-*` headers are believed. Default nobody's.
    pub trusted_peers: TrustedPeers,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            max_header_bytes: 32 * 1024,
            connections: Connections::of_this_process(),
            drain: Duration::from_secs(10),
            trusted_peers: TrustedPeers::default(),
        }
    }
}

/// Why an address cannot be listened on, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error("port {port} is in use: stop the program that listens on it, or choose another port")]
    InUse {
        /// The port.
        port: u16,
    },
    /// The operating system does not allow it.
    #[error(
        "port {port} may not be opened by this user: choose a port from 1024 on, or give the right to it"
    )]
    NotAllowed {
        /// The port.
        port: u16,
    },
    /// The address is not one of this machine.
    #[error("{address} is not an address of this machine: listen on 0.0.0.0 or on one that it has")]
    NoSuchAddress {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Most connections that wait for their turn to be accepted; the system may allow fewer (`net.core.somaxconn`). Whoever
/// comes when as many wait comes again after a second, so there is room for all who come in one moment: the usual 128
/// come within some milliseconds.
const BACKLOG: u32 = 4096;

/// Listens on `address`; must be called in a runtime.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // After a restart the port need not wait until the connections of its last process are forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { port: address.port() },
        io::ErrorKind::PermissionDenied => BindError::NotAllowed { port: address.port() },
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress { address },
        _ => BindError::Other { address, source },
    })
}

/// What the connections are to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Finish what is being served, take nothing new.
    Draining,
    /// Stop at once.
    Dropping,
}

/// Serves `app` on `listener` until `shutdown`, and returns when the last connection is closed: at the latest
/// after [`ServerConfig::drain`].
pub async fn serve<S>(listener: TcpListener, app: S, config: ServerConfig, shutdown: impl Future<Output = ()>)
where
    S: Service<axum::extract::Request, Response = Response, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let (phase, watched) = watch::channel(Phase::Serving);
    tokio::select! {
        () = accept_all(&listener, &app, &config, &watched) => {}
        () = shutdown => {}
    }
    // New clients are refused by the operating system from here on.
    drop((listener, watched));
    phase.send_replace(Phase::Draining);
    if timeout(config.drain, phase.closed()).await.is_err() {
        tracing::warn!("connections were still busy at the end of the drain and were dropped");
        phase.send_replace(Phase::Dropping);
        phase.closed().await;
    }
}

async fn accept_all<S>(listener: &TcpListener, app: &S, config: &ServerConfig, phase: &watch::Receiver<Phase>)
where
    S: Service<axum::extract::Request, Response = Response, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let http = protocol(config);
    let places = config.connections.of_one_server();
    // Places never end, so this ends only by being dropped.
    while let Some(place) = places.take().await {
        let (stream, peer) = accept(listener).await;
        let trusted = config.trusted_peers.contains(peer.ip());
        let service = Connection { app: app.clone(), peer: Peer(peer), trusted };
        let (http, phase) = (http.clone(), phase.clone());
        tokio::spawn(async move {
            drive(http, stream, service, phase).await;
            drop(place);
        });
    }
}

fn protocol(config: &ServerConfig) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_header_size(config.max_header_bytes)
        // What has begun is finished, whether its client is still there or not: nobody has to listen for it to go away,
        // which would be a read and a buffer for each request.
        .half_close(true)
        // Answers are small: to copy one behind its head is cheaper than to hand over two pieces.
        .writev(false);
    http
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and whole: waiting to fill a packet would only delay them.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            // Out of file descriptors, most likely: it passes when connections close.
            Err(error) => {
                tracing::error!(%error, "cannot accept connections now");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn drive<S>(
    http: http1::Builder,
    stream: TcpStream,
    service: Connection<S>,
    mut phase: watch::Receiver<Phase>,
) where
    S: Service<axum::extract::Request, Response = Response, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let finished = tokio::select! {
        biased;
        // What fails here is the client's going away, or its not speaking HTTP.
        _ = connection.as_mut() => true,
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => false,
    };
    if finished {
        return;
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        _ = phase.wait_for(|phase| *phase == Phase::Dropping) => {}
    }
}

/// The app as one connection sees it.
struct Connection<S> {
    app: S,
    peer: Peer,
    trusted: bool,
}

impl<S> hyper::service::Service<http::Request<Incoming>> for Connection<S>
where
    S: Service<axum::extract::Request, Response = Response, Error = Infallible> + Clone,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Oneshot<S, axum::extract::Request>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer);
        if self.trusted {
            request.extensions_mut().insert(TrustedProxy);
        }
        self.app.clone().oneshot(request)
    }
}
