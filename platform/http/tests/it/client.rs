//! The client, on real sockets.

mod repeating;
mod replicas;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::{any, get};
use http::{Request, StatusCode};
use platform_http::client::{CallError, Client, ClientConfig, ReplicaState, ServiceAddress};
use platform_testkit::{
    server::{Nobody, Server},
    until,
};
use tokio::time::Instant;

/// A replica that counts what it is asked.
struct Replica {
    address: SocketAddr,
    calls: Arc<AtomicU64>,
    ready: Arc<AtomicBool>,
    server: Server,
}

impl Replica {
    async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    async fn start_on(address: SocketAddr) -> Self {
        let (calls, ready) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
        let (counted, is_ready) = (calls.clone(), ready.clone());
        let readiness = move || async move {
            if is_ready.load(Ordering::Relaxed) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
        };
        let app = Router::new()
            .route("/actuator/health/readiness", get(readiness))
            .route("/big", get(|| async { "x".repeat(1 << 20) }))
            .fallback(any(move |body: String| async move {
                counted.fetch_add(1, Ordering::Relaxed);
                format!("here {body}")
            }));
        let server = Server::start_on(address, app).await;
        Self { address: server.address(), calls, ready, server }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

fn config() -> ClientConfig {
    ClientConfig { probe_every: Duration::from_millis(20), ..ClientConfig::default() }
}

fn client_of(addresses: &[SocketAddr]) -> Client {
    a_client_of(addresses, &config())
}

fn a_client_of(addresses: &[SocketAddr], config: &ClientConfig) -> Client {
    let text: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    Client::new(&ServiceAddress::parse(&text.join(",")).unwrap(), config)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn a_get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "x").body(Body::empty()).unwrap()
}

fn a_post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/").header("host", "x").body(body.into()).unwrap()
}

async fn ask(client: &Client, request: Request<Body>) -> Result<String, CallError> {
    let answer = client.call(request, soon()).await?;
    assert_eq!(answer.status(), StatusCode::OK);
    let body = to_bytes(answer.into_body(), 2 << 20).await.expect("a whole body");
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

async fn until_it_is(client: &Client, address: SocketAddr, state: ReplicaState) {
    until(&format!("{address} is {state:?}"), async || client.replicas().contains(&(address, state))).await;
}
