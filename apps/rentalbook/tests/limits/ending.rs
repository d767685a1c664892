//! The program as a process: where it listens, what it writes, how it ends.

use std::{
    collections::BTreeMap,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use serde_json::{Value, json};

use super::raw::Hanging;
use crate::killing::program::{Http, Program, as_tested, free_ports, tool};

/// Places orders until nobody answers any more; what was answered.
async fn place_until_closed(n: usize, http: Http, stop: Arc<AtomicBool>) -> BTreeMap<i64, String> {
    let mut answered = BTreeMap::new();
    for book in 0.. {
        let item = format!("book {n}-{book}");
        let body = json!({ "item": item });
        match http.ask(4, Method::POST, "/orders", &[], Some(&body)).await {
            Some(answer) if [201, 202].contains(&answer.status) => {
                answered.insert(answer.number("id"), item);
            }
            Some(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
            None => break,
        }
        if stop.load(Ordering::Acquire) {
            break;
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_it_within_five_seconds_and_what_was_answered_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, data, ports) = (as_tested(), folder.path().join("data"), free_ports());
    let running = Program::open(&program, &data, ports, &[]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> =
        (0..8).map(|n| tokio::spawn(place_until_closed(n, Http::new(ports), Arc::clone(&stop)))).collect();
    // Requests that never come to their end, at two doors: they may not hold it up.
    let hanging = (Hanging::begin(ports[4]).await, Hanging::begin(ports[0]).await);
    Http::new(ports).until_more("orders", 50).await;

    running.interrupt();
    let (status, took) = running.until_ended().await;
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    stop.store(true, Ordering::Release);
    drop(hanging);
    let mut answered = BTreeMap::new();
    for client in clients {
        answered.extend(client.await.expect("the client"));
    }
    assert!(answered.len() > 20, "there was load");

    let running = Program::open(&program, &data, ports, &[]).await;
    let orders = Http::new(ports).all("orders", "id").await;
    for (id, item) in &answered {
        assert_eq!(
            orders.get(id).map(|order| &order["item"]),
            Some(&Value::from(item.as_str())),
            "order {id}"
        );
    }
    let (report, code) = tool(&program, &data, &["audit"]).await;
    assert!(code == 0 && report.contains("clean") && !report.contains("under way"), "{report}");
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_machine_reaches_it_unless_told_otherwise() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, ports) = (folder.path().join("data"), free_ports());
    let running = Program::open(&as_tested(), &data, ports, &[]).await;
    for port in ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
        // Another address of this machine stands for the network: who listens on all would answer there.
        assert!(TcpStream::connect(("127.0.0.2", port)).is_err(), "port {port}");
    }
    running.close().await;
    let welcome = std::fs::read_to_string(data.with_extension("stdout")).expect("its words");
    assert!(welcome.contains(&format!("http://127.0.0.1:{}", ports[4])), "{welcome}");
    assert!(welcome.ends_with("closed\n"), "{welcome}");

    let running = Program::open(&as_tested(), &data, ports, &["--bind", "0.0.0.0"]).await;
    assert!(TcpStream::connect(("127.0.0.2", ports[4])).is_ok());
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_are_one_object_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, ports) = (folder.path().join("data"), free_ports());
    let running = Program::open(&as_tested(), &data, ports, &["--log", "json"]).await;
    let body = json!({ "item": "COSMOS" });
    let answer = Http::new(ports).ask(4, Method::POST, "/orders", &[], Some(&body)).await.expect("an answer");
    assert_eq!(answer.status, 201);
    running.close().await;
    let log = std::fs::read_to_string(data.with_extension("stderr")).expect("its log");
    assert!(log.lines().count() >= 10, "five starts and five stops: {log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}
