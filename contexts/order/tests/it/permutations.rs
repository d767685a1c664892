//! Whatever comes late, early or twice, as far as it is causally possible: the end is the same. And whatever comes
//! at all: the state table holds.

use std::{sync::Arc, time::Duration};

use order::{
    adapters::outbound::memory::MemoryOrders,
    application::{
        CancelError, OnRentUnavailable, Orders, ReactionKind, Resuming,
        ports::{AlwaysOurs, Clock, OrderStore as _, RentAnswer},
    },
    domain::{CancelRefused, Fact, Moment, OrderState, Rejection},
};
use proptest::prelude::*;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::support::{BEGIN, Desk, FIRST, away, cancel, committed, orders_on, place, policy, react, refused};

/// What is settled about an order before its events go astray.
#[derive(Clone, Copy, Debug)]
struct Case {
    on_rent_unavailable: OnRentUnavailable,
    /// Whether rent confirms, or a rule refuses.
    confirms: bool,
    /// Whether delivery holds a parcel until its order is confirmed. (The original's does not.)
    holds_parcels: bool,
}

/// What becomes of a call to rent.
#[derive(Clone, Copy, Debug)]
enum Call {
    Answered,
    /// Rent has decided, and order does not hear of it.
    AnswerLost,
    NeverArrived,
}

/// What may happen next. Events are copies, so each may come any number of times.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The order's own call is over.
    OwnCall(Call),
    /// The worker asks again.
    Resume(Call),
    /// The customer cancels.
    Cancel,
    /// The event Rented.
    Rented,
    /// The courier takes the parcel; nobody has heard of it yet.
    HandOver,
    /// The event Shipped/`Shipped`.
    Shipped,
    /// What delivery says to a cancellation: `CancelRejected` or `DeliveryCanceled`.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parcel {
    Undecided,
    HandedOver,
    Canceled,
}

struct World {
    case: Case,
    store: MemoryOrders,
    orders: Orders,
    own_call: Option<(oneshot::Sender<RentAnswer>, JoinHandle<()>)>,
    rented: bool,
    parcel: Parcel,
    /// Read together as one batch.
    batch: Vec<ReactionKind>,
    batch_size: usize,
}

impl World {
    /// With an order that waits for the answer of its own call.
    async fn new(case: Case, batch_size: usize) -> Self {
        let (store, desk) = (MemoryOrders::default(), Desk::answering(away()));
        let orders = orders_on(store.clone(), &desk, policy(case.on_rent_unavailable));
        let (answers, answer) = oneshot::channel();
        let answer = Arc::new(parking_lot::Mutex::new(Some(answer)));
        desk.does(move |_| {
            let answer = answer.lock().take().expect("one call");
            async { answer.await.expect("an answer") }
        });
        let placing = orders.clone();
        let placing = tokio::spawn(async move { drop(place(&placing).await) });
        while desk.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        let own_call = Some((answers, placing));
        let (rented, parcel, batch) = (false, Parcel::Undecided, Vec::new());
        Self { case, store, orders, own_call, rented, parcel, batch, batch_size }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::OwnCall(call) => self.own_call_is_over(call).await,
            Step::Resume(call) => {
                let answer = self.ask_rent(call);
                resume(&self.store, answer, self.case.on_rent_unavailable).await;
            }
            Step::Cancel => drop(cancel(&self.orders).await),
            Step::Rented if self.rented => self.batch.push(ReactionKind::Rented),
            Step::HandOver => self.hand_over(),
            Step::Shipped if self.parcel == Parcel::HandedOver => self.batch.push(ReactionKind::HandedOver),
            Step::Answer => self.answer(),
            Step::Rented | Step::Shipped => {}
        }
        if self.batch.len() >= self.batch_size {
            self.read_batch().await;
        }
        self.check_always();
    }

    fn ask_rent(&mut self, call: Call) -> RentAnswer {
        self.rented |= self.case.confirms && !matches!(call, Call::NeverArrived);
        match call {
            Call::Answered if self.case.confirms => RentAnswer::Confirmed,
            Call::Answered => refused(),
            Call::AnswerLost | Call::NeverArrived => away(),
        }
    }

    async fn own_call_is_over(&mut self, call: Call) {
        if let Some((answers, placing)) = self.own_call.take() {
            answers.send(self.ask_rent(call)).expect("order waits");
            placing.await.expect("no panic");
        }
    }

    fn hand_over(&mut self) {
        let released = !self.case.holds_parcels || self.has_said(Fact::Ordered);
        if self.parcel == Parcel::Undecided && self.rented && released {
            self.parcel = Parcel::HandedOver;
        }
    }

    /// There is no answer to what order has not said.
    fn answer(&mut self) {
        if self.has_said(Fact::OrderCancelled) || self.has_said(Fact::OrderRejected) {
            self.batch.push(if self.parcel == Parcel::HandedOver {
                ReactionKind::CancelRejected
            } else {
                self.parcel = Parcel::Canceled;
                ReactionKind::DeliveryCanceled
            });
        }
    }

    async fn read_batch(&mut self) {
        react(&self.orders, &std::mem::take(&mut self.batch)).await;
    }

    fn said(&self) -> Vec<Fact> {
        self.store.said().iter().map(|(_, said)| said.fact).collect()
    }

    fn has_said(&self, fact: Fact) -> bool {
        self.said().contains(&fact)
    }

    async fn state(&self) -> OrderState {
        committed(&self.store, FIRST).await.state
    }

    fn check_always(&self) {
        let said = self.store.said();
        assert!(said.is_sorted_by(|(_, a), (_, b)| a.version < b.version), "every event has its own name");
        for fact in [Fact::Ordered, Fact::OrderDeferred, Fact::OrderRejected, Fact::OrderCancelled] {
            assert!(self.said().iter().filter(|said| **said == fact).count() <= 1, "{fact:?} is said once");
        }
    }

    /// Rent answers, and what was sent arrives at last, at least once.
    async fn become_quiet(&mut self) {
        self.step(Step::OwnCall(Call::AnswerLost)).await;
        self.step(Step::Resume(Call::Answered)).await;
        self.step(Step::Rented).await;
        self.read_batch().await;
        self.step(Step::Shipped).await;
        self.step(Step::Answer).await;
        self.read_batch().await;
        self.check_always();
    }

    /// Only what the customer, rent and the courier have done matters, not how often or in which order it was heard.
    async fn check_the_end(&self) {
        let state = self.state().await;
        let ordered_said = self.has_said(Fact::Ordered);
        match self.parcel {
            Parcel::HandedOver => {
                assert_eq!((state, ordered_said), (OrderState::Shipped, true));
            }
            _ if self.has_said(Fact::OrderCancelled) => assert_eq!(state, OrderState::Canceled),
            _ if self.has_said(Fact::OrderRejected) => {
                assert!(matches!(state, OrderState::Rejected(_)), "{state:?}");
                assert!(!ordered_said, "what is rejected was never confirmed");
            }
            _ => {
                assert_eq!((state, ordered_said), (OrderState::Ordered, true));
                assert!(self.rented, "what is confirmed has a rent");
            }
        }
    }
}

