//! What mypage makes of facts: as a table, like the decisions of the others.

use mypage::projection::{Fact, Row, Status};

use crate::{contexts, state::Facts};

/// What the view makes of facts.
pub(crate) struct View {
    /// By what is known and what is learned: what is known then.
    learned: Vec<[Facts; Fact::ALL.len()]>,
    /// What a row shows of which this is known.
    shown: Vec<Option<Status>>,
}

impl View {
    /// Asks mypage's `projection` what it makes of every set of facts.
    pub(crate) fn new() -> Self {
        let sets = (0..1 << Fact::ALL.len()).map(Facts);
        let row = |facts: Facts| {
            let mut facts = facts.iter().map(contexts::contribution);
            let mut row = Row::begin(facts.next()?);
            for fact in facts {
                row.learn(fact);
            }
            Some(row)
        };
        let known = |row: &Row| {
            let known = Fact::ALL.into_iter().filter(|fact| row.known()[*fact as usize].is_some());
            known.fold(Facts::default(), Facts::with)
        };
        let learn = |facts: Facts| {
            Fact::ALL.map(|fact| match row(facts) {
                None => known(&Row::begin(contexts::contribution(fact))),
                Some(mut row) => {
                    row.learn(contexts::contribution(fact));
                    known(&row)
                }
            })
        };
        let shown = sets.clone().map(|facts| row(facts).map(|row| row.status())).collect();
        Self { learned: sets.map(learn).collect(), shown }
    }

    /// What is known after one more fact.
    pub(crate) fn learn(&self, known: Facts, fact: Fact) -> Facts {
        self.learned[usize::from(known.0)][fact as usize]
    }

    /// What a row shows of which this is known.
    pub(crate) fn shown(&self, known: Facts) -> Option<Status> {
        self.shown[usize::from(known.0)]
    }
}
