//! What those who run a service ask it.

use axum::Router;
use platform_http::{About, Health, HealthCheck, actuator};
use serde_json::json;

use crate::service::ask;

const ABOUT: About = About { name: "order", version: "0.1.0", commit: Some("a6c16f8") };

fn app(health: Health) -> Router {
    actuator(ABOUT, HealthCheck::new(move || std::future::ready(health.clone())))
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
