//! What may happen in a run of the checker.

use crate::table::{Policy, Reply};

/// What may happen.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// What is done while rent does not answer; with several, another one each time (a library is started anew with
    /// another setting).
    pub policies: &'static [Policy],
    /// What rent's rules say; with several, another one each time (somebody is suspended meanwhile).
    pub rules: &'static [Reply],
    /// Calls of the resume worker that are under way at once.
    pub worker_calls: u8,
    /// How often it may happen.
    pub bounds: Bounds,
    /// Whether every event may reach a consumer again.
    pub events_repeat: bool,
    /// Whether mypage hears each event at any time after it was said; else at once. Nobody listens to mypage, so that
    /// makes no difference to the others, and many more states.
    pub view_listens: bool,
    /// Whether rent may be asked for the order before there is one.
    pub foreign_rent: bool,
    /// Whether it is checked for every event in every state that it makes no difference in the end when it comes.
    pub ends_compared: bool,
    /// Whether the checker goes on after a step that has broken something.
    pub goes_on: bool,
}

/// How often failures, deaths, cancels, hand-overs, late and repeated calls and repeated events may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// As often as they like. A state does not remember how often, so there are few; and it does not remember where an
    /// event is that somebody has not heard yet, which nobody can tell.
    Unlimited,
    /// Bounded, and every call, copy, outbox and repetition is counted by itself: many more states, of which each is
    /// one of the unlimited ones to whoever cannot see the counters.
    Counted(Bound),
}

impl Configuration {
    /// The same where nothing is counted: it covers this one.
    #[must_use]
    pub fn unlimited(&self) -> Self {
        Self {
            bounds: Bounds::Unlimited,
            events_repeat: true,
            view_listens: false,
            ends_compared: false,
            ..self.clone()
        }
    }
}

/// How often it may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Calls to rent that may fail. One that comes after them does not.
    pub calls: u8,
    /// Cancels.
    pub cancels: u8,
    /// Hand-overs.
    pub hand_overs: u8,
    /// Events that reach a consumer again.
    pub repeats: u8,
}

const DEFER: &[Policy] = &[Policy::Defer];
const REJECT: &[Policy] = &[Policy::Reject];
const EITHER: &[Policy] = &[Policy::Defer, Policy::Reject];
const ANY: &[Reply] = &[Reply::Confirmed, Reply::Refused];

const BASE: Configuration = Configuration {
    name: "",
    policies: DEFER,
    rules: ANY,
    worker_calls: 1,
    bounds: Bounds::Unlimited,
    events_repeat: true,
    view_listens: false,
    foreign_rent: false,
    ends_compared: false,
    goes_on: false,
};

const BOUND: Bound = Bound { calls: 3, cancels: 2, hand_overs: 2, repeats: 2 };

/// The library's default.
#[must_use]
pub fn defer() -> Configuration {
    Configuration { name: "defer", worker_calls: 2, ends_compared: true, ..BASE }
}

/// The seed's demonstration.
#[must_use]
pub fn reject() -> Configuration {
    Configuration { name: "reject", policies: REJECT, ..defer() }
}

/// A few thousand states each.
#[must_use]
pub fn quick() -> Vec<Configuration> {
    vec![
        defer(),
        reject(),
        Configuration { name: "either", policies: EITHER, ..defer() },
        Configuration { name: "either, no event repeated", policies: EITHER, events_repeat: false, ..BASE },
        Configuration {
            name: "foreign rent",
            policies: EITHER,
            foreign_rent: true,
            ends_compared: true,
            ..BASE
        },
    ]
}

/// To look at what becomes of an order after something has gone wrong with it.
#[must_use]
pub fn afterwards() -> Configuration {
    Configuration { name: "afterwards", policies: EITHER, goes_on: true, ..BASE }
}

/// Run by every `make test`.
#[must_use]
pub fn small() -> Vec<Configuration> {
    let view = Configuration { view_listens: true, events_repeat: false, ..BASE };
    let counted = Configuration {
        policies: EITHER,
        worker_calls: 1,
        bounds: Bounds::Counted(Bound { repeats: 0, ..BOUND }),
        events_repeat: false,
        ..BASE
    };
    let mut small = quick();
    small.extend([
        Configuration { name: "view, no event repeated", policies: EITHER, ..view },
        Configuration { name: "counted, no event repeated", ..counted },
    ]);
    small
}

/// Run by `make model`, beside the small ones.
#[must_use]
pub fn big() -> Vec<Configuration> {
    let counted = Configuration { worker_calls: 2, bounds: Bounds::Counted(BOUND), ..BASE };
    vec![
        Configuration { name: "either, 4 calls at once", policies: EITHER, worker_calls: 3, ..BASE },
        Configuration { name: "view", policies: EITHER, view_listens: true, ..BASE },
        Configuration {
            name: "counted, no event repeated, 3 calls at once",
            policies: EITHER,
            bounds: Bounds::Counted(Bound { repeats: 0, ..BOUND }),
            events_repeat: false,
            ..counted.clone()
        },
        Configuration { name: "counted, defer", ..counted.clone() },
        Configuration { name: "counted, reject", policies: REJECT, ..counted.clone() },
        Configuration { name: "counted, either", policies: EITHER, ..counted },
    ]
}
