//! The server, over real connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request};
use axum::routing::get;
use platform_http::{BindError, Connections, Limits, Peer, ServerConfig, TrustedProxy, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tower::Layer;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

async fn start(app: Router, config: ServerConfig) -> Running {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let app = Limits::default().layer(app);
    let done = tokio::spawn(serve(listener, app, config, async { drop(stopped.await) }));
    Running { address, stop, done }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A reset is an end as well.
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut all)).await.expect("it is closed");
    String::from_utf8(all).unwrap()
}

fn get_path(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

fn app() -> Router {
    Router::new().route("/", get(|| async { "here" })).route(
        "/peer",
        get(|Extension(Peer(peer)): Extension<Peer>, request: Request| async move {
            format!("{} {}", peer.ip(), request.extensions().get::<TrustedProxy>().is_some())
        }),
    )
}

#[tokio::test]
async fn a_handler_knows_the_other_end_and_whether_it_is_trusted() {
    for (trusted, expected) in [("", "127.0.0.1 false"), ("127.0.0.0/8", "127.0.0.1 true")] {
        let config = ServerConfig { trusted_peers: trusted.parse().unwrap(), ..ServerConfig::default() };
        let running = start(app(), config).await;
        let mut stream = running.connect().await;
        send(&mut stream, "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        let answer = rest(&mut stream).await;
        assert!(answer.ends_with(expected), "{answer}");
        assert!(answer.contains("x-request-id: "), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let config = ServerConfig { header_timeout: Duration::from_millis(100), ..ServerConfig::default() };
    let running = start(app(), config).await;
    let mut stream = running.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nHost:").await;
    rest(&mut stream).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431() {
    let running = start(app(), ServerConfig::default()).await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(33 * 1024));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(101));
    for head in [long, many] {
        let mut stream = running.connect().await;
        send(&mut stream, &head).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let mut stream = running.connect().await;
    send(
        &mut stream,
        &format!("GET / HTTP/1.1\r\nConnection: close\r\nX: {}\r\n\r\n", "a".repeat(16 * 1024)),
    )
    .await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn one_connection_more_than_allowed_waits_for_a_place() {
    let running =
        start(app(), ServerConfig { connections: Connections::new(1), ..ServerConfig::default() }).await;
    let mut first = running.connect().await;
    send(&mut first, &get_path("/")).await;
    first.read_exact(&mut [0; 12]).await.unwrap();
    let mut second = running.connect().await;
    send(&mut second, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(timeout(Duration::from_millis(100), second.read_u8()).await.is_err(), "it has to wait");
    drop(first);
    assert!(rest(&mut second).await.ends_with("here"));
}

#[tokio::test]
async fn what_has_begun_is_finished_when_the_client_has_gone_away() {
    let (entered, go, finished) = <(Arc<Notify>, Arc<Notify>, Arc<Notify>)>::default();
    let (seen, gate, said) = (entered.clone(), go.clone(), finished.clone());
    let wait = move || async move {
        seen.notify_one();
        gate.notified().await;
        said.notify_one();
        "finished"
    };
    let running = start(Router::new().route("/wait", get(wait)), ServerConfig::default()).await;
    let mut silent = running.connect().await;
    send(&mut silent, &get_path("/wait")).await;
    entered.notified().await;
    silent.shutdown().await.unwrap();
    assert!(timeout(Duration::from_millis(100), silent.read_u8()).await.is_err(), "it is waited for");
    go.notify_one();
    assert!(rest(&mut silent).await.ends_with("finished"), "who only says nothing more is answered");

    let mut gone = running.connect().await;
    send(&mut gone, &get_path("/wait")).await;
    entered.notified().await;
    drop(gone);
    finished.notified().await;
    go.notify_one();
    timeout(Duration::from_secs(5), finished.notified()).await.expect("it is finished all the same");
}

#[tokio::test]
async fn shutting_down_finishes_what_is_being_served_and_refuses_the_rest() {
    let (entered, go) = <(Arc<Notify>, Arc<Notify>)>::default();
    let (seen, gate) = (entered.clone(), go.clone());
    let wait = move || async move {
        seen.notify_one();
        gate.notified().await;
        "finished"
    };
    let running = start(Router::new().route("/wait", get(wait)), ServerConfig::default()).await;
    let mut idle = running.connect().await;
    let mut busy = running.connect().await;
    send(&mut busy, &get_path("/wait")).await;
    entered.notified().await;

    running.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "", "an idle connection is closed at once");
    assert!(TcpStream::connect(running.address).await.is_err());
    assert!(!running.done.is_finished());
    go.notify_one();
    let answer = rest(&mut busy).await;
    assert!(answer.ends_with("finished") && answer.contains("connection: close"), "{answer}");
    timeout(Duration::from_secs(5), running.done).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_ever() {
    let entered = Arc::new(Notify::new());
    let seen = entered.clone();
    let stuck = move || async move {
        seen.notify_one();
        sleep(Duration::from_secs(3600)).await;
    };
    let config = ServerConfig { drain: Duration::from_millis(100), ..ServerConfig::default() };
    let running = start(Router::new().route("/stuck", get(stuck)), config).await;
    let mut stream = running.connect().await;
    send(&mut stream, &get_path("/stuck")).await;
    entered.notified().await;
    running.stop.send(()).unwrap();
    timeout(Duration::from_secs(5), running.done).await.unwrap().unwrap();
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn many_who_come_in_one_moment_are_not_sent_away() {
    // Nobody is accepted: all of them have to find a place to wait.
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let coming = (0..1_000).map(|_| TcpStream::connect(address));
    timeout(Duration::from_secs(30), futures_util::future::try_join_all(coming))
        .await
        .expect("places")
        .unwrap();
}

#[tokio::test]
async fn a_port_that_is_in_use_is_named_with_what_to_do() {
    let held = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = held.local_addr().unwrap();
    let error = bind(address).unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }));
    let expected = format!(
        "port {} is in use: stop the program that listens on it, or choose another port",
        address.port()
    );
    assert_eq!(error.to_string(), expected);
    let elsewhere = bind("203.0.113.1:0".parse().unwrap()).unwrap_err();
    assert!(elsewhere.to_string().contains("not an address of this machine"), "{elsewhere}");
}
