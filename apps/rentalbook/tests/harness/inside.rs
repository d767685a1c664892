//! What is inside of a library, for tests that have to look at it or break it there.

use std::path::Path;

use contracts::{GROUPS, TOPIC};
use hyper::{Method, body::Bytes};
use platform_event_bus::{DeadLetter, DeadLetters, EventBus as _, GroupPosition, NewRecord, Record};
use platform_storage::rusqlite::Connection;
use rentalbook::cli::ServiceArg;
use serde_json::{Value, json};

use super::{Answer, Scene};

/// Records of the topic read at once.
const BATCH: usize = 10_000;

impl Scene {
    /// One request under the name that the client knows the service by.
    pub(crate) async fn send_as(
        &self,
        service: ServiceArg,
        host: &str,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let headers: Vec<_> = headers.iter().copied().chain([("host", host)]).collect();
        self.send_with(service, method, path, &headers, body.map(str::to_owned)).await
    }

    /// What a GET at the gateway answers.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(ServiceArg::Gateway, Method::GET, path, None).await
    }

    /// The courier asks once for the parcel of an order.
    pub(crate) async fn hand_over_parcel_of(&self, order: i64) -> Answer {
        let parcel = self.find("deliveries", order).await.expect("a parcel");
        let path = format!("/deliveries/{}", parcel["id"]);
        self.send(ServiceArg::Gateway, Method::PATCH, &path, Some(json!({ "status": "Shipped" }))).await
    }

    /// The status that a collection has for an order.
    pub(crate) async fn status_in(&self, collection: &str, order: i64) -> Option<String> {
        Some(self.find(collection, order).await?["status"].as_str().expect("a status").to_owned())
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

    /// Lets nobody write one of its files, as a disk that hangs would.
    pub(crate) fn hang(&self, file: &str) -> HangingFile {
        HangingFile::new(&self.data().join(file))
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
