//! At the same moment, on a real store: exactly one wins.

use delivery::{
    application::{Deliveries, HandOver, HandOverError, Reaction, ReactionKind, ports::DeliveryStore as _},
    domain::{DeliveryState, HandOverRefused, OrderId, Version},
};

use crate::{ORDER, a_file, a_hand_over, a_reaction, deliveries_on, outbox::waiting};

fn of(order_id: OrderId, kind: ReactionKind) -> Reaction {
    Reaction { order_id, ..a_reaction(kind) }
}

/// The command that hands the order's released parcel over.
async fn a_released_parcel(deliveries: &Deliveries, order_id: OrderId) -> HandOver {
    let events = vec![of(order_id, ReactionKind::Rented), of(order_id, ReactionKind::Ordered)];
    deliveries.on_events(events).await.expect("applied");
    let delivery = deliveries.delivery_of_order(order_id).await.expect("a read").expect("a parcel");
    a_hand_over(delivery.id.expect("an id"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hand_over_meets_a_cancellation() {
    let (_folder, store) = a_file();
    let deliveries = deliveries_on(store.clone());
    for n in 1..=50 {
        let order_id = OrderId(n);
        let command = a_released_parcel(&deliveries, order_id).await;
        let hand_over = tokio::spawn({
            let deliveries = deliveries.clone();
            async move { deliveries.hand_over(command).await }
        });
        deliveries.on_events(vec![of(order_id, ReactionKind::RentCanceled)]).await.expect("applied");
        let answer = hand_over.await.expect("no panic");

        let delivery = store.by_order(order_id).await.expect("a read").expect("a parcel");
        let said = waiting(&store, order_id).await;
        match answer {
            Ok(_) => {
                assert_eq!(delivery.state, DeliveryState::HandedOver);
                assert_eq!(said, ["Shipped/Ship", "Shipped/Shipped", "CancelRejected/Shipped"]);
            }
            Err(HandOverError::Refused(HandOverRefused::Canceled)) => {
                assert_eq!(delivery.state, DeliveryState::Canceled);
                assert_eq!(said, ["Shipped/Ship", "DeliveryCanceled/Ship Canceled"]);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_couriers_hand_one_parcel_over_once() {
    let (_folder, store) = a_file();
    let deliveries = deliveries_on(store.clone());
    let command = a_released_parcel(&deliveries, ORDER).await;
    let couriers = (0..64).map(|_| {
        let (deliveries, command) = (deliveries.clone(), command.clone());
        tokio::spawn(async move { deliveries.hand_over(command).await })
    });
    for courier in couriers.collect::<Vec<_>>() {
        let delivery = courier.await.expect("no panic").expect("handed over");
        assert_eq!((delivery.state, delivery.version), (DeliveryState::HandedOver, Version(3)));
    }
    assert_eq!(waiting(&store, ORDER).await, ["Shipped/Ship", "Shipped/Shipped"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_name_the_version_one_wins() {
    let (_folder, store) = a_file();
    let deliveries = deliveries_on(store.clone());
    let command = HandOver { if_version: Some(Version(2)), ..a_released_parcel(&deliveries, ORDER).await };
    let couriers = (0..64).map(|_| {
        let (deliveries, command) = (deliveries.clone(), command.clone());
        tokio::spawn(async move { deliveries.hand_over(command).await })
    });
    let mut winners = 0;
    for courier in couriers.collect::<Vec<_>>() {
        match courier.await.expect("no panic") {
            Ok(_) => winners += 1,
            Err(error) => assert_eq!(error, HandOverError::Changed(Version(3))),
        }
    }
    assert_eq!(winners, 1);
}
