//! Kept totals, known in memory.
//!
//! A total is the sum over its slots. The slot of this process is known exactly, because nobody else writes it; the
//! others' are as they were at the last look.

use std::collections::HashMap;

use parking_lot::Mutex;

/// A row of the table: name, slot, value.
pub(crate) type Kept = (String, i32, i64);

#[derive(Default)]
pub(crate) struct Totals(Mutex<State>);

#[derive(Default)]
struct State {
    slot: Option<i32>,
    own: HashMap<String, i64>,
    others: HashMap<String, i64>,
}

impl Totals {
    /// The slot is ours from now on, and this is what is in all of them.
    pub(crate) fn begin(&self, slot: i32, kept: Vec<Kept>) {
        let mut state = self.0.lock();
        let own = kept.iter().filter(|(_, found, _)| *found == slot);
        state.own = own.map(|(name, _, n)| (name.clone(), *n)).collect();
        state.slot = Some(slot);
        drop(state);
        self.look(kept);
    }

    /// This process has committed.
    pub(crate) fn add(&self, name: &str, n: i64) {
        let mut state = self.0.lock();
        match state.own.get_mut(name) {
            Some(sum) => *sum += n,
            None => drop(state.own.insert(name.to_owned(), n)),
        }
    }

    /// What is in all slots now.
    pub(crate) fn look(&self, kept: Vec<Kept>) {
        let mut state = self.0.lock();
        let slot = state.slot;
        state.others.clear();
        for (name, _, n) in kept.into_iter().filter(|(_, found, _)| Some(*found) != slot) {
            *state.others.entry(name).or_default() += n;
        }
    }

    /// The total.
    pub(crate) fn get(&self, name: &str) -> u64 {
        let state = self.0.lock();
        let part = |part: &HashMap<String, i64>| part.get(name).copied().unwrap_or(0);
        u64::try_from(part(&state.own) + part(&state.others)).unwrap_or(0)
    }
}
