//! What every event bus must do: one suite for the adapters and the fake.

use std::sync::Arc;

use bytes::Bytes;

use crate::{EventBus, Headers, NewRecord, Record};

const TOPIC: &str = "contract";

/// A topic of its own: nobody counts its records.
const JOINED: &str = "joined";

/// Longest wait for a record that must come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Runs the suite. `reopen` gives the same bus again as after a restart of the process (the fake, which has no
/// restart, gives a clone). The bus must be empty at first.
///
/// # Panics
/// Where the bus breaks the contract.
pub async fn run(reopen: impl AsyncFn() -> Arc<dyn EventBus>) {
    keeps_order_per_key(&*reopen().await).await;
    a_group_starts_at_the_earliest_record(&*reopen().await).await;
    what_was_not_committed_is_read_again(&reopen).await;
    groups_do_not_see_each_other(&*reopen().await).await;
    a_second_member_takes_over(&*reopen().await).await;
    nothing_is_passed_over_while_a_member_joins(&*reopen().await).await;
    a_replay_ends_at_the_end(&*reopen().await).await;
}

fn record(key: &str, value: &str) -> NewRecord {
    NewRecord {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        headers: Headers::new([("header", value.as_bytes())]),
        value: Bytes::copy_from_slice(value.as_bytes()),
    }
}

async fn read_exactly(bus: &dyn EventBus, group: &str, count: usize, commit: bool) -> Vec<Record> {
    let mut subscription = bus.subscribe(TOPIC, group).await.expect("subscribe");
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(subscription.next(count - records.len()).await.expect("next"));
    }
    if commit {
        subscription.commit().await.expect("commit");
    }
    records
}

async fn nothing_is_passed_over_while_a_member_joins(bus: &dyn EventBus) {
    let mut joined = bus.subscribe(JOINED, "joins").await.expect("subscribe");
    let mut known = Vec::new();
    bus.publish(JOINED, vec![record("before", "before")]).await.expect("publish");
    while !known.contains(&Bytes::from_static(b"before")) {
        known.extend(joined.next(1_000).await.expect("next").into_iter().map(|record| record.value));
        joined.commit().await.expect("commit");
    }
    drop(joined);
    for n in 0..200 {
        let value = format!("joining {n}");
        let reading = async {
            let mut joining = bus.subscribe(JOINED, "joins").await.expect("subscribe");
            loop {
                let records = joining.next(1_000).await.expect("next");
                joining.commit().await.expect("commit");
                if records.iter().any(|record| record.value == value.as_bytes()) {
                    return;
                }
            }
        };
        let read = futures_util::future::join(bus.publish(JOINED, vec![record("key", &value)]), reading);
        let (published, ()) = tokio::time::timeout(PATIENCE, read).await.expect("it is never read");
        published.expect("publish");
    }
}

async fn keeps_order_per_key(bus: &dyn EventBus) {
    let batch = (0..300).map(|n| record(&format!("key-{}", n % 10), &n.to_string())).collect();
    bus.publish(TOPIC, batch).await.expect("publish");
    let records = read_exactly(bus, "order", 300, true).await;
    for key in 0..10 {
        let key = format!("key-{key}");
        let of_key: Vec<_> = records.iter().filter(|r| r.key.as_deref() == Some(key.as_bytes())).collect();
        assert_eq!(of_key.len(), 30, "every record of {key} is read once");
        let values =
            of_key.iter().map(|r| String::from_utf8_lossy(&r.value).parse::<u32>().expect("a number"));
        assert!(values.is_sorted(), "records of {key} keep their order");
        assert!(
            of_key.windows(2).all(|pair| pair[0].partition == pair[1].partition),
            "{key} has one partition"
        );
        assert!(of_key.windows(2).all(|pair| pair[0].offset < pair[1].offset), "offsets of {key} grow");
        assert!(of_key.iter().all(|r| r.headers.get("header") == Some(&r.value)), "headers come back");
    }
    let partitions: std::collections::HashSet<_> = records.iter().map(|r| r.partition).collect();
    assert!(partitions.len() > 1, "keys spread over partitions");
}

async fn a_group_starts_at_the_earliest_record(bus: &dyn EventBus) {
    assert_eq!(read_exactly(bus, "late", 300, false).await.len(), 300);
}

async fn what_was_not_committed_is_read_again(reopen: &impl AsyncFn() -> Arc<dyn EventBus>) {
    read_exactly(&*reopen().await, "again", 120, true).await;
    let uncommitted = read_exactly(&*reopen().await, "again", 80, false).await;
    let again = read_exactly(&*reopen().await, "again", 180, true).await;
    for record in &uncommitted {
        assert!(again.contains(record), "what was read and not committed comes again");
    }
    let bus = reopen().await;
    let positions = bus.positions(TOPIC, "again").await.expect("positions");
    assert!(positions.iter().all(|p| p.committed == p.end), "all is committed: {positions:?}");
    bus.publish(TOPIC, vec![record("key-1", "after")]).await.expect("publish");
    let positions = bus.positions(TOPIC, "again").await.expect("positions");
    assert_eq!(positions.iter().filter(|p| p.committed < p.end).count(), 1, "one partition has one to read");
    assert_eq!(bus.lag(TOPIC, "again").await.expect("a lag"), 1);
    let next = read_exactly(&*bus, "again", 1, true).await;
    assert_eq!(&next[0].value[..], b"after");
    assert_eq!(bus.lag(TOPIC, "again").await.expect("a lag"), 0);
    assert_eq!(bus.lag(TOPIC, "nobody").await.expect("a lag"), 301, "who never was there lacks everything");
}

async fn groups_do_not_see_each_other(bus: &dyn EventBus) {
    assert_eq!(read_exactly(bus, "one", 301, true).await.len(), 301);
    assert_eq!(read_exactly(bus, "two", 301, true).await.len(), 301);
}

async fn a_second_member_takes_over(bus: &dyn EventBus) {
    let mut first = bus.subscribe(TOPIC, "members").await.expect("subscribe");
    let mut read = 0;
    while read < 301 {
        read += first.next(301).await.expect("next").len();
    }
    first.commit().await.expect("commit");
    drop(first);
    bus.publish(TOPIC, vec![record("key-2", "taken over")]).await.expect("publish");
    let next = read_exactly(bus, "members", 1, true).await;
    assert_eq!(&next[0].value[..], b"taken over");
}

async fn a_replay_ends_at_the_end(bus: &dyn EventBus) {
    let mut replay = bus.replay(TOPIC).await.expect("replay");
    let mut count = 0;
    loop {
        let some = replay.next(100).await.expect("next");
        if some.is_empty() {
            break;
        }
        count += some.len();
    }
    assert_eq!(count, 302, "a replay reads everything");
    bus.publish(TOPIC, vec![record("key-3", "later")]).await.expect("publish");
    assert!(replay.next(100).await.expect("next").is_empty(), "the end stays where it was");
    replay.catch_up().await.expect("catch up");
    assert_eq!(replay.next(100).await.expect("next").len(), 1, "until it is moved");
    let mut none = bus.replay("a topic without records").await.expect("replay");
    assert!(none.next(10).await.expect("next").is_empty());
}
