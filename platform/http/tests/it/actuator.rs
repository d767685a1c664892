//! What those who run a service ask it.

use axum::Router;
use platform_http::{About, Health, HealthCheck, Scrape, actuator};
use serde_json::json;

use crate::service::ask;

const ABOUT: About = About { name: "order", version: "0.1.0", commit: Some("a6c16f8") };

fn app(health: Health) -> Router {
    let check = HealthCheck::new(move || std::future::ready(health.clone()));
    actuator(ABOUT, check, Scrape::new(|| std::future::ready("answers_total 42\n".to_owned())))
}

#[tokio::test]
async fn health_is_up_as_recorded() {
    let answer = ask(app(Health::up()), "GET /actuator/health\nAccept: */*").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"status\":\"UP\"}"));
    let recorded = "application/vnd.spring-boot.actuator.v2+json;charset=UTF-8";
    assert_eq!(answer.header("content-type"), Some(recorded));
}

#[tokio::test]
async fn a_service_that_is_down_is_not_ready_but_alive() {
    let down = || app(Health::down().with("store", "cannot be written"));
    for path in ["/actuator/health", "/actuator/health/readiness"] {
        let answer = ask(down(), &format!("GET {path}")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
        assert_eq!(answer.json(), json!({"status": "DOWN", "details": {"store": "cannot be written"}}));
    }
    assert_eq!(ask(down(), "GET /actuator/health/liveness").await.status, 200);
}

#[tokio::test]
async fn info_says_what_is_running() {
    let answer = ask(app(Health::up()), "GET /actuator/info").await;
    assert_eq!(answer.json(), json!({"app": {"name": "order", "version": "0.1.0", "commit": "a6c16f8"}}));
}

#[tokio::test]
async fn metrics_are_text_as_prometheus_reads_it() {
    let answer = ask(app(Health::down()), "GET /actuator/prometheus").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "answers_total 42\n"));
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
}

#[tokio::test]
async fn the_index_lists_what_there_is() {
    let answer = ask(app(Health::up()), "GET /actuator").await;
    assert_eq!(answer.status, 200);
    let links = answer.json()["_links"].as_object().expect("links").clone();
    assert_eq!(links["self"], json!({"href": "http://localhost:8081/actuator", "templated": false}));
    assert_eq!(links["prometheus"]["href"], "http://localhost:8081/actuator/prometheus");
    assert_eq!(links.len(), 6);
    for link in links.values() {
        let path = link["href"].as_str().expect("an address").trim_start_matches("http://localhost:8081");
        assert_eq!(ask(app(Health::up()), &format!("GET {path}")).await.status, 200, "{path}");
    }
}
