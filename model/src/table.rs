//! The decisions of a context as a table: asked of its functions once, looked up a million times.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
};

use mypage::projection::Fact;
use order::application::OnRentUnavailable;

/// What happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The customer asks for a book.
    Place,
    /// The customer cancels.
    Cancel,
    /// Rent has answered a call of the order.
    Answered(Reply),
    /// A call of the order has failed, is late, or was not even made; under this policy.
    Silence(Policy),
    /// Rent is asked to confirm, while its rules agree or refuse.
    Confirm(Reply),
    /// The courier takes the parcel.
    HandOver,
    /// An event of the topic.
    Hears(Fact),
}

/// What rent answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reply {
    /// The order has a copy.
    Confirmed,
    /// It gets none.
    Refused,
}

/// [`OnRentUnavailable`], as something that can be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// The order stays pending.
    Defer,
    /// The order is refused.
    Reject,
}

impl From<Policy> for OnRentUnavailable {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Defer => Self::Defer,
            Policy::Reject => Self::Reject,
        }
    }
}

const OTHERS: [Input; 9] = [
    Input::Place,
    Input::Cancel,
    Input::Answered(Reply::Confirmed),
    Input::Answered(Reply::Refused),
    Input::Silence(Policy::Defer),
    Input::Silence(Policy::Reject),
    Input::Confirm(Reply::Confirmed),
    Input::Confirm(Reply::Refused),
    Input::HandOver,
];
const COUNT: usize = OTHERS.len() + Fact::ALL.len();

impl Input {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        OTHERS.into_iter().chain(Fact::ALL.map(Self::Hears))
    }

    fn place(self) -> usize {
        match self {
            Self::Place => 0,
            Self::Cancel => 1,
            Self::Answered(reply) => 2 + reply as usize,
            Self::Silence(policy) => 4 + policy as usize,
            Self::Confirm(rules) => 6 + rules as usize,
            Self::HandOver => 8,
            Self::Hears(fact) => OTHERS.len() + fact as usize,
        }
    }
}

/// A row of a context, without what no decision looks at.
pub trait Row: Clone + PartialEq {
    /// How often it changed.
    fn version(&self) -> i64;
    /// The same row as if this were its first version: versions would only make rows differ that are alike.
    #[must_use]
    fn unversioned(self) -> Self;
    /// Its state, for people.
    fn name(&self) -> String;
}

/// What a context makes of an input.
pub struct Decided<R> {
    /// The row as it is now; `None` where it has not changed.
    pub row: Option<R>,
    /// What that says.
    pub says: Option<Fact>,
    /// What rent answers to a confirm.
    pub reply: Option<Reply>,
}

impl<R> Decided<R> {
    /// Nothing changes and nothing is said.
    #[must_use]
    pub fn nothing() -> Self {
        Self { row: None, says: None, reply: None }
    }
}

/// A decision, with rows as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The row as it is now.
    pub row: u8,
    /// What that says.
    pub says: Option<Fact>,
    /// What rent answers to a confirm.
    pub reply: Option<Reply>,
}

/// All rows that a context can get into, and what it makes of every input in each. Row 0 is that there is none.
pub struct Table<R> {
    rows: Vec<R>,
    steps: Vec<[Step; COUNT]>,
    /// Which changes the checker has come by.
    taken: Vec<[AtomicBool; COUNT]>,
}

impl<R: Row> Table<R> {
    /// Asks `decide` everything that can be asked, from every row that any answer leads to.
    ///
    /// # Panics
    /// Where a change does not count its row's version up by one: then two that decide at the same moment could both
    /// be saved, and a step here would not be one there.
    pub fn of(decide: impl Fn(Option<&R>, Input) -> Decided<R>) -> Self {
        let (mut rows, mut steps) = (Vec::new(), Vec::new());
        let mut to_ask = VecDeque::from([None]);
        while let Some(row) = to_ask.pop_front() {
            let number = |row: usize| u8::try_from(row).expect("few rows");
            let here = number(steps.len());
            let mut answers = [Step { row: here, says: None, reply: None }; COUNT];
            for input in Input::all() {
                let Decided { row: changed, says, reply } = decide(row.as_ref(), input);
                let answer = &mut answers[input.place()];
                (answer.says, answer.reply) = (says, reply);
                let Some(changed) = changed else { continue };
                let expected = row.as_ref().map_or(0, R::version) + 1;
                assert_eq!(changed.version(), expected, "{input:?} counts the version up");
                let changed = changed.unversioned();
                let known = rows.iter().position(|known| *known == changed).unwrap_or_else(|| {
                    rows.push(changed.clone());
                    to_ask.push_back(Some(changed));
                    rows.len() - 1
                });
                answer.row = number(known + 1);
            }
            steps.push(answers);
        }
        let taken = steps.iter().map(|_| [const { AtomicBool::new(false) }; COUNT]).collect();
        Self { rows, steps, taken }
    }

    /// The row of a number; `None` where there is none.
    #[must_use]
    pub fn row(&self, number: u8) -> Option<&R> {
        self.rows.get(usize::from(number).checked_sub(1)?)
    }

    /// One more than the highest number of a row.
    #[must_use]
    pub fn len(&self) -> u8 {
        u8::try_from(self.steps.len()).expect("few rows")
    }

    /// Never: a table has row 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What becomes of a row.
    #[must_use]
    pub fn step(&self, number: u8, input: Input) -> Step {
        self.steps[usize::from(number)][input.place()]
    }

    /// Notes that the checker came by here.
    pub(crate) fn take(&self, number: u8, input: Input) {
        let taken = &self.taken[usize::from(number)][input.place()];
        // Written once: both threads come by here all the time.
        if !taken.load(Ordering::Relaxed) {
            taken.store(true, Ordering::Relaxed);
        }
    }

    /// Whether there is a row that an event changes.
    #[must_use]
    pub fn minds(&self, fact: Fact) -> bool {
        (0u8..).zip(&self.steps).any(|(here, answers)| answers[Input::Hears(fact).place()].row != here)
    }

    /// Every change that the context decides, and whether the checker came by it: row, input, row.
    pub fn changes(&self) -> impl Iterator<Item = (String, Input, String, bool)> {
        let name = |number| self.row(number).map_or_else(|| "(none)".to_owned(), R::name);
        let all = (0u8..).zip(self.steps.iter().zip(&self.taken));
        all.flat_map(move |(here, (answers, taken))| {
            let changing = Input::all().filter(move |input| answers[input.place()].row != here);
            changing.map(move |input| {
                let taken = taken[input.place()].load(Ordering::Relaxed);
                (name(here), input, name(answers[input.place()].row), taken)
            })
        })
    }
}
