//! The topic of a closed library, read and forged.

use std::path::Path;

use contracts::TOPIC;
use platform_event_bus::{EventBus as _, Record};
use platform_storage::{
    LogBus,
    rusqlite::{Connection, params},
};

/// Everything that is on it.
pub(crate) async fn records(data: &Path) -> Vec<Record> {
    let bus = LogBus::open(&data.join("bus.db"), None).expect("the topic");
    let mut replay = bus.replay(TOPIC).await.expect("the topic");
    let mut all = Vec::new();
    loop {
        let records = replay.next(10_000).await.expect("the topic");
        if records.is_empty() {
            return all;
        }
        all.extend(records);
    }
}

/// Makes of every record what `forge` makes of it, at its place; nothing where that is none.
pub(crate) async fn forge(data: &Path, forge: impl FnMut(Record) -> Option<Record>) {
    let forged: Vec<_> = records(data).await.into_iter().filter_map(forge).collect();
    let bus = Connection::open(data.join("bus.db")).expect("the file");
    let sql = "SELECT id FROM topics WHERE name = ?1";
    let topic: i64 = bus.query_row(sql, [TOPIC], |row| row.get(0)).expect("the topic's number");
    bus.execute("DELETE FROM batches WHERE topic = ?1", [topic]).expect("they are gone");
    for record in forged {
        bus.execute(
            "INSERT INTO batches (last, first, topic, published_at, records) VALUES (?1, ?1, ?2, ?3, ?4)",
            params![record.offset, topic, record.published_at, encoded(&record)],
        )
        .expect("a row");
    }
}

/// A record as the log keeps it.
fn encoded(record: &Record) -> Vec<u8> {
    let key = record.key.as_deref().expect("a key");
    let mut bytes = record.partition.to_be_bytes().to_vec();
    for piece in [key, &record.headers.as_encoded()[..], &record.value[..]] {
        bytes.extend(u32::try_from(piece.len()).expect("a length").to_be_bytes());
        bytes.extend(piece);
    }
    bytes
}

/// Whether a record is an order's event of this type.
pub(crate) fn is_event(record: &Record, order: i64, event_type: &str) -> bool {
    record.key.as_deref() == Some(order.to_string().as_bytes())
        && record.value.starts_with(format!("{{\"eventType\":\"{event_type}\"").as_bytes())
}
