//! It joins a library that has taken orders, on a real PostgreSQL, a real Kafka and a real Redis.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc};

use new_arrivals::{Requested, Requests};
use platform_bus_kafka::{KafkaBus, KafkaSettings};
use platform_event_bus::{Handler as _, Headers, Record};
use platform_testkit::{kafka::KafkaServer, postgres::PostgresServer, redis::RedisServer, until};
use rentalbook::{
    cli::ServiceArg,
    config::Config,
    distributed::{self, Engines, Peers},
    service::Service,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
};

fn engines() -> Engines {
    let (postgres, kafka, redis) = (PostgresServer::shared(), KafkaServer::shared(), RedisServer::shared());
    let database = || platform_postgres::Settings {
        port: postgres.port(),
        database: postgres.database(),
        connections: 2,
        ..platform_postgres::Settings::default()
    };
    Engines {
        orders: database(),
        rents: database(),
        deliveries: database(),
        kafka: KafkaSettings { brokers: vec![kafka.bootstrap()], partitions: 4, ..KafkaSettings::default() },
        group_prefix: String::new(),
        topic: kafka.topic(),
        redis: mypage::adapters::outbound::redis::RedisSettings {
            port: redis.port(),
            prefix: redis.prefix(),
            ..Default::default()
        },
    }
}

async fn start(service: ServiceArg, engines: &Engines, peers: &Peers) -> (Service, SocketAddr) {
    let config = Config { ports: [0; 5], ..Config::new(Path::new("").to_owned()) };
    let replica = distributed::replica(service, &config, engines, peers).expect("a replica");
    replica.start().await.expect("it starts");
    let address = replica.address().await;
    (replica, address)
}

/// Sends a request with a body, or a GET without one; the status and the body of the answer.
async fn ask(at: SocketAddr, path: &str, body: Option<&Value>) -> std::io::Result<(u16, String)> {
    let (method, body) = body.map_or(("GET", String::new()), |body| ("POST", body.to_string()));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all((head + &body).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

async fn request(order: SocketAddr, item: &str, times: usize) {
    for _ in 0..times {
        let (status, body) = ask(order, "/orders", Some(&json!({ "item": item }))).await.expect("an answer");
        assert_eq!(status, 201, "{body}");
    }
}

/// A process of the example, but for the process; it ends when the sender is used.
async fn join(engines: &Engines, file: &Path) -> (SocketAddr, oneshot::Sender<()>, impl Future<Output = ()>) {
    let requests = Requests::open(file).expect("a view");
    let bus = KafkaBus::new(engines.kafka.clone());
    let (stop, stopped) = oneshot::channel();
    let consumer = requests.consumer(Arc::new(bus.clone()), &engines.topic);
    let consuming = tokio::spawn(consumer.run(async { drop(stopped.await) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async { axum::serve(listener, requests.router()).await });
    let ended = async move {
        consuming.await.expect("it consumed");
        bus.left().await;
        serving.abort();
        let _ = serving.await;
    };
    (address, stop, ended)
}

async fn until_ready(name: &str, at: SocketAddr) {
    until(&format!("{name} is ready"), async || {
        ask(at, "/actuator/health/readiness", None).await.is_ok_and(|(status, _)| status == 200)
    })
    .await;
}

async fn until_shown(at: SocketAddr, items: &Value) {
    until(&format!("{items}"), async || {
        let (status, body) = ask(at, "/items", None).await.expect("an answer");
        status == 200 && serde_json::from_str::<Value>(&body).is_ok_and(|shown| shown == *items)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_joins_late_knows_every_request_once() {
    let (engines, folder) = (engines(), tempfile::tempdir().expect("a folder"));
    let (rent, at) = start(ServiceArg::Rent, &engines, &Peers::default()).await;
    // Before order looks for it: an order that finds no rent is taken all the same, and said later.
    until_ready("rent", at).await;
    let peers = Peers { rent: [at].into_iter().collect(), ..Peers::default() };
    let (order, orders) = start(ServiceArg::Order, &engines, &peers).await;
    until_ready("order", orders).await;
    request(orders, "Emma", 3).await;
    request(orders, "Ulysses", 5).await;

    let file = folder.path().join("view.db");
    let (at, stop, ended) = join(&engines, &file).await;
    let before = json!([{ "item": "Ulysses", "requests": 5 }, { "item": "Emma", "requests": 3 }]);
    until_shown(at, &before).await;
    request(orders, "Emma", 4).await;
    let after = json!([{ "item": "Emma", "requests": 7 }, { "item": "Ulysses", "requests": 5 }]);
    until_shown(at, &after).await;
    stop.send(()).expect("it runs");
    ended.await;

    let (at, stop, ended) = join(&engines, &file).await;
    request(orders, "Solaris", 1).await;
    let all = json!([
        { "item": "Emma", "requests": 7 },
        { "item": "Ulysses", "requests": 5 },
        { "item": "Solaris", "requests": 1 }
    ]);
    until_shown(at, &all).await;
    stop.send(()).expect("it runs");
    ended.await;
    order.stop().await;
    rent.stop().await;
}

#[tokio::test]
async fn what_comes_again_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = Requests::open(&folder.path().join("view.db")).expect("a view");
    let record = |value: &'static str| Record {
        partition: 0,
        offset: 0,
        published_at: 0,
        key: None,
        headers: Headers::default(),
        value: value.into(),
    };
    let records = [
        record(r#"{"eventType":"Ordered","id":1,"item":"Emma","status":"Ordered"}"#),
        record(r#"{"eventType":"Rented","id":9,"orderId":1,"status":"Rent"}"#),
        record("not an event"),
    ];
    for _ in 0..2 {
        requests.handle(&records).await.expect("they are applied");
    }
    let emma = Requested { item: "Emma".to_owned(), requests: 1 };
    assert_eq!(requests.most_requested().expect("a view"), [emma]);
}
