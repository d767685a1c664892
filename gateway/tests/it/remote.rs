//! Services in other processes: which replica is asked, how often, and what comes of it when one fails.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Request, StatusCode},
    routing::{any, get},
};
use gateway::{Behind, Upstream};
use platform_http::{
    Limits, ServerConfig,
    client::{Client, ClientConfig, ReplicaState, ServiceAddress},
};
use platform_testkit::{
    http::Answer,
    server::{Nobody, Server},
    until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tower::Layer as _;

/// A client of all these addresses.
pub(crate) fn client_of(addresses: &[SocketAddr]) -> Client {
    let text: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let config = ClientConfig { probe_every: Duration::from_millis(20), ..ClientConfig::default() };
    Client::new(&ServiceAddress::parse(&text.join(",")).unwrap(), &config)
}

/// A gateway on a port, with orders at these addresses.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) orders: Client,
}

impl Gateway {
    pub(crate) async fn before(addresses: &[SocketAddr]) -> Self {
        Self::with(addresses, Limits::default(), ServerConfig::default()).await
    }

    pub(crate) async fn with(addresses: &[SocketAddr], limits: Limits, config: ServerConfig) -> Self {
        let orders = client_of(addresses);
        let service = Behind::There(orders.clone());
        let router = limits.layer(gateway::router(vec![Upstream { collection: "orders", service }]));
        let listener = platform_http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback_service(router);
        tokio::spawn(platform_http::serve(listener, app, config, std::future::pending()));
        Self { address, orders }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let client = client_of(&[self.address]);
        let answer = client.call(request, Instant::now() + Duration::from_secs(60)).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

fn a_get() -> Request<Body> {
    Request::get("/orders/1").body(Body::empty()).unwrap()
}

fn a_post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/orders").header("content-type", "application/json").body(body.into()).unwrap()
}

/// A replica that counts.
struct Replica {
    server: Server,
    calls: Arc<AtomicU64>,
}

impl Replica {
    async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    async fn start_on(address: SocketAddr) -> Self {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = calls.clone();
        let app = Router::new().route("/actuator/health/readiness", get(async || "UP")).fallback(any(
            async move |body: Bytes| {
                counted.fetch_add(1, Ordering::Relaxed);
                format!("{} bytes", body.len())
            },
        ));
        Self { server: Server::start_on(address, app).await, calls }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_killed_under_load_and_no_get_fails() {
    let (mut first, second) = (Replica::start().await, Replica::start().await);
    let address = first.server.address();
    let gateway = Arc::new(Gateway::before(&[address, second.server.address()]).await);
    let stop = Arc::new(AtomicBool::new(false));
    let door = client_of(&[gateway.address]);
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (door, stop) = (door.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = door.call(a_get(), Instant::now() + Duration::from_secs(60)).await.unwrap();
                    assert_eq!(answer.status(), StatusCode::OK);
                    to_bytes(answer.into_body(), 1000).await.unwrap();
                }
            })
        })
        .collect();
    for _ in 0..3 {
        until("both are busy", async || first.calls() > 200 && second.calls() > 200).await;
        first.server.kill();
        let is = |state| gateway.orders.replicas().contains(&(address, state));
        until("it is left out", async || is(ReplicaState::Dead)).await;
        first = Replica::start_on(address).await;
        until("it is back", async || is(ReplicaState::Ready)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no caller sees an error");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Cut {
    AfterTheRequest,
    InTheHead,
    InTheRequest,
}

/// Takes connections, answers probes, and cuts everything else. Counts the heads of requests.
async fn that_cuts(cut: Cut) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(cut_off(stream, cut, counted.clone()));
        }
    });
    (address, count)
}

async fn cut_off(mut stream: TcpStream, cut: Cut, count: Arc<AtomicU64>) {
    let mut request = vec![0; if cut == Cut::InTheRequest { 20 } else { 4096 }];
    let length = stream.read(&mut request).await.unwrap_or(0);
    if request[..length].starts_with(b"GET /actuator") {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    } else if length > 0 {
        count.fetch_add(1, Ordering::Relaxed);
        if cut == Cut::InTheHead {
            let _ = stream.write_all(b"HTTP/1.1 201 Cre").await;
        }
    }
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    for cut in [Cut::AfterTheRequest, Cut::InTheHead, Cut::InTheRequest] {
        let ((first, at_first), (second, at_second)) = (that_cuts(cut).await, that_cuts(cut).await);
        let gateway = Gateway::before(&[first, second]).await;
        for sent in 1..=10 {
            let answer = gateway.ask(a_post("{\"item\":\"COSMOS\"}")).await;
            answer.problem(502, "broken-off");
            assert_eq!(at_first.load(Ordering::Relaxed) + at_second.load(Ordering::Relaxed), sent);
        }
    }
}

#[tokio::test]
async fn a_post_goes_to_another_replica_where_it_could_not_be_sent() {
    let nobody = Nobody::there();
    let replica = Replica::start().await;
    for sent in 1..=10 {
        let gateway = Gateway::before(&[nobody.address(), replica.server.address()]).await;
        assert_eq!(gateway.ask(a_post("once")).await.body, "4 bytes");
        assert_eq!(replica.calls(), sent);
    }
}

#[tokio::test]
async fn without_a_replica_it_is_a_503_that_says_when_to_come_back() {
    let mut replica = Replica::start().await;
    let gateway = Gateway::before(&[replica.server.address()]).await;
    assert_eq!(gateway.ask(a_get()).await.status, 200);
    replica.server.kill();
    for request in [a_get(), a_post("{}")] {
        let said = gateway.ask(request).await.problem(503, "unavailable");
        assert!(said.contains("/orders"), "{said}");
    }
}

#[tokio::test]
async fn one_that_does_not_answer_is_a_504_by_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits { deadline: Duration::from_millis(200), ..Limits::default() };
    let gateway = Gateway::with(&[silent.local_addr().unwrap()], limits, ServerConfig::default()).await;
    gateway.ask(a_get()).await.problem(504, "deadline-exceeded");
    gateway.ask(a_post("{}")).await.problem(504, "deadline-exceeded");
}

#[tokio::test]
async fn a_body_is_passed_on_up_to_the_limit_whether_it_is_announced_or_not() {
    let replica = Replica::start().await;
    let gateway = Gateway::before(&[replica.server.address()]).await;
    let in_parts = |length: usize| {
        let parts: Vec<_> =
            (0..length / 1024).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1024]))).collect();
        Body::from_stream(futures_util::stream::iter(parts))
    };
    for (length, is_taken) in [(0, true), (64 * 1024, true), (65 * 1024, false), (1024 * 1024, false)] {
        for body in [Body::from(vec![b'x'; length]), in_parts(length)] {
            let answer = gateway.ask(a_post(body)).await;
            if is_taken {
                assert_eq!(answer.body, format!("{length} bytes"));
            } else {
                answer.problem(413, "too-large");
            }
        }
    }
}
