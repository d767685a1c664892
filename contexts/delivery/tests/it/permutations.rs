//! Whatever comes late, early or twice, as far as it is causally possible: the end is the same.

use delivery::{
    adapters::outbound::memory::MemoryDeliveries,
    application::{Deliveries, HandOverError, Reaction, ReactionKind, ports::DeliveryStore as _},
    domain::{
        Customer, DeliveryId,
        DeliveryState::{self, Canceled, HandedOver, Held, ReleaseRemembered, Released, Tombstone},
        Fact, HandOverRefused,
    },
};
use proptest::{prelude::*, sample::subsequence};

use crate::{ORDER, a_hand_over, a_reaction, deliveries_on};

const EVENTS: [ReactionKind; 3] = [ReactionKind::Ordered, ReactionKind::Rented, ReactionKind::RentCanceled];

/// What may happen next, any number of times.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A copy of an event of this order, if there is such an event.
    Event(ReactionKind),
    /// A courier takes the parcel, or tries to.
    HandOver,
}

struct World {
    /// The events that there are.
    events: Vec<ReactionKind>,
    /// Whose the order is, by its own word. The rent's word is another: somebody else may have asked for it.
    customer: Option<&'static str>,
    store: MemoryDeliveries,
    deliveries: Deliveries,
    /// Read together as one batch.
    batch: Vec<ReactionKind>,
    batch_size: usize,
    /// What delivery has read so far.
    read: Vec<ReactionKind>,
    /// How many cancellations were read after the hand-over.
    rejected: usize,
}

impl World {
    fn new(events: Vec<ReactionKind>, customer: Option<&'static str>, batch_size: usize) -> Self {
        let store = MemoryDeliveries::default();
        let deliveries = deliveries_on(store.clone());
        let (batch, read) = (Vec::new(), Vec::new());
        Self { events, customer, store, deliveries, batch, batch_size, read, rejected: 0 }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Event(kind) if self.events.contains(&kind) => self.batch.push(kind),
            Step::Event(_) => {}
            Step::HandOver => self.hand_over().await,
        }
        if self.batch.len() >= self.batch_size {
            self.read_batch().await;
        }
        self.check_always().await;
    }

    async fn hand_over(&mut self) {
        self.read_batch().await;
        let before = self.state().await;
        let answer = self.deliveries.hand_over(a_hand_over(DeliveryId(1))).await;
        match (answer, before) {
            (Ok(delivery), Some(Released | HandedOver)) => assert_eq!(delivery.state, HandedOver),
            (Err(HandOverError::Refused(HandOverRefused::NotConfirmedYet)), Some(Held))
            | (Err(HandOverError::Refused(HandOverRefused::Canceled)), Some(Canceled))
            | (
                Err(HandOverError::Refused(HandOverRefused::NoParcel)),
                None | Some(ReleaseRemembered | Tombstone),
            ) => {
                assert_eq!(self.state().await, before);
            }
            other => panic!("{other:?}"),
        }
    }

    async fn read_batch(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if self.state().await == Some(HandedOver) {
            self.rejected += batch.iter().filter(|kind| **kind == ReactionKind::RentCanceled).count();
        }
        self.read.extend(&batch);
        let reaction = |kind| Reaction { customer: self.customer_by(kind), ..a_reaction(kind) };
        self.deliveries.on_events(batch.into_iter().map(reaction).collect()).await.expect("applied");
    }

    fn customer_by(&self, kind: ReactionKind) -> Option<Customer> {
        let customer = match kind {
            ReactionKind::Ordered => self.customer,
            ReactionKind::Rented | ReactionKind::RentCanceled => Some("stranger"),
        };
        customer.and_then(Customer::parse)
    }

    /// Whose the delivery is, and whose it has to be after what was read.
    async fn customers(&self) -> [Option<Customer>; 2] {
        let found = self.store.by_order(ORDER).await.expect("a read").and_then(|delivery| delivery.customer);
        let first = if self.read.contains(&ReactionKind::Ordered) {
            Some(ReactionKind::Ordered)
        } else {
            self.read.first().copied()
        };
        [found, first.and_then(|kind| self.customer_by(kind))]
    }

    async fn state(&self) -> Option<DeliveryState> {
        self.store.by_order(ORDER).await.expect("a read").map(|delivery| delivery.state)
    }

    fn said(&self, fact: Fact) -> usize {
        self.store.said().iter().filter(|(_, said)| said.fact == fact).count()
    }

    async fn check_always(&self) {
        let said = self.store.said();
        assert!(said.is_sorted_by(|(_, a), (_, b)| a.version < b.version), "every event has its own name");
        for fact in [Fact::ParcelPrepared, Fact::ParcelHandedOver, Fact::DeliveryCanceled] {
            assert!(self.said(fact) <= 1, "{fact:?} is said once");
        }
        assert_eq!(self.said(Fact::CancelRejected), self.rejected, "every time, and only then");
        let handed_over = self.said(Fact::ParcelHandedOver) == 1;
        assert_eq!(handed_over, self.state().await == Some(HandedOver));
        assert!(!handed_over || self.said(Fact::DeliveryCanceled) == 0, "handed over and cancelled");
        let [found, expected] = self.customers().await;
        assert_eq!(found, expected, "the order's own word counts, after {:?}", self.read);
        for needed in [ReactionKind::Ordered, ReactionKind::Rented] {
            assert!(!handed_over || self.read.contains(&needed), "handed over without {needed:?}");
        }
    }

    /// What was sent arrives at last, at least once.
    async fn become_quiet(&mut self) {
        for event in self.events.clone() {
            self.step(Step::Event(event)).await;
        }
        self.read_batch().await;
        self.check_always().await;
    }

    /// How often and in which order they came does not matter, but for what was first: the hand-over or the
    /// cancellation, and the parcel or the cancellation (which differ for the reader of tombstones alone).
    fn expected(&self) -> Option<DeliveryState> {
        let first = |kind| self.read.iter().position(|read| *read == kind);
        let [ordered, rented, canceled] = EVENTS.map(first);
        let handed_over = self.said(Fact::ParcelHandedOver) == 1;
        match (ordered, rented, canceled) {
            _ if handed_over => Some(HandedOver),
            (_, Some(rented), Some(canceled)) if rented < canceled => Some(Canceled),
            (_, _, Some(_)) => Some(Tombstone),
            (Some(_), Some(_), None) => Some(Released),
            (None, Some(_), None) => Some(Held),
            (Some(_), None, None) => Some(ReleaseRemembered),
            (None, None, None) => None,
        }
    }
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let event = proptest::sample::select(&EVENTS[..]).prop_map(Step::Event);
    proptest::collection::vec(prop_oneof![3 => event, 1 => Just(Step::HandOver)], 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn any_order_of_events_ends_the_same(
        events in subsequence(&EVENTS[..], 0..=3),
        customer in proptest::option::of(Just("kim")),
        steps in any_steps(),
        repeated in any_steps(),
        batch_size in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new(events, customer, batch_size);
            for step in steps {
                world.step(step).await;
            }
            world.become_quiet().await;
            assert_eq!(world.state().await, world.expected());

            // A courier may still come; late copies alone change nothing any more.
            world.step(Step::HandOver).await;
            let end = world.state().await;
            for step in repeated {
                world.step(step).await;
            }
            world.become_quiet().await;
            assert_eq!(world.state().await, end);
            assert_eq!(end, world.expected());
        });
    }
}
