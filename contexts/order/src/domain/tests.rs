//! Every row of the state table.

use super::{
    CancelRefused, Customer, Decision, Fact, IdempotencyKey, Item, Moment, Order, OrderId, OrderState,
    PlaceAnswer, Placement, Rejection, answer_placed, cancel_order, confirm_order, defer_order,
    on_cancel_rejected, on_delivery_canceled, on_handed_over, place_order, reject_order,
};

const LATER: Moment = Moment(20);

/// An order with a key that has said Ordered exactly where its state implies it.
fn an_order(state: OrderState) -> Order {
    let placed = place_order(Placement {
        id: OrderId(7),
        item: Item::parse("COSMOS").expect("an item"),
        customer: None,
        idempotency_key: IdempotencyKey::parse("key"),
        at: Moment(10),
    });
    let ordered_said = matches!(state, OrderState::Ordered | OrderState::Shipped);
    Order { state, ordered_said, ..placed }
}

fn everywhere() -> [OrderState; 7] {
    [
        OrderState::Pending,
        OrderState::Ordered,
        by_rule(),
        unavailable(),
        OrderState::Cancelling,
        OrderState::Canceled,
        OrderState::Shipped,
    ]
}

fn by_rule() -> OrderState {
    OrderState::Rejected(Rejection::Rule("no".to_owned()))
}

fn unavailable() -> OrderState {
    OrderState::Rejected(Rejection::Unavailable)
}

/// Checks one column of the table: what the decision makes of every state; states that are not named stay.
fn check(decide: impl Fn(&Order) -> Decision, expected: &[(OrderState, OrderState, Option<Fact>)]) {
    for state in everywhere() {
        let order = an_order(state.clone());
        let decision = decide(&order);
        match expected.iter().find(|(from, ..)| *from == state) {
            None => assert_eq!(decision, Decision::Unchanged, "from {state:?}"),
            Some((_, becomes, says)) => {
                let Decision::Changed(changed, said) = decision else { panic!("unchanged from {state:?}") };
                assert_eq!((&changed.state, said), (becomes, *says), "from {state:?}");
                assert_eq!(changed.version.0, order.version.0 + 1);
                assert_eq!((changed.changed_at, changed.placed_at), (LATER, order.placed_at));
                assert_eq!(changed.ordered_said, order.ordered_said || said == Some(Fact::Ordered));
            }
        }
    }
}

#[test]
fn placing_takes_the_order_as_pending() {
    let order = an_order(OrderState::Pending);
    assert_eq!((order.version.0, order.ordered_said, order.deferred_said), (1, false, false));
    assert_eq!((order.placed_at, order.changed_at), (Moment(10), Moment(10)));
}

#[test]
fn rents_confirmation_orders_a_pending_order_and_nothing_else() {
    check(
        |order| confirm_order(order, LATER),
        &[(OrderState::Pending, OrderState::Ordered, Some(Fact::Ordered))],
    );
}

#[test]
fn a_refusal_rejects_a_pending_order_and_nothing_else() {
    for state in [by_rule(), unavailable()] {
        let OrderState::Rejected(rejection) = state.clone() else { panic!("a rejection") };
        check(
            |order| reject_order(order, rejection.clone(), LATER),
            &[(OrderState::Pending, state.clone(), Some(Fact::OrderRejected))],
        );
    }
}

#[test]
fn the_key_is_free_again_only_when_the_order_was_rejected_as_unavailable() {
    for (rejection, free) in [(Rejection::Unavailable, true), (Rejection::Rule("no".to_owned()), false)] {
        let Decision::Changed(rejected, _) = reject_order(&an_order(OrderState::Pending), rejection, LATER)
        else {
            panic!("unchanged")
        };
        assert_eq!(rejected.idempotency_key.is_none(), free);
    }
}

#[test]
fn deferring_is_said_once() {
    check(
        |order| defer_order(order, LATER),
        &[(OrderState::Pending, OrderState::Pending, Some(Fact::OrderDeferred))],
    );
    let Decision::Changed(deferred, _) = defer_order(&an_order(OrderState::Pending), LATER) else {
        panic!("unchanged")
    };
    assert_eq!(defer_order(&deferred, LATER), Decision::Unchanged);
}

