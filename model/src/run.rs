//! A run of the checker.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use stateright::{Checker as _, Expectation, HasDiscoveries, Model as _};

use crate::{configurations::Configuration, defect::Defect, describe, lending::Lending};

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Steps taken, also to states that were known.
    pub steps: usize,
    /// Different states.
    pub states: usize,
    /// The longest way from the beginning.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
    /// Properties that were checked.
    pub properties: usize,
    /// What does not hold.
    pub breaches: Vec<Breach>,
    /// Every change that a context decides, and whether the checker came by it.
    pub changes: Vec<(&'static str, String, bool)>,
}

/// A property that does not hold.
#[derive(Clone, Debug)]
pub struct Breach {
    /// The property.
    pub property: &'static str,
    /// A way to where it does not hold, in words; `None` where something should be possible and never happens.
    pub counterexample: Option<String>,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counterexample = self.counterexample.as_deref().unwrap_or("it never happens");
        write!(f, "broken: {}\n{counterexample}", self.property)
    }
}

/// Checks a configuration to its end.
#[must_use]
pub fn check(configuration: Configuration, threads: usize) -> Outcome {
    check_all(threads, || Lending::new(configuration))
}

/// The same while a defect is planted.
#[must_use]
pub fn check_with(configuration: Configuration, defect: Defect, threads: usize) -> Outcome {
    check_all(threads, || Lending::with_defect(configuration, defect))
}

fn check_all(threads: usize, lending: impl FnOnce() -> Lending) -> Outcome {
    let begun = Instant::now();
    let checker = lending().checker().threads(threads).spawn_dfs().join();
    let lending = checker.model();
    let found = checker.discoveries();
    let properties = lending.properties();
    let breaches = properties.iter().filter_map(|property| {
        let found = found.get(property.name);
        let counterexample = match (&property.expectation, found) {
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                Some(describe::path(lending, path.clone()))
            }
            (Expectation::Sometimes, None) => None,
            (Expectation::Always | Expectation::Eventually, None) | (Expectation::Sometimes, Some(_)) => {
                return None;
            }
        };
        Some(Breach { property: property.name, counterexample })
    });
    Outcome {
        steps: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        time: begun.elapsed(),
        properties: properties.len(),
        breaches: breaches.collect(),
        changes: describe::changes(lending),
    }
}

/// Looks for a counterexample against one property while a defect is planted: its length, and it in words. Breadth
/// first, so it is nearly the shortest.
#[must_use]
pub fn find(defect: Defect, property: &'static str) -> Option<(usize, String)> {
    let lending = Lending::with_defect(defect.shows_in(), defect);
    let only = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = lending.checker().finish_when(only).spawn_bfs().join();
    let path = checker.discovery(property)?;
    let steps = path.clone().into_actions().len();
    Some((steps, describe::path(checker.model(), path)))
}
