//! The whole library from numbered seeds, as many as wanted: `make simulate SEEDS=10000`.
//!
//! What runs is real: the use cases, the relays, the consumers, the worker that resumes orders, the SQLite stores with
//! their outboxes, the bus, the view. Only the ports between them fail, are late, are cut off, or see their process die
//! before or after any use of them; and time is the simulation's. Everything happens on one thread, and each use of a
//! store is one step of it: so a seed tells the same story every time, on every machine. A panic anywhere in it is wrong.
//!
//! Two things are there and do nothing, because they would go by the machine and not by the seed. The breaker rests for a
//! nanosecond on a clock of its own, so it never turns a call away (what it does is tested in `platform/resilience`).
//! And no write of order is *redoable*: each waits for its commit as those do that cannot be done again, so what a power
//! failure takes of the others is not told here.

mod clients;
mod clock;
mod events;
mod fate;
mod library;
mod network;
mod panics;
mod processes;
mod stores;
mod story;

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use story::{Told, tell};

/// Seeds of a test run.
const SEEDS: u64 = 2_000;

/// A defect is found within so many.
const TO_FIND: u64 = 200;

/// A defect that is planted in a port: what is wrong between the parts, whose decisions are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    /// The store forgets which order an Idempotency-Key is of.
    ForgetsKeys,
    /// The store writes an order over a change that its writer has not seen.
    Overwrites,
    /// Rent's store writes what has changed without what it says.
    SavesInSilence,
    /// A relay that publishes several events leaves the last one out.
    LosesAnEvent,
    /// A relay deletes what it has read before it has published it.
    DeletesFirst,
    /// A consumer commits its position before it has handled the batch.
    CommitsFirst,
    /// Nobody resumes what is pending.
    ForgetsPending,
    /// The use case panics when it has cancelled, and the customer hears nothing.
    PanicsAfterCancelling,
    /// What asks rent for several orders at once panics when rent has answered.
    PanicsTogether,
    /// A task in the background panics, and nobody misses it.
    PanicsUnmissed,
}

const DEFECTS: [Defect; 10] = [
    Defect::ForgetsKeys,
    Defect::Overwrites,
    Defect::SavesInSilence,
    Defect::LosesAnEvent,
    Defect::DeletesFirst,
    Defect::CommitsFirst,
    Defect::ForgetsPending,
    Defect::PanicsAfterCancelling,
    Defect::PanicsTogether,
    Defect::PanicsUnmissed,
];

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Tells the story of each seed, on all cores, and passes each to `hear`.
fn tell_all(seeds: std::ops::Range<u64>, hear: impl Fn(u64, Told) + Sync) {
    let next = AtomicU64::new(seeds.start);
    let teller = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            hear(seed, tell(seed, None));
        }
    };
    thread::scope(|scope| {
        let tellers: Vec<_> = (0..thread::available_parallelism().map_or(1, usize::from))
            .map(|_| scope.spawn(teller))
            .collect();
        for teller in tellers {
            if let Err(panic) = teller.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

#[test]
fn whatever_the_seed_nothing_is_lost_or_done_twice() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let (count, is_one) = (seeds.end - seeds.start, seeds.end - seeds.start == 1);
    let counts = Mutex::new(BTreeMap::<String, u64>::new());
    tell_all(seeds, |seed, told| {
        if let Some(wrong) = told.wrong {
            let story = told.happened.story.join("\n");
            panic!(
                "seed {seed}: {wrong}\nthe story:\n{story}\nseed {seed}: {wrong}\nagain: make simulate SEED={seed}"
            );
        }
        if is_one {
            println!("{}", told.happened.story.join("\n"));
        }
        let mut counts = counts.lock().expect("nobody panics with it");
        told.happened.counts.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n);
    });
    let counts = counts.into_inner().expect("nobody panics with it");
    println!("{count} seeds: nothing lost, nothing done twice; {counts:?}");
    let harms = [
        "Order died",
        "Rent died",
        "Delivery died",
        "Mypage died",
        "Store failed",
        "Outbox failed",
        "Bus failed",
        "Bus failed, and it was done",
        "Bus broke off in the middle",
        "Rent failed",
        "answer of rent lost",
        "Store cut off",
        "Bus cut off",
        "Rent cut off",
        "delay",
        "long delay",
    ];
    for harm in harms {
        assert!(is_one || counts.contains_key(harm), "{harm} never happened");
    }
}

#[test]
fn every_planted_defect_is_found() {
    for defect in DEFECTS {
        let found = (0..TO_FIND).find(|seed| tell(*seed, Some(defect)).wrong.is_some());
        let seed = found.unwrap_or_else(|| panic!("{defect:?} is not found in {TO_FIND} seeds"));
        println!("{defect:?}: found with the {}. seed", seed + 1);
    }
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    for seed in 0..60 {
        let (first, second) = (tell(seed, None).happened, tell(seed, None).happened);
        for (n, (one, other)) in first.story.iter().zip(&second.story).enumerate() {
            assert_eq!(one, other, "line {n} of seed {seed}");
        }
        assert_eq!(first, second);
    }
    assert_ne!(tell(7, None).happened, tell(8, None).happened);
}
