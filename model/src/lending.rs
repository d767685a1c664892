//! Who may take which step when: the application of the contexts and everything between them, as thin as possible.

use std::collections::HashSet;

use delivery::domain::{Delivery, DeliveryState};
use mypage::projection::{Fact, Row as ViewRow, Status};
use order::domain::{Order, OrderState, PlaceAnswer, answer_placed};
use rent::domain::{Copy, Rent, RentState};
use stateright::{Checker as _, Model, Property, StateRecorder};

use crate::{
    configurations::{Bounds, Configuration},
    contexts,
    defect::Defect,
    end::End,
    properties,
    state::{Breach, Consumer, Counts, Facts, Post, State, Told},
    table::{Input, Policy, Reply, Step, Table},
};

/// A step that somebody takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The customer asks for a book; the order is committed.
    Place,
    /// The handler of the request calls rent.
    PostAsks,
    /// Rent hears the call of the request, commits and answers.
    RentHearsPost(Reply),
    /// The handler learns the answer, commits what follows, and answers the customer.
    PostLearns,
    /// The handler's call has failed, is late, or was not even made; it commits what follows and answers the customer.
    PostFails(Policy),
    /// The handler cannot commit what follows from its call; it answers what it knows to be committed.
    PostCannotSave,
    /// The process of the handler dies.
    PostDies,
    /// The resume worker calls rent.
    WorkerAsks,
    /// Rent hears a call of the worker, commits and answers.
    RentHearsWorker(Reply),
    /// The worker learns an answer and commits what follows.
    WorkerLearns(Reply),
    /// A call of the worker has failed or is late; it commits what follows.
    WorkerFails(Policy),
    /// The worker dies, or cannot commit what follows from its call.
    WorkerDies,
    /// Rent hears a copy of a call: one that its caller has given up, or one that was repeated.
    RentHearsCopy(Reply),
    /// The customer cancels.
    Cancel,
    /// The courier takes the parcel.
    HandOver,
    /// A copy of a call is lost.
    CopyIsLost,
    /// The relay publishes an event.
    Publish(Fact),
    /// An event reaches a consumer for the first time.
    Deliver(Consumer, Fact),
    /// An event reaches a consumer again.
    Repeat(Consumer, Fact),
}

