//! A JSON Patch hands over only what its test holds for, whatever happens between the test and the write.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use delivery::{
    adapters::{inbound::rest::router, outbound::memory::MemoryDeliveries},
    application::{
        ReactionKind::{Ordered, RentCanceled, Rented},
        ports::{Conflict, DeliveryStore, PageError, PageQuery, Save, Unavailable},
    },
    domain::{Delivery, DeliveryId, DeliveryState, OrderId, Version},
};
use platform_testkit::http::{self, ACCEPT, Answer};

use crate::{ORDER, a_reaction, deliveries_on};

/// Before each of the first `times` writes the parcel changes: it is cancelled, or only its version grows.
struct Overtaken {
    store: MemoryDeliveries,
    times: AtomicUsize,
    cancelled: bool,
}

impl Overtaken {
    async fn change(&self) {
        if self.cancelled {
            let canceled = vec![a_reaction(RentCanceled)];
            return deliveries_on(self.store.clone()).on_events(canceled).await.expect("applied");
        }
        let delivery = self.store.by_order(ORDER).await.expect("a read").expect("a parcel");
        let version = Version(delivery.version.0 + 1);
        let (expected, delivery) = (Some(delivery.version), Delivery { version, ..delivery });
        let change = Save { expected, was_shown: true, delivery, facts: Vec::new() };
        assert_eq!(self.store.save(change).await, Ok(Ok(())));
    }
}

#[async_trait]
impl DeliveryStore for Overtaken {
    async fn next_id(&self) -> Result<DeliveryId, Unavailable> {
        self.store.next_id().await
    }

    async fn by_id(&self, id: DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.store.by_id(id).await
    }

    async fn by_order(&self, order_id: OrderId) -> Result<Option<Delivery>, Unavailable> {
        self.store.by_order(order_id).await
    }

    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Delivery>, Unavailable> {
        self.store.by_orders(orders).await
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        let left = self.times.load(Ordering::Relaxed);
        if left > 0 {
            self.times.store(left - 1, Ordering::Relaxed);
            self.change().await;
        }
        self.store.save_all(changes).await
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Delivery>, u64), PageError> {
        self.store.page(query).await
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Delivery>, Unavailable> {
        self.store.scan(after, limit).await
    }
}

/// What a courier is answered who hands over what is in `Ship`, while the released parcel is overtaken.
async fn handed_over(times: usize, cancelled: bool, more: &[(&str, &str)]) -> (Answer, DeliveryState) {
    let store = MemoryDeliveries::default();
    let events = [Rented, Ordered].map(a_reaction).to_vec();
    deliveries_on(store.clone()).on_events(events).await.expect("applied");
    let overtaken = Overtaken { store: store.clone(), times: AtomicUsize::new(times), cancelled };
    let headers = [&[ACCEPT, ("content-type", "application/json-patch+json")], more].concat();
    let body = r#"[{"op":"test","path":"/status","value":"Ship"},{"op":"replace","path":"/status","value":"Shipped"}]"#;
    let router = router(deliveries_on(overtaken));
    let answer = http::ask(&router, "localhost:8083", "PATCH /deliveries/1", &headers, body).await;
    (answer, store.by_order(ORDER).await.expect("a read").expect("a parcel").state)
}

#[tokio::test]
async fn what_has_changed_since_the_test_is_tested_again() {
    let (answer, state) = handed_over(3, false, &[]).await;
    assert_eq!((answer.status, state), (200, DeliveryState::HandedOver), "its test holds still");
    let (answer, state) = handed_over(1, true, &[]).await;
    assert!(answer.problem(409, "test-failed").contains("`Ship Canceled`"), "what it is now");
    assert_eq!(state, DeliveryState::Canceled);
}

#[tokio::test]
async fn a_version_that_the_client_names_is_not_tried_again() {
    let (answer, state) = handed_over(1, false, &[("if-match", "\"2\"")]).await;
    answer.problem(412, "precondition-failed");
    assert_eq!(state, DeliveryState::Released);
}

#[tokio::test]
async fn whom_others_are_always_faster_than_is_told_so() {
    let (answer, state) = handed_over(usize::MAX, false, &[]).await;
    answer.problem(409, "conflict");
    assert_eq!(state, DeliveryState::Released);
}
