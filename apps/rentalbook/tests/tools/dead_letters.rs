use contracts::{HEADER_EVENT_TYPE, TOPIC};
use platform_event_bus::{EventBus as _, Headers, NewRecord};
use platform_storage::LogBus;

use super::{home::Home, is_one_sentence};

/// A `Rented` of no order: it can never be understood, whoever tries.
const POISON: &str = r#"{"eventType":"Rented","id":"seven","status":"Rent"}"#;

async fn publish_poison(home: &Home) {
    let record = NewRecord {
        key: Some("1".into()),
        headers: Headers::new([(HEADER_EVENT_TYPE, &b"Rented"[..]), ("trace", &b"abc"[..])]),
        value: POISON.into(),
    };
    let bus = LogBus::open(&home.data().join("bus.db"), None).expect("the topic");
    bus.publish(TOPIC, vec![record]).await.expect("published");
}

/// Ids and groups of the open letters.
async fn open_letters(home: &Home) -> Vec<(String, String)> {
    let list = home.done(&["dlq", "list"]).await;
    let letters = list.lines().skip(1).map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().expect("an id"), words.next().expect("a group"))
    });
    letters.collect()
}

async fn until_there_are_letters(home: &Home, n: usize) -> Vec<(String, String)> {
    for _ in 0..600 {
        let letters = open_letters(home).await;
        if letters.len() == n {
            return letters;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("never {n} dead letters: {:?}", open_letters(home).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_is_set_aside_and_nothing_else_waits_for_it() {
    let home = Home::new();
    let running = home.open().await;
    assert_eq!(home.done(&["dlq", "list"]).await, "no dead letters\n");
    let before = home.an_order("before").await;
    home.until(&format!("/mypages/{before}"), "Ship").await;
    running.close().await;
    publish_poison(&home).await;

    let running = home.open().await;
    let after = home.an_order("after").await;
    home.until(&format!("/mypages/{after}"), "Ship").await;
    // Whom Rented concerns.
    let letters = until_there_are_letters(&home, 3).await;
    let mut groups: Vec<_> = letters.iter().map(|(_, group)| group.as_str()).collect();
    groups.sort();
    assert_eq!(groups, ["delivery", "mypage", "order"]);
    let report = home.done(&["audit"]).await;
    assert!(report.contains("clean") && report.contains("3 dead letters are open"), "{report}");

    let (id, group) = &letters[0];
    let shown = home.done(&["dlq", "show", id]).await;
    for part in [POISON, &format!("group:     {group}"), "trace: abc", "key:       1", "not an event"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }

    // Replayed, it is as poisonous as before, for everybody.
    assert!(home.done(&["dlq", "replay", id]).await.starts_with(&format!("{id} is published again")));
    let letters = until_there_are_letters(&home, 5).await;
    assert!(letters.iter().all(|(open, _)| open != id), "the replayed one is settled");
    running.close().await;

    // Without a running library, too.
    assert_eq!(open_letters(&home).await, letters);
    for (id, _) in &letters {
        assert_eq!(home.done(&["dlq", "drop", id]).await, format!("{id} is settled, nothing was done\n"));
    }
    assert_eq!(home.done(&["dlq", "list"]).await, "no dead letters\n");
    for tool in ["show", "replay", "drop"] {
        for (id, what) in [(id.as_str(), "no open dead letter"), ("nonsense", "not the id of a dead letter")]
        {
            let (said, code) = home.tool(&["dlq", tool, id]).await;
            assert!(code == 1 && said.contains(what) && is_one_sentence(&said), "{said}");
        }
    }
    home.is_clean().await;
}
