//! A library of its own for every test, and what its users can do.

mod answer;
#[cfg(feature = "distributed")]
pub(crate) mod distributed;
mod embedded;
mod inside;

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rentalbook::{
    cli::{ServiceArg, Tool},
    config::Config,
};
use serde_json::{Value, json};

pub(crate) use answer::Answer;
pub(crate) use embedded::Embedded;

/// How the services of a library run.
pub(crate) trait Wiring: Sized {
    /// A new library, with other settings.
    async fn open(change: impl FnOnce(Config) -> Config) -> Self;

    /// Stops all of it and starts it again.
    async fn restart(&mut self);

    /// Where a service answers.
    async fn address(&self, service: ServiceArg) -> std::net::SocketAddr;

    /// Runs a tool as `rentalbook tools` does: text and exit code.
    async fn tool(&self, tool: &Tool) -> (String, u8);

    /// Stops all of it.
    async fn stop(self);
}

/// A running library in a place of its own. Every test ends it with [`SceneOn::close`], which audits it: a test
/// cannot pass and leave an event undelivered or an order in disagreement. One that has put events of nobody's orders
/// on the topic ends it with [`SceneOn::leave`].
pub(crate) struct SceneOn<W> {
    library: Option<W>,
    client: Client<HttpConnector, Full<Bytes>>,
    closed: bool,
}

/// The library on one machine.
pub(crate) type Scene = SceneOn<Embedded>;

impl<W: Wiring> SceneOn<W> {
    /// A new library.
    pub(crate) async fn open() -> Self {
        Self::open_with(|config| config).await
    }

    /// A new library with other settings.
    pub(crate) async fn open_with(change: impl FnOnce(Config) -> Config) -> Self {
        Self::of(W::open(change).await)
    }

    /// A library that is open already.
    pub(crate) fn of(library: W) -> Self {
        // A connection for every request: one that was kept may just be closed by a service that stops.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { library: Some(library), client, closed: false }
    }

    fn library(&self) -> &W {
        self.library.as_ref().expect("the library runs")
    }

    /// Where a service listens.
    pub(crate) async fn address(&self, service: ServiceArg) -> std::net::SocketAddr {
        self.library().address(service).await
    }

    /// Stops the whole library and starts it again on what it has kept.
    pub(crate) async fn restart(&mut self) {
        self.library.as_mut().expect("the library runs").restart().await;
    }

    /// Takes one service down.
    pub(crate) async fn stop(&self, service: ServiceArg) {
        assert_eq!(self.tool(&Tool::Stop { service }).await.1, 0);
    }

    /// Brings it back.
    pub(crate) async fn start(&self, service: ServiceArg) {
        assert_eq!(self.tool(&Tool::Start { service }).await.1, 0);
    }

    /// Runs a tool as `rentalbook tools` does: text and exit code.
    pub(crate) async fn tool(&self, tool: &Tool) -> (String, u8) {
        self.library().tool(tool).await
    }

    /// One request; the body is sent as JSON.
    pub(crate) async fn send(
        &self,
        service: ServiceArg,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let headers = [("accept", "application/json")];
        self.send_with(service, method, path, &headers, body.map(|body| body.to_string())).await
    }

    /// One request with headers of its own.
    pub(crate) async fn send_with(
        &self,
        service: ServiceArg,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        self.try_send_with(service, method, path, headers, body).await.expect("an answer")
    }

