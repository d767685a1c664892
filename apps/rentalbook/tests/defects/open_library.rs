//! A library whose topic and files are within reach, for tests that have to break something inside.

use std::{path::Path, time::Duration};

use contracts::{GROUPS, TOPIC};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::rt::TokioIo;
use platform_event_bus::{DeadLetter, DeadLetters, EventBus as _, GroupPosition, NewRecord, Record};
use platform_storage::rusqlite::Connection;
use rentalbook::{
    cli::{ServiceArg, Tool},
    config::Config,
    embedded::Library,
    stores::Stores,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::harness::Answer;

/// Longest wait for a state that must come. Far more than it takes, so that a slow machine fails nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at a state that is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Records of the topic read at once.
const BATCH: usize = 10_000;

/// A running library in a folder of its own. A test ends it with [`OpenLibrary::close`], which audits it; one that
/// has put events of nobody's orders on the topic ends it with [`OpenLibrary::leave`].
pub(crate) struct OpenLibrary {
    library: Option<Library>,
    config: Config,
    folder: tempfile::TempDir,
    ended: bool,
}

impl OpenLibrary {
    /// A new library.
    pub(crate) async fn open() -> Self {
        Self::open_with(|config| config).await
    }

    /// A new library with other settings.
    pub(crate) async fn open_with(change: impl FnOnce(Config) -> Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = change(Config { ports: [0; 5], ..Config::new(folder.path().to_owned()) });
        let library = Library::start(config.clone()).await.expect("the library starts");
        Self { library: Some(library), config, folder, ended: false }
    }

    fn library(&self) -> &Library {
        self.library.as_ref().expect("the library runs")
    }

    /// Its files.
    pub(crate) fn stores(&self) -> &Stores {
        &self.library().toolbox().stores
    }

    /// Stops the whole library and starts it again on the same folder.
    pub(crate) async fn restart(&mut self) {
        self.library.take().expect("the library runs").stop().await;
        self.library = Some(Library::start(self.config.clone()).await.expect("the library starts again"));
    }

    /// Takes one service down.
    pub(crate) async fn stop(&self, service: ServiceArg) {
        self.library().services().get(service).stop().await;
    }

    /// Brings it back.
    pub(crate) async fn start(&self, service: ServiceArg) {
        self.library().services().get(service).start().await.expect("the service starts");
    }

    /// Runs a tool: text and exit code.
    pub(crate) async fn tool(&self, tool: &Tool) -> (String, u8) {
        let outcome = self.library().toolbox().run(tool).await;
        (outcome.text, outcome.code)
    }

    /// One request with exactly these headers, under the name that the client knows the service by.
    pub(crate) async fn send_as(
        &self,
        service: ServiceArg,
        host: &str,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let stream = TcpStream::connect(self.library().address(service).await).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
        let response = sender.send_request(request.body(body).expect("a request")).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        connection.abort();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// One request; the body is sent as JSON.
    pub(crate) async fn send(
        &self,
        service: ServiceArg,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let headers = [("accept", "application/json"), ("content-type", "application/json")];
        let body = body.map(|body| body.to_string());
        self.send_as(service, "library.test", (method, path), &headers, body.as_deref()).await
    }

    /// What a GET at the gateway answers.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(ServiceArg::Gateway, Method::GET, path, None).await
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

    /// The courier takes the parcel of an order.
    pub(crate) async fn hand_over(&self, order: i64) -> Answer {
        let parcel = self.of("deliveries", order).await.expect("a parcel");
        let path = format!("/deliveries/{}", parcel["id"]);
        self.send(ServiceArg::Gateway, Method::PATCH, &path, Some(json!({ "status": "Shipped" }))).await
    }

    /// What a collection has for an order; several would be one too many.
    pub(crate) async fn of(&self, collection: &str, order: i64) -> Option<Value> {
        let answer = self.get(&format!("/{collection}/search/findByOrderId?orderId={order}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let found = answer.json()["_embedded"][collection].as_array().expect("a list").clone();
        assert!(found.len() <= 1, "at most one for an order: {found:?}");
        found.into_iter().next()
    }

    /// The status that a collection has for an order.
    pub(crate) async fn status_in(&self, collection: &str, order: i64) -> Option<String> {
        Some(self.of(collection, order).await?["status"].as_str().expect("a status").to_owned())
    }

    /// The status of an order.
    pub(crate) async fn order_status(&self, order: i64) -> String {
        self.get(&format!("/orders/{order}")).await.text("status")
    }

    /// How many items a collection has.
    pub(crate) async fn count(&self, collection: &str) -> u64 {
        let answer = self.get(&format!("/{collection}?size=1")).await;
        answer.json()["page"]["totalElements"].as_u64().expect("a number")
    }

    /// Puts records on the topic as some producer might: without headers.
    pub(crate) async fn publish<V: AsRef<[u8]>>(&self, records: impl IntoIterator<Item = (Option<i64>, V)>) {
        let records = records.into_iter().map(|(order, value)| NewRecord {
            key: order.map(contracts::key),
            value: Bytes::copy_from_slice(value.as_ref()),
            ..NewRecord::default()
        });
        self.stores().bus.publish(TOPIC, records.collect()).await.expect("published");
    }

    /// Everything that is on the topic.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let mut replay = self.stores().bus.replay(TOPIC).await.expect("the topic");
        let mut all = Vec::new();
        loop {
            let records = replay.next(BATCH).await.expect("the topic");
            if records.is_empty() {
                return all;
            }
            all.extend(records);
        }
    }

    /// The types of an order's events, in their order; a parcel's two `Shipped` have their status with them.
    pub(crate) async fn said(&self, order: i64) -> Vec<String> {
        let mut records = self.records().await;
        records.sort_by_key(|record| record.offset);
        records.iter().filter_map(|record| event_of(record, order)).collect()
    }

    /// The dead letters that nobody has settled.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let bus = std::sync::Arc::new(self.stores().bus.clone());
        DeadLetters::new(bus, TOPIC).list().await.expect("the letters")
    }

    /// Waits until nothing is on its way: all outboxes are empty and all groups are at the end of the topic.
    pub(crate) async fn settle(&self) {
        self.until("everything has settled", async || {
            // An event is in an outbox or on the topic, and for a moment in both. So if all are consumed, then none
            // waits, and then the topic has still the same ends, none was hidden between the looks.
            let Some(before) = self.ends_if_consumed().await else { return false };
            for outbox in self.stores().outboxes() {
                if outbox.backlog().await.expect("an outbox") > 0 {
                    return false;
                }
            }
            self.ends_if_consumed().await == Some(before)
        })
        .await;
    }

    async fn ends_if_consumed(&self) -> Option<Vec<i64>> {
        let mut ends = Vec::new();
        for group in GROUPS {
            let positions = self.stores().bus.positions(TOPIC, group).await.expect("positions");
            if positions.iter().any(|GroupPosition { committed, end, .. }| committed < end) {
                return None;
            }
            ends.extend(positions.iter().map(|position| position.end));
        }
        Some(ends)
    }

    /// Waits for a state.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waiting = async {
            let mut look = tokio::time::interval(BETWEEN_LOOKS);
            while !holds().await {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"));
    }

    /// Lets nobody write one of its files, as a disk that hangs would.
    pub(crate) fn hang(&self, file: &str) -> HangingFile {
        HangingFile::new(&self.folder.path().join(file))
    }

    /// Audits the library and closes it.
    pub(crate) async fn close(self) {
        self.settle().await;
        let (report, code) = self.tool(&Tool::Audit).await;
        assert!(code == 0 && report.contains("clean") && !report.contains("under way"), "{report}");
        self.leave().await;
    }

    /// Closes the library without an audit, which would rightly report the events of nobody's orders.
    pub(crate) async fn leave(mut self) {
        self.library.take().expect("the library runs").stop().await;
        self.ended = true;
    }
}

impl Drop for OpenLibrary {
    fn drop(&mut self) {
        assert!(self.ended || std::thread::panicking(), "a test ends with OpenLibrary::close or leave");
    }
}

/// What a record says about an order, if it does.
fn event_of(record: &Record, order: i64) -> Option<String> {
    let event: Value = serde_json::from_slice(&record.value).ok()?;
    let kind = event["eventType"].as_str()?;
    let of_order = event.get("orderId").or_else(|| event.get("id"))?;
    let status = event["status"].as_str().unwrap_or_default();
    (of_order == order).then(|| match kind {
        "Shipped" => format!("Shipped/{status}"),
        _ => kind.to_owned(),
    })
}

/// A file that cannot be written until this is dropped.
pub(crate) struct HangingFile(Connection);

impl HangingFile {
    fn new(path: &Path) -> Self {
        let connection = Connection::open(path).expect("the file");
        connection.pragma_update(None, "busy_timeout", 10_000).expect("a setting");
        connection.execute_batch("BEGIN IMMEDIATE").expect("the lock of the file");
        Self(connection)
    }
}

impl Drop for HangingFile {
    fn drop(&mut self) {
        let _ = self.0.execute_batch("ROLLBACK");
    }
}
