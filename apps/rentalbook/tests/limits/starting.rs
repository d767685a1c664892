//! Ctrl-C before the library is open.

use std::{fs, path::Path, time::Duration};

use contracts::{Event, EventKind, TOPIC, Timestamp, WireClock};
use mypage::{adapters::outbound::redb::RedbView, query::View as _};
use platform_event_bus::{EventBus as _, Headers, NewRecord};
use platform_storage::{LogBus, rusqlite::Connection};
use platform_testkit::until;

use crate::killing::program::{Program, as_tested, free_ports, tool};

/// Enough that building the view from them takes far longer than it takes to see that it has begun.
const EVENTS: i64 = 60_000;

/// Ctrl-C, and what must come of it before the library is open: a good end, soon.
async fn gives_up(starting: Program, data: &Path) {
    starting.interrupt();
    let (status, took) = starting.until_ended().await;
    let said = |kind: &str| fs::read_to_string(data.with_extension(kind)).expect("its words");
    assert!(status.success(), "{status}: {}", said("stderr"));
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(said("stdout"), "\nclosing …\nclosed\n", "it was never open");
}

async fn a_topic(data: &Path) {
    let event = |order_id| {
        let event = Event {
            order_id,
            id: order_id,
            kind: EventKind::RentReinstated,
            event_id: format!("rent-{order_id}-3"),
            version: Some(3),
            correlation_id: None,
            customer: None,
            occurred_at: Some(Timestamp(0)),
        };
        NewRecord {
            key: Some(contracts::key(order_id)),
            headers: Headers::new(contracts::headers(&event)),
            value: event.encode(&WireClock::default()),
        }
    };
    let bus = LogBus::open(&data.join("bus.db"), None).expect("the topic");
    bus.publish(TOPIC, (1..=EVENTS).map(event).collect()).await.expect("published");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_is_heard_while_the_view_is_built_and_the_next_start_builds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    a_topic(&data).await;
    let starting = Program::spawn(&as_tested(), &data, free_ports(), &[]);
    let half = data.join("mypage.redb.rebuild");
    until("the view is being built", async || half.exists()).await;
    gives_up(starting, &data).await;

    // A tool opens the folder as a start does.
    let (said, code) = tool(&as_tested(), &data, &["dlq", "list"]).await;
    assert!(code == 0 && said.contains("no dead letters") && said.contains("the view is rebuilt"), "{said}");
    let view = RedbView::open(&data.join("mypage.redb")).expect("the view");
    assert_eq!((view.is_complete().await, view.total().await), (Ok(true), Ok(EVENTS as u64)));
    assert!(!half.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_is_heard_while_a_file_cannot_be_opened_yet() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    // Somebody has the file for themselves: opening it waits for seconds.
    let backup = Connection::open(data.join("order.db")).expect("the file");
    backup.execute_batch("BEGIN EXCLUSIVE").expect("it is ours");
    let starting = Program::spawn(&as_tested(), &data, free_ports(), &[]);
    until("it has begun to start", async || data.join("lock").exists()).await;
    gives_up(starting, &data).await;

    drop(backup);
    let running = Program::open(&as_tested(), &data, free_ports(), &[]).await;
    running.close().await;
}
