//! Who may take which step when: the application of the contexts and everything between them, as thin as possible.

use mypage::projection::Fact;
use order::domain::{PlaceAnswer, answer_placed};
use stateright::{Model, Property};

use crate::{
    configurations::Bounds,
    defect::Defect,
    end::End,
    lending::Lending,
    properties,
    state::{Breach, Consumer, Counts, Facts, Post, State, Told},
    table::{Input, Policy, Reply},
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

impl Lending {
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
        after.note(Breach::EndDiffers, differs);
        // What changes nothing leads nowhere new.
        (after != *before).then_some(after)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(&self.configuration)
    }
}
