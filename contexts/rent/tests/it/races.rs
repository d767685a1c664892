//! At the same moment, on a real store: exactly one wins.

use rent::{
    application::{ConfirmError, ConfirmRent, Reaction, ReactionKind, ports::RentStore as _},
    domain::{Copy, OrderId, RentState},
};

use crate::{ORDER, a_file, a_reaction, outbox::waiting_types, rents_on};

fn a_confirm(order_id: OrderId) -> ConfirmRent {
    ConfirmRent { order_id, customer: None, correlation_id: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_confirms_of_one_order_make_one_rent() {
    let (_folder, store) = a_file();
    let rents = rents_on(store.clone());
    let confirms = (0..64).map(|_| {
        let rents = rents.clone();
        tokio::spawn(async move { rents.confirm_rent(a_confirm(ORDER)).await.expect("a rent") })
    });
    let mut answers = Vec::new();
    for confirm in confirms.collect::<Vec<_>>() {
        answers.push(confirm.await.expect("no panic"));
    }
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1, "one call has made it");
    assert!(answers.iter().all(|answer| answer.rent == answers[0].rent), "all have the same");
    assert_eq!(waiting_types(&store).await, ["Rented"]);
}

#[tokio::test]
async fn several_confirms_at_once_are_answered_as_each_alone() {
    let (_folder, store) = a_file();
    let rents = rents_on(store.clone());
    let before = rents.confirm_rent(a_confirm(OrderId(2))).await.expect("a rent").rent;
    let cancelled = Reaction { order_id: OrderId(3), ..a_reaction(ReactionKind::OrderCancelled) };
    rents.on_events(vec![cancelled]).await.expect("applied");

    let commands = [1, 2, 3, 1].map(|n| a_confirm(OrderId(n))).to_vec();
    let answers = rents.confirm_rents(commands).await;
    let [Ok(new), Ok(repeated), Err(ConfirmError::Refused(_)), Ok(same)] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert!(new.is_new && new.rent.order_id == OrderId(1), "{new:?}");
    assert!(!repeated.is_new && repeated.rent == before, "{repeated:?}");
    assert!(!same.is_new && same.rent == new.rent, "{same:?}");
    assert_eq!(waiting_types(&store).await.iter().filter(|said| *said == "Rented").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_confirm_meets_a_cancellation() {
    let (_folder, store) = a_file();
    let rents = rents_on(store.clone());
    for n in 1..=50 {
        let order_id = OrderId(n);
        let confirm = tokio::spawn({
            let rents = rents.clone();
            async move { rents.confirm_rent(a_confirm(order_id)).await }
        });
        let cancelled = Reaction { order_id, ..a_reaction(ReactionKind::OrderCancelled) };
        rents.on_events(vec![cancelled]).await.expect("applied");
        let answer = confirm.await.expect("no panic");
        let rent = store.by_order(order_id).await.expect("a read").expect("a rent");
        match answer {
            Ok(_) => assert_eq!(rent.state, RentState::Canceled(Copy::Bound), "confirmed, then cancelled"),
            Err(ConfirmError::Refused(_)) => {
                assert_eq!(rent.state, RentState::Canceled(Copy::Tombstone), "cancelled, then refused");
            }
            Err(ConfirmError::Unavailable(error)) => panic!("{error}"),
        }
    }
    let said = waiting_types(&store).await;
    assert_eq!(said.iter().filter(|said| *said == "RentCanceled").count(), 50);
}
