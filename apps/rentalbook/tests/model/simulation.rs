//! The same from numbered seeds, as many as wanted: `make simulate SEEDS=100000`. And with planted defects, which have to
//! be found.

use std::env;

use proptest::{
    strategy::ValueTree as _,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use super::*;

/// Seeds of a test run.
const SEEDS: u64 = 3_000;

/// A defect is found within so many.
const TO_FIND: u64 = 1_000;

/// What happens by this seed, on every machine.
fn of_seed(seed: u64) -> (Setting, Vec<Step>) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let steps = (a_setting(), prop::collection::vec(a_step(), 1..60)).new_tree(&mut runner);
    steps.expect("steps").current()
}

/// What is wrong in the end, if anything is.
fn simulate(seed: u64, defect: Option<Defect>) -> Option<String> {
    let (setting, steps) = of_seed(seed);
    let (report, broken) = run(Setting { defect, ..setting }, steps, |_| ());
    let is_wrong = !report.breaches.is_empty() || report.under_way > 0 || !broken.is_empty();
    is_wrong.then(|| format!("{report}{broken:#?}"))
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn whatever_the_seed_nothing_is_lost_or_done_twice() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    for seed in seeds {
        if let Some(wrong) = simulate(seed, None) {
            panic!(
                "seed {seed}: {wrong}\nby these steps: {:#?}\nagain: make simulate SEED={seed}",
                of_seed(seed)
            );
        }
    }
    println!("{count} seeds: nothing lost, nothing done twice");
}

#[test]
fn every_planted_defect_is_found() {
    for defect in [Defect::ForgetsKeys, Defect::LosesAnEvent, Defect::CommitsFirst, Defect::ForgetsPending] {
        let found = (0..TO_FIND).find(|seed| simulate(*seed, Some(defect)).is_some());
        let seed = found.unwrap_or_else(|| panic!("{defect:?} is not found in {TO_FIND} seeds"));
        println!("{defect:?}: found with the {}. seed", seed + 1);
    }
}

#[test]
fn a_seed_is_the_same_every_time() {
    let shown = |seed| format!("{:?}", of_seed(seed));
    assert_eq!(shown(7), shown(7));
    assert_ne!(shown(7), shown(8));
}