/// One round of the worker, in a process for which everything is old.
async fn resume(store: &MemoryOrders, answer: RentAnswer, on_rent_unavailable: OnRentUnavailable) {
    let (store, desk) = (Arc::new(store.clone()), Arc::new(Desk::answering(answer)));
    let orders = Orders::new(store, desk, Arc::new(MuchLater), policy(on_rent_unavailable));
    let round = orders.resume_orders(Resuming::default(), Arc::new(AlwaysOurs));
    // Nothing in it waits, so it gets to its pause at once.
    let _ = tokio::time::timeout(Duration::ZERO, round).await;
}

struct MuchLater;

impl Clock for MuchLater {
    fn now(&self) -> Moment {
        Moment(BEGIN + 1_000_000)
    }
}

fn in_a_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test);
}

fn any_policy() -> impl Strategy<Value = OnRentUnavailable> {
    prop_oneof![Just(OnRentUnavailable::Defer), Just(OnRentUnavailable::Reject)]
}

fn any_case() -> impl Strategy<Value = Case> {
    (any_policy(), any::<bool>(), any::<bool>()).prop_map(|(on_rent_unavailable, confirms, holds_parcels)| {
        Case { on_rent_unavailable, confirms, holds_parcels }
    })
}

fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![Just(Call::Answered), Just(Call::AnswerLost), Just(Call::NeverArrived)]
}

/// A copy of what was said already, or a further question to rent.
fn any_echo() -> impl Strategy<Value = Step> {
    let echo = prop_oneof![Just(Step::Rented), Just(Step::Shipped), Just(Step::Answer)];
    prop_oneof![3 => echo, 1 => any_call().prop_map(Step::Resume)]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any_echo(),
        1 => any_call().prop_map(Step::OwnCall),
        1 => Just(Step::Cancel),
        2 => Just(Step::HandOver),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_order_of_events_ends_the_same(
        case in any_case(),
        steps in proptest::collection::vec(any_step(), 0..16),
        repeated in proptest::collection::vec(any_echo(), 0..8),
        batch_size in 1..4_usize,
    ) {
        in_a_runtime(async {
            let mut world = World::new(case, batch_size).await;
            for step in steps {
                world.step(step).await;
            }
            world.become_quiet().await;
            world.check_the_end().await;

            let (order, said) = (committed(&world.store, FIRST).await, world.said());
            for step in repeated {
                world.step(step).await;
            }
            world.become_quiet().await;
            assert_eq!((committed(&world.store, FIRST).await, world.said()), (order, said), "late copies");
        });
    }
}

/// Anything that can come to an order, causally possible or not.
#[derive(Clone, Copy, Debug)]
enum Input {
    Confirmed,
    Refused,
    Away,
    Cancel,
    Event(ReactionKind),
}

/// The state table, in its own words.
struct Table {
    reject: bool,
    state: &'static str,
    said: Vec<&'static str>,
}

