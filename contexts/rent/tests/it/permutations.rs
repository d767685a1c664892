//! Whatever comes late, early or twice, as far as it is causally possible: the end is the same.

use proptest::prelude::*;
use rent::{
    adapters::outbound::memory::MemoryRents,
    application::{ConfirmError, ConfirmRent, ReactionKind, Rents, ports::RentStore as _},
    domain::{Copy, Fact, RentState},
};

use crate::{ORDER, a_customer, a_reaction, rents_on};

/// What is settled about an order before its events go astray.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// How order ends it, if it does: cancelled or rejected.
    last_word: Option<ReactionKind>,
    /// Whether a rule refuses its customer.
    suspended: bool,
    /// Whether the courier is faster than a cancellation.
    courier_first: bool,
}

/// What may happen next, any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Order asks for a rent, or asks again.
    Confirm,
    /// A copy of order's last word.
    LastWord,
    /// A copy of delivery's answer.
    Answer,
}

struct World {
    case: Case,
    store: MemoryRents,
    rents: Rents,
    /// Read together as one batch.
    batch: Vec<ReactionKind>,
    batch_size: usize,
    /// The first that reached rent, a confirm or the last word.
    first: Option<Step>,
    delivery_canceled: bool,
}

impl World {
    fn new(case: Case, batch_size: usize) -> Self {
        let store = MemoryRents::default();
        let rents = rents_on(store.clone());
        Self { case, store, rents, batch: Vec::new(), batch_size, first: None, delivery_canceled: false }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Confirm => self.confirm().await,
            Step::LastWord => {
                self.batch.extend(self.case.last_word);
                if self.case.last_word.is_some() {
                    self.first.get_or_insert(step);
                }
            }
            Step::Answer => self.batch.extend(self.answer()),
        }
        if self.batch.len() >= self.batch_size {
            self.read_batch().await;
        }
        self.check_always().await;
    }

    async fn confirm(&mut self) {
        self.read_batch().await;
        self.first.get_or_insert(Step::Confirm);
        let customer = Some(a_customer(if self.case.suspended { "suspended" } else { "kim" }));
        let command = ConfirmRent { order_id: ORDER, customer, correlation_id: None };
        let answer = self.rents.confirm_rent(command).await;
        let is_rented = matches!(self.state().await, Some(RentState::Rented | RentState::WithCourier));
        match answer {
            Ok(confirmed) => assert!(is_rented && confirmed.rent.order_id == ORDER),
            Err(ConfirmError::Refused(_)) => assert!(!is_rented),
            Err(ConfirmError::Unavailable(error)) => panic!("{error}"),
        }
    }

    /// Delivery answers RentCanceled, so there is no answer before rent has said that. The courier can only be
    /// faster with a parcel: of an order that was rented and never rejected.
    fn answer(&self) -> Option<ReactionKind> {
        let facts = self.facts();
        facts.contains(&Fact::RentCanceled).then(|| {
            let has_parcel =
                facts.contains(&Fact::Rented) && self.case.last_word == Some(ReactionKind::OrderCancelled);
            match has_parcel && self.case.courier_first {
                true => ReactionKind::CancelRejected,
                false => ReactionKind::DeliveryCanceled,
            }
        })
    }

    async fn read_batch(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.delivery_canceled |= batch.contains(&ReactionKind::DeliveryCanceled);
        self.rents.on_events(batch.into_iter().map(a_reaction).collect()).await.expect("applied");
    }

    async fn state(&self) -> Option<RentState> {
        self.store.by_order(ORDER).await.expect("a read").map(|rent| rent.state)
    }

    fn facts(&self) -> Vec<Fact> {
        self.store.said().iter().map(|(_, said)| said.fact).collect()
    }

    async fn check_always(&self) {
        let said = self.store.said();
        assert!(said.is_sorted_by(|(_, a), (_, b)| a.version < b.version), "every event has its own name");
        for fact in [Fact::Rented, Fact::RentCanceled, Fact::RentReinstated] {
            assert!(self.facts().iter().filter(|said| **said == fact).count() <= 1, "{fact:?} is said once");
        }
        if self.state().await == Some(RentState::Canceled(Copy::Free)) {
            assert!(self.delivery_canceled, "a copy is freed only after DeliveryCanceled");
        }
    }

    /// What was sent arrives at last, at least once.
    async fn become_quiet(&mut self) {
        self.step(Step::LastWord).await;
        self.read_batch().await;
        self.step(Step::Answer).await;
        self.read_batch().await;
        self.check_always().await;
    }

    /// Only what was first matters, not how often or in which order the rest came.
    fn expected(&self) -> Option<RentState> {
        let Case { last_word, suspended, courier_first } = self.case;
        let tombstone = RentState::Canceled(Copy::Tombstone);
        let refused = "this customer may not borrow at present; ask the library's desk".to_owned();
        let refused = RentState::Canceled(Copy::Refused(refused));
        Some(match (self.first?, last_word) {
            (Step::Confirm, None) if suspended => refused,
            (Step::Confirm, None) => RentState::Rented,
            (Step::Confirm, Some(ReactionKind::OrderRejected)) if suspended => refused,
            (Step::Confirm, Some(_)) if suspended => tombstone,
            (Step::Confirm, Some(ReactionKind::OrderCancelled)) if courier_first => RentState::WithCourier,
            (Step::Confirm, Some(_)) => RentState::Canceled(Copy::Free),
            (Step::LastWord | Step::Answer, _) => tombstone,
        })
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let last_word = prop_oneof![
        Just(None),
        Just(Some(ReactionKind::OrderCancelled)),
        Just(Some(ReactionKind::OrderRejected))
    ];
    (last_word, any::<bool>(), any::<bool>()).prop_map(|(last_word, suspended, courier_first)| Case {
        last_word,
        suspended,
        courier_first,
    })
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![Just(Step::Confirm), Just(Step::LastWord), Just(Step::Answer)];
    proptest::collection::vec(step, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn any_order_of_events_ends_the_same(
        case in any_case(),
        steps in any_steps(),
        repeated in any_steps(),
        batch_size in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new(case, batch_size);
            for step in steps {
                world.step(step).await;
            }
            world.become_quiet().await;
            assert_eq!(world.state().await, world.expected());

            // Late copies of everything change nothing any more; only an order that was never heard of begins.
            let said = world.facts();
            if world.first.is_some() {
                for step in repeated {
                    world.step(step).await;
                }
                world.become_quiet().await;
                assert_eq!(world.state().await, world.expected());
                assert_eq!(world.facts(), said);
            }
        });
    }
}
