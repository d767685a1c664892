//! Whether the service is well, for those who run it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Asked;
use crate::resource::json as answer;
use crate::routes::read_only;

/// Seconds after which a service that is down may be asked how it is again.
const ASK_AGAIN_AFTER: u32 = 2;

/// The text format of Prometheus.
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// How a service is.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Whether it can serve.
    pub up: bool,
    /// What it consists of, if that is to be shown.
    pub details: Map<String, Value>,
}

impl Health {
    /// It can serve, and there is nothing more to say.
    pub fn up() -> Self {
        Self { up: true, details: Map::new() }
    }

    /// It cannot serve.
    pub fn down() -> Self {
        Self { up: false, details: Map::new() }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Asks a service how it is.
#[derive(Clone)]
pub struct HealthCheck(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Health> + Send>> + Send + Sync>);

impl HealthCheck {
    /// From a function that asks.
    pub fn new<F: Future<Output = Health> + Send + 'static>(
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || Box::pin(check())))
    }

    /// Asks.
    pub async fn ask(&self) -> Health {
        (self.0)().await
    }
}

impl std::fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HealthCheck")
    }
}

/// Writes the metrics of a service, in the text format of Prometheus.
#[derive(Clone)]
pub struct Scrape(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>);

impl Scrape {
    /// From a function that writes them.
    pub fn new<F: Future<Output = String> + Send + 'static>(
        write: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || Box::pin(write())))
    }
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

/// What is running.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct About {
    /// The name of the service.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The commit it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<&'static str>,
}

/// `/actuator`, which lists `/actuator/health`, `/actuator/health/liveness`, `/actuator/health/readiness`,
/// `/actuator/info` and `/actuator/prometheus`.
///
/// Liveness asks nobody: that another part is down is no reason to restart this one.
pub fn actuator<S>(about: About, check: HealthCheck, scrape: Scrape) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let health = move || {
        let check = check.clone();
        async move { show_health(check.ask().await) }
    };
    let alive = || async { show_health(Health::up()) };
    let info = move || async move { show(&json!({ "app": about })) };
    let metrics = move || {
        let scrape = scrape.clone();
        async move { answer((scrape.0)().await.into_bytes(), PROMETHEUS) }
    };
    Router::new()
        .route("/actuator", read_only(get(|asked: Asked| async move { show(&index(&asked)) })))
        .route("/actuator/prometheus", read_only(get(metrics)))
        .route("/actuator/health", read_only(get(health.clone())))
        .route("/actuator/health/readiness", read_only(get(health)))
        .route("/actuator/health/liveness", read_only(get(alive)))
        .route("/actuator/info", read_only(get(info)))
}

/// What there is, each with its address.
fn index(asked: &Asked) -> Value {
    let own = format!("{}/actuator", asked.base.as_str());
    let parts = ["health", "health/liveness", "health/readiness", "info", "prometheus"];
    let parts = parts.into_iter().map(|part| (part.replace('/', "-"), format!("{own}/{part}")));
    let links = std::iter::once(("self".to_owned(), own.clone())).chain(parts);
    let links: Map<_, _> =
        links.map(|(name, href)| (name, json!({"href": href, "templated": false}))).collect();
    json!({"_links": links})
}

fn show_health(health: Health) -> Response {
    let mut body = json!({"status": if health.up { "UP" } else { "DOWN" }});
    if !health.details.is_empty() {
        body["details"] = Value::Object(health.details);
    }
    let mut response = show(&body);
    if !health.up {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ASK_AGAIN_AFTER));
    }
    response
}

fn show(body: &Value) -> Response {
    let content_type = HeaderValue::from_static("application/vnd.spring-boot.actuator.v2+json;charset=UTF-8");
    answer(body.to_string().into_bytes(), content_type)
}
