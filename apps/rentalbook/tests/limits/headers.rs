//! Headers that are kept, made, believed or not.

use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Scene},
    killing::program::free_ports,
};

const JSON: (&str, &str) = ("accept", "application/json");

async fn place(scene: &Scene, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "item": "COSMOS" }).to_string();
    let answer = scene.send_with(ServiceArg::Gateway, Method::POST, "/orders", headers, Some(body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    scene.until_shown(answer.number("id"), "Ship").await;
    answer
}

/// All events of the topic.
async fn events(scene: &Scene) -> Vec<Value> {
    let records = scene.records().await;
    records.iter().map(|record| serde_json::from_slice(&record.value).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_kept_and_every_event_that_follows_carries_it() {
    let scene = Scene::open().await;
    let answer = place(&scene, &[JSON, ("x-request-id", "from-the-client-1")]).await;
    assert_eq!(answer.header("x-request-id"), Some("from-the-client-1"));
    let order = answer.number("id");
    let headers = [JSON, ("x-request-id", "from-the-courier-2")];
    let parcel = format!("/deliveries/{}", scene.a_parcel(order).await);
    let body = json!({ "status": "Shipped" }).to_string();
    // The courier comes back while the parcel is held: its order may not be known as confirmed yet.
    let handed_over = async || {
        let body = Some(body.clone());
        let answer = scene.send_with(ServiceArg::Gateway, Method::PATCH, &parcel, &headers, body).await;
        assert_eq!(answer.header("x-request-id"), Some("from-the-courier-2"));
        answer.status == 200
    };
    scene.until("the parcel is handed over", handed_over).await;
    scene.until_shown(order, "Shipped").await;
    scene.until_order(order, "Shipped").await;

    let mut found: Vec<_> = events(&scene)
        .await
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().expect("a text").to_owned();
            (text("eventType"), text("status"), text("correlationId"))
        })
        .collect();
    found.sort();
    let expected = [
        ("Ordered", "Ordered", "from-the-client-1"),
        ("Rented", "Rent", "from-the-client-1"),
        ("Shipped", "Ship", "from-the-client-1"),
        ("Shipped", "Shipped", "from-the-courier-2"),
    ];
    let expected = expected.map(|(kind, status, id)| (kind.to_owned(), status.to_owned(), id.to_owned()));
    assert_eq!(found, expected);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_usable_id_gets_one() {
    let scene = Scene::open().await;
    let too_long = "x".repeat(129);
    let mut seen = Vec::new();
    for headers in [vec![JSON], vec![JSON, ("x-request-id", &too_long)], vec![JSON, ("x-request-id", "")]] {
        let answer = scene.send_with(ServiceArg::Gateway, Method::GET, "/orders", &headers, None).await;
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert!(!id.is_empty() && id != too_long && !seen.contains(&id), "{id}");
        seen.push(id);
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_speak_for_a_proxy() {
    let ports = free_ports();
    let scene = Scene::open_with(|mut config| {
        config.ports = ports;
        config
    })
    .await;
    let headers = [
        JSON,
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "666"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-proto", "https"),
    ];
    let answer = place(&scene, &headers).await;
    let gateway = format!("http://127.0.0.1:{}/orders/1", ports[4]);
    assert_eq!(answer.header("location"), Some(gateway.as_str()));
    assert_eq!(answer.json()["_links"]["self"]["href"], gateway.as_str());
    // Its own door does not believe strangers either.
    let answer = scene.send_with(ServiceArg::Order, Method::GET, "/orders/1", &headers, None).await;
    assert_eq!(answer.json()["_links"]["self"]["href"], format!("http://127.0.0.1:{}/orders/1", ports[0]));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_can_speak_for_its_clients_at_the_gateway_and_nowhere_else() {
    let scene = Scene::open_with(|mut config| {
        config.trusted_proxies = "127.0.0.0/8".parse().expect("a network");
        config
    })
    .await;
    let headers = [
        JSON,
        ("x-forwarded-host", "library.example"),
        ("x-forwarded-prefix", "/books"),
        ("x-forwarded-proto", "https"),
    ];
    let answer = place(&scene, &headers).await;
    assert_eq!(answer.header("location"), Some("https://library.example/books/orders/1"));
    let entry = scene.send_with(ServiceArg::Gateway, Method::GET, "/", &headers, None).await;
    assert_eq!(entry.json()["_links"]["orders"]["href"], "https://library.example/books/orders");
    let answer = scene.send_with(ServiceArg::Order, Method::GET, "/orders/1", &headers, None).await;
    let own = answer.json()["_links"]["self"]["href"].as_str().expect("a link").to_owned();
    assert!(own.starts_with("http://127.0.0.1:"), "order has its own door: {own}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_not_call_the_gateway() {
    let scene = Scene::open().await;
    let headers = [("origin", "https://library.example"), ("access-control-request-method", "POST")];
    for method in [Method::GET, Method::OPTIONS] {
        let answer = scene.send_with(ServiceArg::Gateway, method, "/orders", &headers, None).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_named_origin_may() {
    let scene = Scene::open_with(|mut config| {
        config.cors_origins = vec!["https://library.example".to_owned()];
        config
    })
    .await;
    let allowed = async |method, origin| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "content-type,if-match,idempotency-key"),
        ];
        scene.send_with(ServiceArg::Gateway, method, "/orders", &headers, None).await
    };
    let answer = allowed(Method::GET, "https://library.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://library.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let answer = allowed(Method::OPTIONS, "https://library.example").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, Some("https://library.example"))
    );
    assert!(answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("PATCH")));
    let names = answer.header("access-control-allow-headers").expect("names").to_lowercase();
    assert!(
        ["content-type", "if-match", "idempotency-key"].iter().all(|name| names.contains(name)),
        "{names}"
    );
    for method in [Method::GET, Method::OPTIONS] {
        let answer = allowed(method, "https://elsewhere.example").await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_options_go_through_the_gateway() {
    let scene = Scene::open().await;
    let order = scene.an_order("COSMOS").await;
    scene.a_parcel(order).await;
    for (path, allow) in [
        ("/orders", "OPTIONS,HEAD,POST,GET"),
        ("/orders/1", "PATCH,OPTIONS,HEAD,GET"),
        ("/rents", "OPTIONS,HEAD,POST,GET"),
        ("/rents/1", "OPTIONS,HEAD,GET"),
        ("/deliveries", "OPTIONS,HEAD,GET"),
        ("/deliveries/1", "PATCH,OPTIONS,HEAD,GET"),
        ("/mypages", "OPTIONS,HEAD,GET"),
        ("/mypages/1", "OPTIONS,HEAD,GET"),
    ] {
        let options = scene.send(ServiceArg::Gateway, Method::OPTIONS, path, None).await;
        let sorted = |text: &str| {
            let mut methods: Vec<_> = text.split(',').map(|method| method.trim().to_owned()).collect();
            methods.sort();
            methods
        };
        assert_eq!(options.header("allow").map(sorted), Some(sorted(allow)), "{path}");
        let head = scene.send(ServiceArg::Gateway, Method::HEAD, path, None).await;
        assert_eq!((head.status, head.body.len()), (204, 0), "{path}");
        assert!(head.header("link").is_some_and(|link| link.contains("rel=\"self\"")), "{path}: {head:?}");
    }
    scene.close().await;
}