/// What the view makes of facts.
struct View {
    /// By what is known and what is learned: what is known then.
    learned: Vec<[Facts; Fact::ALL.len()]>,
    /// What a row shows of which this is known.
    shown: Vec<Option<Status>>,
}

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
    defect: Option<Defect>,
    /// By consumer: the events that change a row of it. The others do nothing wherever they come.
    minded: [Facts; 4],
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
        self.view.shown[usize::from(facts.0)]
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
        note(state, Breach::FinalLeft, final_left);
        note(state, Breach::PromiseBroken, promised != now && promised != PlaceAnswer::Deferred);
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
        note(state, Breach::FinalLeft, final_left);
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
        note(state, Breach::FinalLeft, final_left);
    }

    fn say(&self, state: &mut State, step: Step) {
        let Some(fact) = step.says else { return };
        // Every time that somebody asks, since each may be the answer that somebody waits for.
        let may_be_repeated = fact == Fact::CancelRejected && self.configuration.events_repeat;
        note(state, Breach::SaidTwice, state.said.has(fact) && !may_be_repeated);
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

    /// The call of the request is over: as `confirm_placed` of order's `application/place_order.rs`.
    fn answer_post(&self, state: &mut State, input: Input) {
        self.to_order(state, input);
        let from_reply = self.defect == Some(Defect::PostAnsweredFromReply);
        let told = match (input, self.order(state).map(answer_placed)) {
            (Input::Answered(Reply::Confirmed), _) if from_reply => Told::Taken,
            (Input::Answered(Reply::Refused), _) if from_reply => Told::Refused,
            (Input::Silence(Policy::Reject), _) if from_reply => Told::Unavailable,
            (Input::Silence(Policy::Defer), _) if from_reply => Told::Deferred,
            (_, Some(PlaceAnswer::Taken)) => Told::Taken,
            (_, Some(PlaceAnswer::Deferred) | None) => Told::Deferred,
            (_, Some(PlaceAnswer::Refused(_))) => Told::Refused,
            (_, Some(PlaceAnswer::Unavailable)) => Told::Unavailable,
        };
        state.post = Post::Answered(told);
    }

    fn post_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let rules = self.configuration.rules;
        match state.post {
            Post::ToCome => actions.push(Action::Place),
            Post::Taken | Post::Asking => {
                match state.post {
                    Post::Taken => actions.push(Action::PostAsks),
                    _ => actions.extend(rules.iter().map(|rules| Action::RentHearsPost(*rules))),
                }
                // An answer that is lost is a copy that rent hears, and a call that fails.
                actions.extend(self.configuration.policies.iter().map(|policy| Action::PostFails(*policy)));
                actions.extend([Action::PostCannotSave, Action::PostDies]);
            }
            Post::Replied(_) => actions.push(Action::PostLearns),
            Post::Answered(_) | Post::Gone => {}
        }
    }

    /// As `resume_orders` of order's `application/resume_orders.rs`, but at any moment: a superset of what its clock
    /// allows, and of what several processes do side by side.
    fn worker_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let (may_ask, may_fail) = match self.configuration.bounds {
            Bounds::Unlimited => (true, true),
            Bounds::Counted(bound) if state.counts.calls < bound.calls => (true, true),
            Bounds::Counted(bound) => (state.calls_are_over(), state.counts.calls == bound.calls),
        };
        if may_ask && self.is_pending(state) && state.worker_calls() < self.configuration.worker_calls {
            actions.push(Action::WorkerAsks);
        }
        if state.asking > 0 {
            let configuration = &self.configuration;
            actions.extend(configuration.rules.iter().map(|rules| Action::RentHearsWorker(*rules)));
            if may_fail {
                actions.extend(configuration.policies.iter().map(|policy| Action::WorkerFails(*policy)));
                actions.push(Action::WorkerDies);
            }
        }
        for reply in [Reply::Confirmed, Reply::Refused] {
            if state.replies[reply as usize] > 0 {
                actions.push(Action::WorkerLearns(reply));
            }
        }
    }

    fn copy_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let copies = match self.configuration.bounds {
            // Where there is a rent already, a copy changes nothing.
            Bounds::Unlimited => state.was_asked && state.rent == 0,
            Bounds::Counted(_) => {
                if state.counts.copies > 0 {
                    actions.push(Action::CopyIsLost);
                }
                state.counts.copies > 0
            }
        };
        if copies {
            actions.extend(self.configuration.rules.iter().map(|rules| Action::RentHearsCopy(*rules)));
        }
    }

    /// What people do. A cancel or hand-over that was repeated is the same step at another moment.
    fn people_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let (cancels, hands_over) = match self.configuration.bounds {
            Bounds::Unlimited => (true, true),
            Bounds::Counted(bound) => {
                (state.counts.cancels < bound.cancels, state.counts.hand_overs < bound.hand_overs)
            }
        };
        if cancels && state.order != 0 {
            actions.push(Action::Cancel);
        }
        if hands_over && state.delivery != 0 {
            actions.push(Action::HandOver);
        }
    }

    fn event_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let configuration = &self.configuration;
        let repeats = match configuration.bounds {
            Bounds::Unlimited => configuration.events_repeat,
            Bounds::Counted(bound) => state.counts.repeats < bound.repeats,
        };
        actions.extend(state.outbox.iter().map(Action::Publish));
        for consumer in Consumer::ALL {
            let place = consumer as usize;
            let waiting = state.waiting[place];
            actions.extend(waiting.iter().map(|fact| Action::Deliver(consumer, fact)));
            // A view that hears everything at once learns nothing from hearing it again.
            if repeats && (consumer != Consumer::Mypage || configuration.view_listens) {
                let heard = Facts(state.said.0 & self.minded[place].0 & !waiting.0 & !state.outbox.0);
                actions.extend(heard.iter().map(|fact| Action::Repeat(consumer, fact)));
            }
        }
    }

    /// Counts what is going to happen, where that is bounded.
    fn count(&self, state: &mut State, action: Action) {
        let Bounds::Counted(_) = self.configuration.bounds else { return };
        let counts = &mut state.counts;
        match action {
            Action::PostAsks | Action::WorkerAsks => counts.calls += 1,
            Action::PostFails(_) | Action::PostCannotSave | Action::PostDies => {
                counts.copies += u8::from(state.post == Post::Asking);
            }
            Action::WorkerFails(_) | Action::WorkerDies => counts.copies += 1,
            Action::RentHearsCopy(_) | Action::CopyIsLost => counts.copies -= 1,
            Action::Cancel => counts.cancels += 1,
            Action::HandOver => counts.hand_overs += 1,
            Action::Repeat(..) => counts.repeats += 1,
            Action::Place
            | Action::RentHearsPost(_)
            | Action::PostLearns
            | Action::RentHearsWorker(_)
            | Action::WorkerLearns(_)
            | Action::Publish(_)
            | Action::Deliver(..) => {}
        }
    }

    fn take(&self, state: &mut State, action: Action) {
        self.count(state, action);
        match action {
            Action::Place => {
                self.to_order(state, Input::Place);
                state.post = Post::Taken;
            }
            Action::PostAsks => (state.post, state.was_asked) = (Post::Asking, true),
            Action::RentHearsPost(rules) => {
                let reply = self.to_rent(state, Input::Confirm(rules)).expect("rent answers");
                state.post = Post::Replied(reply);
            }
            Action::PostLearns => {
                if let Post::Replied(reply) = state.post {
                    self.answer_post(state, Input::Answered(reply));
                }
            }
            Action::PostFails(policy) => self.answer_post(state, Input::Silence(policy)),
            Action::PostCannotSave => state.post = Post::Answered(Told::Deferred),
            Action::PostDies => state.post = Post::Gone,
            Action::WorkerAsks => (state.asking, state.was_asked) = (state.asking + 1, true),
            Action::RentHearsWorker(rules) => {
                let reply = self.to_rent(state, Input::Confirm(rules)).expect("rent answers");
                state.asking -= 1;
                state.replies[reply as usize] += 1;
            }
            Action::WorkerLearns(reply) => {
                state.replies[reply as usize] -= 1;
                self.to_order(state, Input::Answered(reply));
            }
            Action::WorkerFails(policy) => {
                state.asking -= 1;
                self.to_order(state, Input::Silence(policy));
            }
            Action::WorkerDies => state.asking -= 1,
            Action::RentHearsCopy(rules) => drop(self.to_rent(state, Input::Confirm(rules))),
            Action::Cancel => self.to_order(state, Input::Cancel),
            Action::HandOver => self.to_delivery(state, Input::HandOver),
            Action::CopyIsLost => {}
            Action::Publish(fact) => self.publish(state, fact),
            Action::Deliver(consumer, fact) | Action::Repeat(consumer, fact) => {
                self.hear(state, consumer, fact)
            }
        }
    }

    /// Whether the step is one whose moment must not matter in the end, and does.
    fn changes_the_end(&self, before: &State, action: Action, after: &State) -> bool {
        let any_moment_will_do =
            matches!(action, Action::Deliver(..) | Action::Repeat(..) | Action::RentHearsCopy(_));
        let decided = before.order != 0 && before.calls_are_over() && !self.is_pending(before);
        any_moment_will_do && decided && End::of(self, *before) != End::of(self, *after)
    }
}

