//! Several processes on one database. Here each is a store of its own, with its own writer and its own connections.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use platform_outbox::Outbox as _;
use platform_postgres::Saved;
use platform_testkit::until;

use crate::{a_database, a_store, changed, new, notes, save, version};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_two_processes_meet_in_the_same_rows_and_none_is_lost() {
    const ROWS: i64 = 20;
    const ROUNDS: usize = 40;
    let settings = a_database();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    stores[0].save_all((1..=ROWS).map(new).collect()).await.expect("saved");
    let began = Instant::now();
    let workers = (0..8).map(|worker: usize| {
        let store = stores[worker % 2].clone();
        tokio::spawn(async move {
            let mut saved = 0;
            for _ in 0..ROUNDS {
                let found = notes(&store).await;
                let mut changes: Vec<_> =
                    found.iter().map(|(id, version, _)| changed(*id, *version, "x")).collect();
                // In all sequences: two that wait for each other's rows would be told so by the server.
                if worker.is_multiple_of(3) {
                    changes.reverse();
                }
                let answers = store.save_all(changes).await.expect("no deadlock");
                saved += answers.iter().filter(|saved| **saved == Saved::Yes).count();
            }
            saved
        })
    });
    let mut saved = 0;
    for worker in workers.collect::<Vec<_>>() {
        saved += i64::try_from(worker.await.expect("no panic")).expect("small");
    }
    let versions: i64 = notes(&stores[0]).await.iter().map(|(_, version, _)| version - 1).sum();
    assert_eq!(versions, saved, "every change that was answered counts, and no other");
    let total = u64::try_from(saved).expect("positive");
    assert_eq!(stores[1].total("changes").await, Ok(total));
    let backlog = stores[0].outbox().backlog().await.expect("a backlog");
    assert_eq!(backlog, total + u64::try_from(ROWS).expect("positive"));
    assert!(began.elapsed() < Duration::from_secs(60), "nobody waited for a deadlock to be found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_begin_the_same_rows_begin_each_once() {
    let settings = a_database();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    for round in 0..30_i64 {
        let topics: Vec<_> = (round * 10..round * 10 + 10).collect();
        let calls = [0, 1].map(|process: i64| {
            let (store, mut topics) =
                (stores[usize::try_from(process).expect("small")].clone(), topics.clone());
            if process == 1 {
                topics.reverse();
            }
            tokio::spawn(async move {
                let begin = |topic: &i64| {
                    let mut change = new(topic * 2 + process);
                    change.row.fixed[0] = (*topic).into();
                    change
                };
                let answers = store.save_all(topics.iter().map(begin).collect()).await.expect("no deadlock");
                answers.iter().filter(|saved| **saved == Saved::Yes).count()
            })
        });
        let mut begun = 0;
        for call in calls {
            begun += call.await.expect("no panic");
        }
        assert_eq!(begun, 10, "in round {round}");
    }
    assert_eq!(stores[0].total("notes").await, Ok(300));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ids_are_never_given_twice_and_those_of_one_process_grow() {
    let settings = a_database();
    let (mut given, mut tasks) = (BTreeSet::new(), Vec::new());
    for _ in 0..3 {
        let store = a_store(&settings).await;
        for _ in 0..4 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let mut ids = Vec::new();
                for _ in 0..500 {
                    ids.push(store.next_id().await.expect("an id"));
                }
                ids
            }));
        }
    }
    for task in tasks {
        let ids = task.await.expect("no panic");
        assert!(ids.is_sorted(), "they grow");
        given.extend(ids);
    }
    assert_eq!(given.len(), 3 * 4 * 500);
    let next = a_store(&settings).await.next_id().await.expect("an id");
    assert!(next > 3 * 4 * 500 && next < 3 * (4 * 500 + 1024) + 1, "few are lost: {next}");
}

#[tokio::test]
async fn in_quiet_times_processes_number_one_after_the_other() {
    let settings = a_database();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    for n in 1..=3_i64 {
        // Longer than what counts as much to do.
        tokio::time::sleep(Duration::from_millis(30)).await;
        let store = &stores[usize::try_from(n % 2).expect("small")];
        assert_eq!(store.next_id().await, Ok(n));
    }
}

#[tokio::test]
async fn what_others_count_is_known_a_moment_later() {
    let settings = a_database();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    save(&stores[0], new(1)).await.expect("saved");
    assert_eq!(stores[0].known_total("notes"), 1, "one's own at once");
    until("the other knows", async || stores[1].known_total("notes") == 1).await;
    let mut gone = changed(1, version(&stores[1], 1).await, "gone");
    gone.counts = vec![("notes", -1)];
    save(&stores[1], gone).await.expect("saved");
    assert_eq!(stores[1].known_total("notes"), 0);
    until("the first knows", async || stores[0].known_total("notes") == 0).await;
    let slots = stores[0].query("SELECT slot, n FROM totals WHERE name = 'notes'", &[]).await.expect("rows");
    let slots: BTreeMap<i32, i64> = slots.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(slots.values().copied().collect::<BTreeSet<_>>(), [-1, 1].into(), "each has its own slot");
}
