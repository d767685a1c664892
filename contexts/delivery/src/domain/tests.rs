//! Every row of the state table.

use super::{
    Customer, Decision, Delivery, DeliveryId,
    DeliveryState::{self, Canceled, HandedOver, Held, ReleaseRemembered, Released, Tombstone},
    Fact, HandOverRefused, Moment, Notice, OrderId, hand_over, on_ordered, on_rent_canceled, on_rented,
};

const EARLIER: Moment = Moment(10);
const LATER: Moment = Moment(20);
const OLD: DeliveryId = DeliveryId(3);
const NEW: DeliveryId = DeliveryId(9);

/// Every state, and no delivery at all.
const EVERYWHERE: [Option<DeliveryState>; 7] = [
    None,
    Some(ReleaseRemembered),
    Some(Held),
    Some(Released),
    Some(HandedOver),
    Some(Canceled),
    Some(Tombstone),
];

fn a_notice() -> Notice {
    Notice { order_id: OrderId(7), customer: Customer::parse("kim"), at: LATER }
}

fn a_delivery(state: DeliveryState) -> Delivery {
    let id = (state != ReleaseRemembered).then_some(OLD);
    Delivery::begin(&Notice { at: EARLIER, ..a_notice() }, id, state)
}

/// Checks one column of the table: what the decision makes of every state; states that are not named stay.
fn check(
    decide: impl Fn(Option<&Delivery>) -> Decision,
    expected: &[(Option<DeliveryState>, DeliveryState, Option<Fact>)],
) {
    for state in EVERYWHERE {
        let delivery = state.map(a_delivery);
        let decision = decide(delivery.as_ref());
        match expected.iter().find(|(from, ..)| *from == state) {
            None => assert_eq!(decision, Decision::Unchanged, "from {state:?}"),
            Some((_, becomes, says)) => {
                let Decision::Changed(changed, said) = decision else { panic!("unchanged from {state:?}") };
                assert_eq!((changed.state, said), (*becomes, *says), "from {state:?}");
                check_identity(delivery.as_ref(), &changed);
            }
        }
    }
}

/// What holds of every change: it counts, and a name is taken once, together with the time of beginning.
fn check_identity(before: Option<&Delivery>, after: &Delivery) {
    assert_eq!(after.order_id, OrderId(7));
    assert_eq!(after.version.0, before.map_or(1, |before| before.version.0 + 1));
    assert_eq!(after.changed_at, LATER);
    let expected = match (before.and_then(|before| before.id), after.state) {
        (_, ReleaseRemembered) => (None, LATER),
        (Some(id), _) => (Some(id), EARLIER),
        (None, _) => (Some(NEW), LATER),
    };
    assert_eq!((after.id, after.created_at), expected);
}

#[test]
fn ordered_releases_a_parcel_or_is_remembered() {
    check(
        |delivery| on_ordered(delivery, &a_notice()),
        &[(None, ReleaseRemembered, None), (Some(Held), Released, None)],
    );
}

#[test]
fn rented_prepares_one_parcel_and_holds_it_unless_released() {
    check(
        |delivery| on_rented(delivery, &a_notice(), NEW),
        &[
            (None, Held, Some(Fact::ParcelPrepared)),
            (Some(ReleaseRemembered), Released, Some(Fact::ParcelPrepared)),
        ],
    );
}

#[test]
fn rent_canceled_cancels_leaves_a_tombstone_or_is_rejected_every_time() {
    check(
        |delivery| on_rent_canceled(delivery, &a_notice(), NEW),
        &[
            (None, Tombstone, Some(Fact::DeliveryCanceled)),
            (Some(ReleaseRemembered), Tombstone, Some(Fact::DeliveryCanceled)),
            (Some(Held), Canceled, Some(Fact::DeliveryCanceled)),
            (Some(Released), Canceled, Some(Fact::DeliveryCanceled)),
            (Some(HandedOver), HandedOver, Some(Fact::CancelRejected)),
        ],
    );
}

#[test]
fn only_a_released_parcel_is_handed_over() {
    for state in EVERYWHERE {
        let delivery = state.map(a_delivery);
        let decision = hand_over(delivery.as_ref(), LATER);
        let expected = match state {
            Some(Released) => Ok(Decision::Changed(
                a_delivery(Released).become_state(HandedOver, LATER),
                Some(Fact::ParcelHandedOver),
            )),
            Some(HandedOver) => Ok(Decision::Unchanged),
            Some(Held) => Err(HandOverRefused::NotConfirmedYet),
            Some(Canceled) => Err(HandOverRefused::Canceled),
            None | Some(ReleaseRemembered | Tombstone) => Err(HandOverRefused::NoParcel),
        };
        assert_eq!(decision, expected, "from {state:?}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    assert!(HandOverRefused::NotConfirmedYet.reason().contains("try again shortly"));
    assert!(HandOverRefused::Canceled.reason().contains("do not hand this parcel over"));
}

fn by(customer: Option<&str>) -> Notice {
    Notice { customer: customer.and_then(Customer::parse), ..a_notice() }
}

#[test]
fn the_order_says_whose_parcel_it_is_whatever_the_rent_says() {
    let of_rent = |state| Delivery { customer: Customer::parse("lee"), ..a_delivery(state) };
    for order in [by(Some("kim")), by(None)] {
        for (state, becomes) in [(Held, Released), (Canceled, Canceled), (Tombstone, Tombstone)] {
            let delivery = of_rent(state);
            let changed =
                Delivery { customer: order.customer.clone(), ..delivery.become_state(becomes, LATER) };
            assert_eq!(on_ordered(Some(&delivery), &order), Decision::Changed(changed, None), "{state:?}");
        }
        let remembered = Delivery::begin(&order, None, ReleaseRemembered);
        let rent = by(Some("lee"));
        for decision in
            [on_rented(Some(&remembered), &rent, NEW), on_rent_canceled(Some(&remembered), &rent, NEW)]
        {
            let Decision::Changed(delivery, _) = decision else { panic!("unchanged") };
            assert_eq!(delivery.customer, order.customer, "from {remembered:?}");
            assert_eq!(on_ordered(Some(&delivery), &order), Decision::Unchanged, "a repeat");
        }
    }
}

#[test]
fn only_what_is_or_was_a_parcel_is_shown() {
    let shown = |state: &Option<DeliveryState>| state.is_some_and(DeliveryState::is_shown);
    let shown: Vec<_> = EVERYWHERE.into_iter().filter(shown).flatten().collect();
    assert_eq!(shown, [Held, Released, HandedOver, Canceled]);
}

#[test]
fn a_customer_has_1_to_100_characters_and_no_control_characters() {
    assert!(Customer::parse("김독자").is_some());
    assert!(Customer::parse(&"가".repeat(100)).is_some());
    for bad in ["", "a\nb", &"가".repeat(101)] {
        assert_eq!(Customer::parse(bad), None, "{bad:?}");
    }
}