fn note(state: &mut State, breach: Breach, happened: bool) {
    if happened {
        state.breaches |= breach as u8;
    }
}

impl Model for Lending {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let begin = State::begin();
        // Somebody may ask rent directly for an order that is not there yet.
        let copies = u8::from(matches!(self.configuration.bounds, Bounds::Counted(_)));
        let asked = State { was_asked: true, counts: Counts { copies, ..Counts::default() }, ..begin };
        if self.configuration.foreign_rent { vec![begin, asked] } else { vec![begin] }
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.breaches != 0 && !self.configuration.goes_on {
            return;
        }
        self.post_actions(state, actions);
        self.worker_actions(state, actions);
        self.copy_actions(state, actions);
        self.people_actions(state, actions);
        self.event_actions(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut after = *before;
        self.take(&mut after, action);
        let differs = self.configuration.ends_compared && self.changes_the_end(before, action, &after);
        note(&mut after, Breach::EndDiffers, differs);
        // What changes nothing leads nowhere new.
        (after != *before).then_some(after)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(&self.configuration)
    }
}

impl View {
    /// Asks mypage's `projection` what it makes of every set of facts.
    fn new() -> Self {
        let sets = (0..1 << Fact::ALL.len()).map(Facts);
        let row = |facts: Facts| {
            let mut facts = facts.iter().map(contexts::contribution);
            let mut row = ViewRow::begin(facts.next()?);
            for fact in facts {
                row.learn(fact);
            }
            Some(row)
        };
        let known = |row: &ViewRow| {
            let known = Fact::ALL.into_iter().filter(|fact| row.known()[*fact as usize].is_some());
            known.fold(Facts::default(), Facts::with)
        };
        let learn = |facts: Facts| {
            Fact::ALL.map(|fact| match row(facts) {
                None => known(&ViewRow::begin(contexts::contribution(fact))),
                Some(mut row) => {
                    row.learn(contexts::contribution(fact));
                    known(&row)
                }
            })
        };
        let shown = sets.clone().map(|facts| row(facts).map(|row| row.status())).collect();
        Self { learned: sets.map(learn).collect(), shown }
    }

    fn learn(&self, known: Facts, fact: Fact) -> Facts {
        self.learned[usize::from(known.0)][fact as usize]
    }
}
