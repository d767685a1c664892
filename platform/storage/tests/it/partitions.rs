//! A log never has fewer partitions than before: what is in the others would not be read any more.

use std::{collections::BTreeSet, path::Path};

use platform_event_bus::{DEFAULT_PARTITIONS, EventBus as _, Headers, NewRecord};
use platform_storage::{LogBus, OpenError, rusqlite::Connection};

fn open(folder: &Path, partitions: Option<u32>) -> LogBus {
    LogBus::open(&folder.join("bus.db"), partitions).expect("the log")
}

async fn number(bus: &LogBus) -> usize {
    bus.positions("news", "readers").await.expect("positions").len()
}

async fn publish(bus: &LogBus, keys: std::ops::Range<u32>) {
    let record = |key: u32| NewRecord {
        key: Some(key.to_string().into()),
        headers: Headers::default(),
        value: key.to_string().into(),
    };
    bus.publish("news", keys.map(record).collect()).await.expect("published");
}

/// What a group that begins now is given, `count` records.
async fn read(bus: &LogBus, count: usize) -> BTreeSet<String> {
    let mut member = bus.subscribe("news", "late readers").await.expect("a member");
    let mut values = BTreeSet::new();
    while values.len() < count {
        let records = member.next(1_000).await.expect("records");
        values.extend(records.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()));
    }
    values
}

#[tokio::test]
async fn the_file_remembers_the_number() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(number(&open(folder.path(), Some(24))).await, 24);
    assert_eq!(number(&open(folder.path(), None)).await, 24, "nobody says");
    assert_eq!(number(&open(folder.path(), Some(30))).await, 30, "it may grow");
    assert_eq!(number(&open(folder.path(), None)).await, 30);

    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(number(&open(folder.path(), None)).await, DEFAULT_PARTITIONS as usize, "a new one");
}

#[tokio::test]
async fn fewer_are_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    publish(&open(folder.path(), Some(24)), 0..200).await;
    let path = folder.path().join("bus.db");
    let refused = LogBus::open(&path, Some(12)).err().expect("refused");
    assert!(matches!(refused, OpenError::FewerPartitions { asked: 12, least: 24, .. }), "{refused}");
    let sentence = refused.to_string();
    assert!(sentence.contains("has 24 partitions, which cannot become 12"), "{sentence}");

    let bus = open(folder.path(), None);
    assert_eq!(read(&bus, 200).await.len(), 200);
}

#[tokio::test]
async fn events_that_were_there_before_it_grew_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    publish(&open(folder.path(), Some(3)), 0..50).await;
    let bus = open(folder.path(), Some(24));
    publish(&bus, 50..100).await;
    assert_eq!(read(&bus, 100).await.len(), 100);
}

/// A log as it was made before the number was kept, with `partitions`.
async fn an_older_log(folder: &Path, partitions: u32) {
    publish(&open(folder, Some(partitions)), 0..500).await;
    let connection = Connection::open(folder.join("bus.db")).expect("the file");
    connection
        .execute_batch("DROP TABLE partitions; UPDATE schema SET version = 1 WHERE component = 'log'")
        .expect("SQL");
}

#[tokio::test]
async fn an_older_log_has_as_many_as_its_records_need() {
    for (had, asked, has) in [(24, None, 24), (4, None, 12), (4, Some(4), 4), (24, Some(24), 24)] {
        let folder = tempfile::tempdir().expect("a folder");
        an_older_log(folder.path(), had).await;
        assert_eq!(number(&open(folder.path(), asked)).await, has, "{had}, {asked:?}");
        assert_eq!(number(&open(folder.path(), None)).await, has, "{had}, {asked:?}: from then on");
    }
    let folder = tempfile::tempdir().expect("a folder");
    an_older_log(folder.path(), 24).await;
    let refused = LogBus::open(&folder.path().join("bus.db"), Some(12)).err().expect("refused");
    assert!(matches!(refused, OpenError::FewerPartitions { asked: 12, least: 24, .. }), "{refused}");
}