impl Table {
    fn says(&mut self, state: &'static str, said: &'static str) {
        self.state = state;
        if said == "Ordered" && self.said.contains(&said) {
            return;
        }
        self.said.extend((!said.is_empty()).then_some(said));
    }

    /// Whether the input is accepted; only a cancellation can be refused.
    fn take(&mut self, input: Input) -> bool {
        use ReactionKind::{CancelRejected, DeliveryCanceled, HandedOver, Rented};
        match (self.state, input) {
            ("Pending", Input::Confirmed | Input::Event(Rented)) => self.says("Ordered", "Ordered"),
            ("Pending", Input::Refused) => self.says("Order Rejected, rule", "OrderRejected"),
            ("Pending", Input::Away) if self.reject => {
                self.says("Order Rejected, unavailable", "OrderRejected");
            }
            ("Pending", Input::Away) if !self.said.contains(&"OrderDeferred") => {
                self.says("Pending", "OrderDeferred");
            }
            ("Pending" | "Ordered", Input::Cancel) => self.says("Order Cancel", "OrderCancelled"),
            ("Order Cancel", Input::Event(DeliveryCanceled)) => self.says("Order Canceled", ""),
            ("Ordered", Input::Event(HandedOver)) => self.says("Shipped", ""),
            (
                "Order Cancel" | "Pending" | "Order Rejected, rule" | "Order Rejected, unavailable",
                Input::Event(HandedOver | CancelRejected),
            ) => self.says("Shipped", "Ordered"),
            ("Shipped" | "Order Rejected, rule" | "Order Rejected, unavailable", Input::Cancel) => {
                return false;
            }
            _ => {}
        }
        true
    }
}

fn word(state: &OrderState) -> &'static str {
    match state {
        OrderState::Pending => "Pending",
        OrderState::Ordered => "Ordered",
        OrderState::Rejected(Rejection::Rule(_)) => "Order Rejected, rule",
        OrderState::Rejected(Rejection::Unavailable) => "Order Rejected, unavailable",
        OrderState::Cancelling => "Order Cancel",
        OrderState::Canceled => "Order Canceled",
        OrderState::Shipped => "Shipped",
    }
}

fn any_answer() -> impl Strategy<Value = Input> {
    prop_oneof![Just(Input::Confirmed), Just(Input::Refused), Just(Input::Away)]
}

fn any_input() -> impl Strategy<Value = Input> {
    let event = prop_oneof![
        Just(ReactionKind::Rented),
        Just(ReactionKind::HandedOver),
        Just(ReactionKind::CancelRejected),
        Just(ReactionKind::DeliveryCanceled),
    ];
    prop_oneof![any_answer(), Just(Input::Cancel), event.prop_map(Input::Event)]
}

fn rent_says(input: Input) -> Option<RentAnswer> {
    match input {
        Input::Confirmed => Some(RentAnswer::Confirmed),
        Input::Refused => Some(refused()),
        Input::Away => Some(away()),
        Input::Cancel | Input::Event(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn whatever_comes_the_state_table_holds(
        on_rent_unavailable in any_policy(),
        placed in any_answer(),
        inputs in proptest::collection::vec(any_input(), 0..12),
    ) {
        in_a_runtime(async {
            let store = MemoryOrders::default();
            let desk = Desk::answering(rent_says(placed).expect("an answer"));
            let orders = orders_on(store.clone(), &desk, policy(on_rent_unavailable));
            let reject = on_rent_unavailable == OnRentUnavailable::Reject;
            let mut table = Table { reject, state: "Pending", said: Vec::new() };
            let order = place(&orders).await;
            table.take(placed);
            assert_eq!(word(&order.state), table.state);

            for input in inputs {
                let before = committed(&store, FIRST).await;
                let accepted = match (input, rent_says(input)) {
                    (_, Some(answer)) => {
                        resume(&store, answer, on_rent_unavailable).await;
                        true
                    }
                    (Input::Event(kind), None) => {
                        react(&orders, &[kind]).await;
                        true
                    }
                    (_, None) => match cancel(&orders).await {
                        Ok(_) => true,
                        Err(CancelError::Refused(refused)) => {
                            let shipped = refused == CancelRefused::AlreadyShipped;
                            assert_eq!(shipped, before.state == OrderState::Shipped);
                            false
                        }
                        Err(other) => panic!("{other}"),
                    },
                };
                let said_before = table.said.len();
                let state_before = table.state;
                assert_eq!(accepted, table.take(input), "{input:?} from {state_before}");

                let after = committed(&store, FIRST).await;
                assert_eq!(word(&after.state), table.state, "{input:?} from {state_before}");
                let said: Vec<_> =
                    store.said().iter().map(|(_, said)| format!("{:?}", said.fact)).collect();
                assert_eq!(said, table.said, "{input:?} from {state_before}");
                let changes = table.state != state_before || table.said.len() != said_before;
                assert_eq!(after.version.0 - before.version.0, i64::from(changes), "{input:?}");
                assert_eq!(after.ordered_said, table.said.contains(&"Ordered"), "the row remembers");
                assert_eq!(store.pending(), u64::from(after.state == OrderState::Pending));
            }
        });
    }
}
