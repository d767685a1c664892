//! Everything that is somewhere while one order is on its way: small, so that millions of states fit into memory.

use mypage::projection::Fact;

/// A state of the whole library, as far as one order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The row of order, by its number in the table.
    pub order: u8,
    /// The row of rent.
    pub rent: u8,
    /// The row of delivery.
    pub delivery: u8,
    /// The facts in mypage's row.
    pub known: Facts,
    /// The request of the customer.
    pub post: Post,
    /// Calls of the resume worker that wait for rent.
    pub asking: u8,
    /// Calls of the resume worker that rent has answered, by its answer; the answer is on its way.
    pub replies: [u8; 2],
    /// A call was made. From then on a copy of it may reach rent at any moment: late, or repeated.
    pub was_asked: bool,
    /// What was said: committed with a row, and since then in an outbox or on the topic.
    pub said: Facts,
    /// What lies in an outbox; nothing, where the configuration does not count.
    pub outbox: Facts,
    /// What was said and has not reached a consumer yet: by [`Consumer`].
    pub waiting: [Facts; 4],
    /// What has happened so often; all zero, where the configuration does not count.
    pub counts: Counts,
    /// What a step has broken; see [`Breach`].
    pub breaches: u8,
}

/// What has happened so often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Calls that were made.
    pub calls: u8,
    /// Calls on their way to rent that nobody waits for any more.
    pub copies: u8,
    /// Cancels.
    pub cancels: u8,
    /// Hand-overs, also those that were refused.
    pub hand_overs: u8,
    /// Events that have reached a consumer again.
    pub repeats: u8,
}

/// The request of the customer: `POST /orders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Post {
    /// Not sent yet.
    ToCome,
    /// The order is committed, and rent was not asked yet.
    Taken,
    /// Its call waits for rent.
    Asking,
    /// Rent has answered; the answer is on its way.
    Replied(crate::table::Reply),
    /// Answered.
    Answered(Told),
    /// The process that handled it has died.
    Gone,
}

impl Post {
    /// Whether a process still works at it.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        match self {
            Self::Taken | Self::Asking | Self::Replied(_) => true,
            Self::ToCome | Self::Answered(_) | Self::Gone => false,
        }
    }
}

/// What the customer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// 201.
    Taken,
    /// 202.
    Deferred,
    /// 409.
    Refused,
    /// 503.
    Unavailable,
}

/// Who listens to the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consumer {
    /// order.
    Order,
    /// rent.
    Rent,
    /// delivery.
    Delivery,
    /// mypage.
    Mypage,
}

impl Consumer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Order, Self::Rent, Self::Delivery, Self::Mypage];
}

/// What a single step can break, beyond what a state shows by itself. Nothing goes on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// An event other than CancelRejected was said a second time.
    SaidTwice = 1,
    /// Something final has changed.
    FinalLeft = 2,
    /// What a customer could have been told before is not true any more.
    PromiseBroken = 4,
    /// Whether an event came now or later makes a difference in the end.
    EndDiffers = 8,
}

/// A set of facts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Facts(pub u16);

impl Facts {
    /// Whether the fact is among them.
    #[must_use]
    pub fn has(self, fact: Fact) -> bool {
        self.0 & bit(fact) != 0
    }

    /// With it.
    #[must_use]
    pub fn with(self, fact: Fact) -> Self {
        Self(self.0 | bit(fact))
    }

    /// Without it.
    #[must_use]
    pub fn without(self, fact: Fact) -> Self {
        Self(self.0 & !bit(fact))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The facts.
    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL.into_iter().filter(move |fact| self.has(*fact))
    }
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

fn bit(fact: Fact) -> u16 {
    1 << fact as u16
}

impl State {
    /// Nothing has happened yet.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            order: 0,
            rent: 0,
            delivery: 0,
            known: Facts::default(),
            post: Post::ToCome,
            asking: 0,
            replies: [0; 2],
            was_asked: false,
            said: Facts::default(),
            outbox: Facts::default(),
            waiting: [Facts::default(); 4],
            counts: Counts::default(),
            breaches: 0,
        }
    }

    /// Calls of the resume worker that are under way.
    #[must_use]
    pub fn worker_calls(&self) -> u8 {
        self.asking + self.replies[0] + self.replies[1]
    }

    /// Whether no call of the order is under way.
    #[must_use]
    pub fn calls_are_over(&self) -> bool {
        !self.post.is_under_way() && self.worker_calls() == 0
    }

    /// Whether nothing is under way: no call, no event in an outbox, and none that somebody has not heard yet. Copies
    /// of calls and of events may still come.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        let all_heard = self.waiting.iter().all(|waiting| waiting.is_empty());
        self.calls_are_over() && self.outbox.is_empty() && all_heard
    }

    /// Whether a step has broken this.
    #[must_use]
    pub fn has(&self, breach: Breach) -> bool {
        self.breaches & breach as u8 != 0
    }

    /// Notes a breach, where it happened.
    pub(crate) fn note(&mut self, breach: Breach, happened: bool) {
        if happened {
            self.breaches |= breach as u8;
        }
    }
}