#[test]
fn cancelling_is_possible_until_the_courier_has_the_parcel() {
    let says = Some(Fact::OrderCancelled);
    check(
        |order| cancel_order(order, LATER).unwrap_or(Decision::Unchanged),
        &[
            (OrderState::Pending, OrderState::Cancelling, says),
            (OrderState::Ordered, OrderState::Cancelling, says),
        ],
    );
    assert_eq!(cancel_order(&an_order(OrderState::Shipped), LATER), Err(CancelRefused::AlreadyShipped));
    for rejected in [by_rule(), unavailable()] {
        assert_eq!(cancel_order(&an_order(rejected), LATER), Err(CancelRefused::AlreadyRejected));
    }
    for repeat in [OrderState::Cancelling, OrderState::Canceled] {
        assert_eq!(cancel_order(&an_order(repeat), LATER), Ok(Decision::Unchanged));
    }
}

#[test]
fn delivery_makes_a_cancellation_final() {
    check(
        |order| on_delivery_canceled(order, LATER),
        &[(OrderState::Cancelling, OrderState::Canceled, None)],
    );
}

#[test]
fn the_courier_was_faster_than_the_cancellation() {
    let shipped = |from, says| (from, OrderState::Shipped, says);
    check(
        |order| on_cancel_rejected(order, LATER),
        &[
            shipped(OrderState::Cancelling, Some(Fact::Ordered)),
            shipped(OrderState::Pending, Some(Fact::Ordered)),
            shipped(by_rule(), Some(Fact::Ordered)),
            shipped(unavailable(), Some(Fact::Ordered)),
        ],
    );
}

#[test]
fn a_parcel_that_was_handed_over_ships_the_order() {
    let shipped = |from, says| (from, OrderState::Shipped, says);
    check(
        |order| on_handed_over(order, LATER),
        &[
            shipped(OrderState::Ordered, None),
            shipped(OrderState::Cancelling, Some(Fact::Ordered)),
            shipped(OrderState::Pending, Some(Fact::Ordered)),
            shipped(by_rule(), Some(Fact::Ordered)),
            shipped(unavailable(), Some(Fact::Ordered)),
        ],
    );
}

#[test]
fn ordered_is_not_said_again_when_a_confirmed_order_ships_after_its_cancellation() {
    let Ok(Decision::Changed(cancelling, _)) = cancel_order(&an_order(OrderState::Ordered), LATER) else {
        panic!("not cancelled")
    };
    for decision in [on_handed_over(&cancelling, LATER), on_cancel_rejected(&cancelling, LATER)] {
        assert!(matches!(decision, Decision::Changed(_, None)), "{decision:?}");
    }
}

#[test]
fn items_customers_and_keys_are_checked_on_the_way_in() {
    assert!(Item::parse("코스모스").is_some() && Item::parse(&"가".repeat(500)).is_some());
    for bad in ["", " \u{3000}", "a\u{7}b", &"가".repeat(501)] {
        assert_eq!(Item::parse(bad), None, "{bad:?}");
    }
    assert!(Customer::parse(&"가".repeat(100)).is_some());
    for bad in ["", "a\nb", &"가".repeat(101)] {
        assert_eq!(Customer::parse(bad), None, "{bad:?}");
    }
    assert!(IdempotencyKey::parse(&"k".repeat(255)).is_some());
    for bad in ["", "a b", "열쇠", &"k".repeat(256)] {
        assert_eq!(IdempotencyKey::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn what_a_customer_is_told_follows_from_the_committed_order() {
    let told = everywhere().map(|state| {
        let order = an_order(state);
        match answer_placed(&order) {
            PlaceAnswer::Taken => "201".to_owned(),
            PlaceAnswer::Deferred => "202".to_owned(),
            PlaceAnswer::Refused(reason) => format!("409 {reason}"),
            PlaceAnswer::Unavailable => "503".to_owned(),
        }
    });
    assert_eq!(told, ["202", "201", "409 no", "503", "201", "201", "201"]);
}
