use std::fmt::Write as _;

use hyper::Method;
use rentalbook::cli::ServiceArg;

use crate::{harness::Scene, killing::program::free_ports, limits::raw::exchange};

#[tokio::test(flavor = "multi_thread")]
async fn garbage_closes_its_connection_and_nothing_else() {
    let ports = free_ports();
    let scene = Scene::open_with(|mut config| {
        config.ports = ports;
        config
    })
    .await;
    let with =
        |fields: &str| format!("GET /orders HTTP/1.1\r\nHost: library\r\nConnection: close\r\n{fields}\r\n");
    let many = (0..200).fold(String::new(), |mut text, n| {
        let _ = write!(text, "X-{n}: y\r\n");
        text
    });
    for port in ports {
        for garbage in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"hello\r\n\r\n",
            b"GET /orders\r\n\r\n",
            b"GET /orders HTTP/9.9\r\n\r\n",
            b"GET /orders HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nZ\r\n",
            &[0; 40_000],
        ] {
            let answer = exchange(port, garbage).await;
            let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4");
            assert!(refused, "{answer}");
        }
        for fields in [format!("X-Long: {}\r\n", "x".repeat(40_000)), many.clone()] {
            let answer = exchange(port, with(&fields).as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        }
        let host = b"GET /orders HTTP/1.1\r\nHost: a b<script>\r\nConnection: close\r\n\r\n";
        let answer = exchange(port, host).await;
        assert!(!answer.contains("<script>") && !answer.starts_with("HTTP/1.1 5"), "{answer}");
    }
    let orders = scene.send(ServiceArg::Gateway, Method::GET, "/orders", None).await;
    assert_eq!(orders.json()["page"]["totalElements"], 0);
    let order = scene.an_order("COSMOS").await;
    scene.until_shown(order, "Ship").await;
    scene.close().await;
}
