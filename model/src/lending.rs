//! One order with everything around it, and what a step makes of that: a row, and what it says, at once.

use std::collections::HashSet;

use delivery::domain::{Delivery, DeliveryState};
use mypage::projection::{Fact, Status};
use order::domain::{Order, OrderState, PlaceAnswer, answer_placed};
use rent::domain::{Copy, Rent, RentState};
use stateright::{Checker as _, Model as _, StateRecorder};

use crate::{
    configurations::{Bounds, Configuration},
    contexts,
    defect::Defect,
    state::{Breach, Consumer, Counts, Facts, State},
    table::{Input, Reply, Step, Table},
    view::View,
};

/// One order, with a configuration.
pub struct Lending {
    /// What may happen.
    pub configuration: Configuration,
    /// What order decides.
    pub orders: Table<Order>,
    /// What rent decides.
    pub rents: Table<Rent>,
    /// What delivery decides.
    pub deliveries: Table<Delivery>,
    view: View,
    pub(crate) defect: Option<Defect>,
    /// By consumer: the events that change a row of it. The others do nothing wherever they come.
    pub(crate) minded: [Facts; 4],
    /// Where events, calls and people are counted: all states of the same process without counters.
    covering: HashSet<State>,
}

impl Lending {
    /// One order that nothing is wrong with.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        let covering = match configuration.bounds {
            Bounds::Unlimited => HashSet::new(),
            Bounds::Counted(_) => Self::build(configuration.unlimited(), None).all_states(),
        };
        Self { covering, ..Self::build(configuration, None) }
    }

    /// One order, with a planted defect.
    #[must_use]
    pub fn with_defect(configuration: Configuration, defect: Defect) -> Self {
        Self::build(configuration, Some(defect))
    }

    fn build(configuration: Configuration, defect: Option<Defect>) -> Self {
        let orders = Table::of(|row, input| contexts::order(row, input, defect));
        let rents = Table::of(|row, input| contexts::rent(row, input, defect));
        let deliveries = Table::of(|row, input| contexts::delivery(row, input, defect));
        let mut minded = [Facts::default(); 4];
        for fact in Fact::ALL {
            let minds = [orders.minds(fact), rents.minds(fact), deliveries.minds(fact), true];
            for (minded, minds) in minded.iter_mut().zip(minds) {
                if minds {
                    *minded = minded.with(fact);
                }
            }
        }
        let (view, covering) = (View::new(), HashSet::new());
        Self { configuration, orders, rents, deliveries, view, defect, minded, covering }
    }

    /// All states that it can get into.
    fn all_states(self) -> HashSet<State> {
        let (recorder, recorded) = StateRecorder::new_with_accessor();
        let _ = self.checker().visitor(recorder).spawn_dfs().join();
        recorded().into_iter().collect()
    }

    /// Whether nobody who cannot see the counters can tell the state from one without bounds. So what never happens
    /// there does not happen here either.
    #[must_use]
    pub fn is_covered(&self, state: &State) -> bool {
        let mut seen = State { outbox: Facts::default(), counts: Counts::default(), ..*state };
        // Without counters an event is on the topic at once: nobody can tell where it is before it is there for him.
        for (waiting, minded) in seen.waiting.iter_mut().zip(self.minded) {
            waiting.0 |= state.outbox.0 & minded.0;
        }
        seen.waiting[Consumer::Mypage as usize] = Facts::default();
        seen.known = self.rebuilt(state);
        self.covering.contains(&seen)
    }

    /// The order.
    #[must_use]
    pub fn order(&self, state: &State) -> Option<&Order> {
        self.orders.row(state.order)
    }

    /// Where its rent stands.
    #[must_use]
    pub fn rent(&self, state: &State) -> Option<&RentState> {
        self.rents.row(state.rent).map(|rent| &rent.state)
    }

    /// Where its delivery stands.
    #[must_use]
    pub fn delivery(&self, state: &State) -> Option<DeliveryState> {
        self.deliveries.row(state.delivery).map(|delivery| delivery.state)
    }

    /// What the customer sees.
    #[must_use]
    pub fn shown(&self, facts: Facts) -> Option<Status> {
        self.view.shown(facts)
    }

    /// What the view knows after all that was said, built anew.
    #[must_use]
    pub fn rebuilt(&self, state: &State) -> Facts {
        state.said.iter().fold(Facts::default(), |known, fact| self.view.learn(known, fact))
    }

    /// Whether the order still waits for rent: then the resume worker takes it up.
    #[must_use]
    pub fn is_pending(&self, state: &State) -> bool {
        self.order(state).is_some_and(|order| order.state == OrderState::Pending)
    }

    /// Something happens to the order. One transaction: the row, and what it says.
    pub(crate) fn to_order(&self, state: &mut State, input: Input) {
        let (before, step) = (state.order, self.orders.step(state.order, input));
        self.orders.take(before, input);
        state.order = step.row;
        self.say(state, step);
        let (Some(before), Some(after)) = (self.orders.row(before), self.orders.row(step.row)) else {
            return;
        };
        let final_left = match before.state {
            OrderState::Rejected(_) | OrderState::Canceled | OrderState::Shipped => {
                before.state != after.state
            }
            OrderState::Pending | OrderState::Ordered | OrderState::Cancelling => false,
        };
        // Every repeat of the request is answered from the order, so a customer may have been told this.
        let (promised, now) = (answer_placed(before), answer_placed(after));
        state.note(Breach::FinalLeft, final_left);
        state.note(Breach::PromiseBroken, promised != now && promised != PlaceAnswer::Deferred);
    }

    /// Something happens to the rent. Returns its answer, where it was asked.
    pub(crate) fn to_rent(&self, state: &mut State, input: Input) -> Option<Reply> {
        let (before, step) = (state.rent, self.rents.step(state.rent, input));
        self.rents.take(before, input);
        state.rent = step.row;
        self.say(state, step);
        let final_left = match self.rents.row(before).map(|rent| &rent.state) {
            Some(RentState::WithCourier | RentState::Canceled(Copy::Tombstone | Copy::Free)) => {
                step.row != before
            }
            Some(RentState::Rented | RentState::Canceled(Copy::Refused(_) | Copy::Bound)) | None => false,
        };
        state.note(Breach::FinalLeft, final_left);
        step.reply
    }

    /// Something happens to the parcel.
    pub(crate) fn to_delivery(&self, state: &mut State, input: Input) {
        let (before, step) = (state.delivery, self.deliveries.step(state.delivery, input));
        self.deliveries.take(before, input);
        state.delivery = step.row;
        self.say(state, step);
        let final_left = match self.deliveries.row(before).map(|delivery| delivery.state) {
            Some(DeliveryState::HandedOver | DeliveryState::Canceled | DeliveryState::Tombstone) => {
                step.row != before
            }
            Some(DeliveryState::ReleaseRemembered | DeliveryState::Held | DeliveryState::Released) | None => {
                false
            }
        };
        state.note(Breach::FinalLeft, final_left);
    }

    fn say(&self, state: &mut State, step: Step) {
        let Some(fact) = step.says else { return };
        // Every time that somebody asks, since each may be the answer that somebody waits for.
        let may_be_repeated = fact == Fact::CancelRejected && self.configuration.events_repeat;
        state.note(Breach::SaidTwice, state.said.has(fact) && !may_be_repeated);
        state.said = state.said.with(fact);
        match self.configuration.bounds {
            Bounds::Unlimited => self.publish(state, fact),
            Bounds::Counted(_) => state.outbox = state.outbox.with(fact),
        }
    }

    /// An event is on the topic.
    pub(crate) fn publish(&self, state: &mut State, fact: Fact) {
        state.outbox = state.outbox.without(fact);
        for (waiting, minded) in state.waiting.iter_mut().zip(self.minded) {
            if minded.has(fact) {
                *waiting = waiting.with(fact);
            }
        }
        if !self.configuration.view_listens {
            self.hear(state, Consumer::Mypage, fact);
        }
    }

    /// An event reaches a consumer.
    pub(crate) fn hear(&self, state: &mut State, consumer: Consumer, fact: Fact) {
        let waiting = &mut state.waiting[consumer as usize];
        *waiting = waiting.without(fact);
        match consumer {
            Consumer::Order => self.to_order(state, Input::Hears(fact)),
            Consumer::Rent => drop(self.to_rent(state, Input::Hears(fact))),
            Consumer::Delivery => self.to_delivery(state, Input::Hears(fact)),
            Consumer::Mypage => state.known = self.view.learn(state.known, fact),
        }
    }
}
