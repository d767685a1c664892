use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use platform_outbox::Outbox as _;
use platform_postgres::{Change, Saved};

use crate::{a_database, a_store, changed, new, notes, save};

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_its_own_answer_and_a_failure_is_its_own() {
    let store = a_store(&a_database()).await;
    save(&store, new(7)).await.expect("the first");
    let writes = (0..200).map(|id| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut change = new(id);
            if id == 13 {
                change.row.changing[0] = "bad".into();
            }
            (id, save(&store, change).await)
        })
    });
    for write in writes.collect::<Vec<_>>() {
        match write.await.expect("no panic") {
            (7, answer) => assert_eq!(answer, Ok(Saved::Conflict)),
            (13, answer) => {
                assert!(answer.expect_err("a text that is refused").to_string().contains("23514"))
            }
            (id, answer) => assert_eq!(answer, Ok(Saved::Yes), "{id}"),
        }
    }
    assert_eq!(notes(&store).await.len(), 199);
    assert_eq!(store.outbox().backlog().await.expect("a backlog"), 199, "only what is saved is said");
    assert_eq!(store.total("notes").await, Ok(199), "and counted");
    assert_eq!(store.known_total("notes"), 199);
}

#[tokio::test]
async fn one_call_adds_and_changes_in_one_transaction() {
    let store = a_store(&a_database()).await;
    store.save_all(vec![new(1), new(2)]).await.expect("saved");
    let answers = store.save_all(vec![
        changed(1, 1, "one"),
        new(3),
        changed(2, 7, "stale"),
        new(1),
        changed(9, 1, "absent"),
        changed(1, 1, "twice in a call"),
    ]);
    let (yes, no) = (Saved::Yes, Saved::Conflict);
    assert_eq!(answers.await, Ok(vec![yes, yes, no, no, no, no]));
    let expected = [(1, 2, "one".to_owned()), (2, 1, "new".to_owned()), (3, 1, "new".to_owned())];
    assert_eq!(notes(&store).await, expected);

    let mut bad = changed(2, 1, "bad");
    bad.counts = vec![("notes", 100)];
    store.save_all(vec![new(4), bad]).await.expect_err("a text that is refused");
    assert_eq!(notes(&store).await, expected, "nothing of the call is written");
    assert_eq!((store.total("notes").await, store.known_total("notes")), (Ok(3), 3));
    assert_eq!(store.save_all(Vec::new()).await, Ok(Vec::new()));
}

#[tokio::test]
async fn the_first_of_two_in_the_same_place_wins() {
    let store = a_store(&a_database()).await;
    let about = |id, topic: i64| {
        let mut change = new(id);
        change.row.fixed[0] = topic.into();
        change
    };
    let answers = store.save_all(vec![about(2, 50), about(1, 50), about(3, 49)]).await;
    assert_eq!(answers, Ok(vec![Saved::Yes, Saved::Conflict, Saved::Yes]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_have_read_the_same_version_one_changes_it() {
    let store = a_store(&a_database()).await;
    save(&store, new(1)).await.expect("saved");
    for expected in 1..=10 {
        let changes = (0..32).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { save(&store, changed(1, expected, &format!("{n}"))).await })
        });
        let mut winners = 0;
        for change in changes.collect::<Vec<_>>() {
            winners += usize::from(change.await.expect("no panic") == Ok(Saved::Yes));
        }
        assert_eq!(winners, 1, "of version {expected}");
    }
    assert_eq!(store.total("changes").await, Ok(10));
}

#[tokio::test]
async fn what_was_taken_back_is_not_written() {
    let store = a_store(&a_database()).await;
    let asked = Arc::new(AtomicBool::new(false));
    let begin = |answer, asked: Arc<AtomicBool>| {
        Some(Box::new(move || {
            asked.store(true, Ordering::Relaxed);
            answer
        }) as Box<dyn Fn() -> bool + Send + Sync>)
    };
    let (back, stays) = (
        Change { begin: begin(false, Arc::default()), ..new(1) },
        Change { begin: begin(true, Arc::clone(&asked)), ..new(2) },
    );
    assert_eq!(store.save_all(vec![back, stays]).await, Ok(vec![Saved::Conflict, Saved::Yes]));
    assert!(asked.load(Ordering::Relaxed));
    assert_eq!(notes(&store).await.len(), 1);
}

#[tokio::test]
async fn what_is_answered_is_there_after_opening_again() {
    let settings = a_database();
    for round in 0..3 {
        let store = a_store(&settings).await;
        assert_eq!(store.known_total("notes"), round * 10);
        for n in 0..10 {
            let id = i64::try_from(round * 10 + n).expect("small");
            assert_eq!(save(&store, new(id)).await, Ok(Saved::Yes));
        }
    }
    assert_eq!(notes(&a_store(&settings).await).await.len(), 30);
}