    /// The same where the connection may be closed on a client that still sends: `None` without an answer.
    pub(crate) async fn try_send_with(
        &self,
        service: ServiceArg,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Option<Answer> {
        let address = self.library().address(service).await;
        let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default()))).expect("a request");
        let response = self.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The customer requests a book at the one door.
    pub(crate) async fn request_book(&self, item: &str) -> Answer {
        self.send(ServiceArg::Gateway, Method::POST, "/orders", Some(json!({ "item": item }))).await
    }

    /// The customer requests a book that is confirmed; its order id.
    pub(crate) async fn an_order(&self, item: &str) -> i64 {
        let answer = self.request_book(item).await;
        assert_eq!((answer.status, answer.text("status")), (201, "Ordered".to_owned()), "{answer:?}");
        answer.number("id")
    }

    /// The customer cancels.
    pub(crate) async fn cancel(&self, order: i64) -> Answer {
        let body = json!({ "status": "Order Cancel" });
        self.send(ServiceArg::Gateway, Method::PATCH, &format!("/orders/{order}"), Some(body)).await
    }

    /// The courier takes the parcel, and comes back where its order is not known as confirmed yet.
    pub(crate) async fn hand_over(&self, delivery: i64) -> Answer {
        let path = format!("/deliveries/{delivery}");
        loop {
            let body = json!({ "status": "Shipped" });
            let answer = self.send(ServiceArg::Gateway, Method::PATCH, &path, Some(body)).await;
            let is_held = answer.status == 409 && answer.text("type").ends_with("not-confirmed-yet");
            if !is_held {
                return answer;
            }
        }
    }

    /// The parcel of an order, as soon as it may be handed over.
    pub(crate) async fn a_parcel(&self, order: i64) -> i64 {
        self.until_shown(order, "Ship").await;
        self.find("deliveries", order).await.expect("a delivery")["id"].as_i64().expect("an id")
    }

    /// What `search/findByOrderId` of a collection has for an order.
    pub(crate) async fn find(&self, collection: &str, order: i64) -> Option<Value> {
        let path = format!("/{collection}/search/findByOrderId?orderId={order}");
        let answer = self.send(ServiceArg::Gateway, Method::GET, &path, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let found = answer.json()["_embedded"][collection].as_array().expect("a list").clone();
        assert!(found.len() <= 1, "at most one for an order: {found:?}");
        found.into_iter().next()
    }

    /// The ids of all orders.
    pub(crate) async fn orders(&self) -> Vec<i64> {
        let answer = self.send(ServiceArg::Gateway, Method::GET, "/orders?size=1000", None).await;
        let orders = answer.json()["_embedded"]["orders"].as_array().expect("a list").clone();
        orders.iter().map(|order| order["id"].as_i64().expect("an id")).collect()
    }

    /// The status that order shows.
    pub(crate) async fn order_status(&self, order: i64) -> String {
        self.send(ServiceArg::Gateway, Method::GET, &format!("/orders/{order}"), None).await.text("status")
    }

    /// The status that mypage shows, if it knows the order.
    pub(crate) async fn shown(&self, order: i64) -> Option<String> {
        let answer = self.send(ServiceArg::Gateway, Method::GET, &format!("/mypages/{order}"), None).await;
        (answer.status == 200).then(|| answer.text("status"))
    }

    /// Waits until mypage shows a status.
    pub(crate) async fn until_shown(&self, order: i64, status: &str) {
        let what = format!("mypage shows order {order} as {status}");
        self.until(&what, async || self.shown(order).await.as_deref() == Some(status)).await;
    }

    /// Waits until order shows a status.
    pub(crate) async fn until_order(&self, order: i64, status: &str) {
        let what = format!("order {order} is {status}");
        self.until(&what, async || self.order_status(order).await == status).await;
    }

    /// Waits for a state.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        platform_testkit::until(what, || holds()).await;
    }

    /// Audits the library and closes it.
    pub(crate) async fn close(self) {
        let (report, code) = self.tool(&Tool::Audit).await;
        assert!(code == 0 && report.contains("clean") && !report.contains("under way"), "{report}");
        self.leave().await;
    }

    /// Closes the library without an audit, which would rightly report the events of nobody's orders.
    pub(crate) async fn leave(mut self) {
        self.library.take().expect("the library runs").stop().await;
        self.closed = true;
    }
}

impl<W> Drop for SceneOn<W> {
    fn drop(&mut self) {
        assert!(self.closed || std::thread::panicking(), "a test ends with SceneOn::close or leave");
    }
}
