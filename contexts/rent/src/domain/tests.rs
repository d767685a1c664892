//! Every row of the state table.

use super::{
    Confirmation, Copy, Customer, Decision, Fact, Moment, OrderId, Policy, RULES, Refusal, Rent, RentId,
    RentState, Request, confirm_rent, on_cancel_rejected, on_delivery_canceled, on_order_cancelled,
    on_order_rejected,
};

const LATER: Moment = Moment(20);

fn a_request() -> Request {
    Request { new_id: RentId(3), order_id: OrderId(7), customer: Customer::parse("kim"), at: LATER }
}

fn a_rent(state: RentState) -> Rent {
    Rent::begin(&Request { at: Moment(10), ..a_request() }, state)
}

fn refused() -> RentState {
    RentState::Canceled(Copy::Refused("no".to_owned()))
}

fn tombstone() -> RentState {
    RentState::Canceled(Copy::Tombstone)
}

fn bound() -> RentState {
    RentState::Canceled(Copy::Bound)
}

fn free() -> RentState {
    RentState::Canceled(Copy::Free)
}

/// Every state, and no rent at all.
fn everywhere() -> Vec<Option<RentState>> {
    let states = [RentState::Rented, RentState::WithCourier, refused(), tombstone(), bound(), free()];
    std::iter::once(None).chain(states.map(Some)).collect()
}

/// Checks one column of the table: what the decision makes of every state; states that are not named stay.
fn check(
    decide: impl Fn(Option<&Rent>) -> Decision,
    expected: &[(Option<RentState>, RentState, Option<Fact>)],
) {
    for state in everywhere() {
        let rent = state.clone().map(a_rent);
        let decision = decide(rent.as_ref());
        match expected.iter().find(|(from, ..)| *from == state) {
            None => assert_eq!(decision, Decision::Unchanged, "from {state:?}"),
            Some((_, becomes, says)) => {
                let Decision::Changed(changed, said) = decision else { panic!("unchanged from {state:?}") };
                assert_eq!((&changed.state, said), (becomes, *says), "from {state:?}");
                assert_eq!(changed.version.0, rent.map_or(1, |rent| rent.version.0 + 1));
                assert_eq!(changed.changed_at, LATER);
            }
        }
    }
}

#[test]
fn order_cancelled_cancels_or_leaves_a_tombstone_and_always_says_so() {
    check(
        |rent| on_order_cancelled(rent, &a_request()),
        &[
            (None, tombstone(), Some(Fact::RentCanceled)),
            (Some(refused()), tombstone(), Some(Fact::RentCanceled)),
            (Some(RentState::Rented), bound(), Some(Fact::RentCanceled)),
        ],
    );
}

#[test]
fn order_rejected_undoes_a_rent_or_leaves_a_silent_tombstone() {
    check(
        |rent| on_order_rejected(rent, &a_request()),
        &[(None, tombstone(), None), (Some(RentState::Rented), bound(), Some(Fact::RentCanceled))],
    );
}

#[test]
fn only_delivery_frees_a_bound_copy() {
    check(|rent| on_delivery_canceled(rent, LATER), &[(Some(bound()), free(), None)]);
}

#[test]
fn only_a_bound_copy_is_reinstated() {
    check(
        |rent| on_cancel_rejected(rent, LATER),
        &[(Some(bound()), RentState::WithCourier, Some(Fact::RentReinstated))],
    );
}

#[test]
fn confirm_makes_one_rent_and_repeats_the_answer_it_gave() {
    let policy = Policy::default();
    for state in everywhere() {
        let rent = state.clone().map(a_rent);
        let answer = confirm_rent(rent.as_ref(), &a_request(), &policy);
        let cancelled = Refusal("this order was cancelled".to_owned());
        let expected = match state {
            None => Confirmation::Confirmed(Decision::Changed(
                Rent::begin(&a_request(), RentState::Rented),
                Some(Fact::Rented),
            )),
            Some(RentState::Rented | RentState::WithCourier) => Confirmation::Confirmed(Decision::Unchanged),
            Some(RentState::Canceled(Copy::Refused(reason))) => {
                Confirmation::Refused(Decision::Unchanged, Refusal(reason))
            }
            Some(RentState::Canceled(Copy::Tombstone | Copy::Bound | Copy::Free)) => {
                Confirmation::Refused(Decision::Unchanged, cancelled)
            }
        };
        assert_eq!(answer, expected);
    }
}

#[test]
fn a_suspended_customer_is_refused_and_the_refusal_is_remembered_silently() {
    let policy = Policy { suspended: Customer::parse("kim").into_iter().collect() };
    let [not_suspended] = RULES else { panic!("a rule without a test") };
    assert!(not_suspended(&a_request(), &policy).is_err());
    assert!(not_suspended(&Request { customer: Customer::parse("lee"), ..a_request() }, &policy).is_ok());
    assert!(not_suspended(&Request { customer: None, ..a_request() }, &policy).is_ok());

    let Confirmation::Refused(Decision::Changed(remembered, None), refusal) =
        confirm_rent(None, &a_request(), &policy)
    else {
        panic!("not refused")
    };
    assert_eq!(remembered.state, RentState::Canceled(Copy::Refused(refusal.0)));
}

#[test]
fn a_customer_has_1_to_100_characters_and_no_control_characters() {
    assert!(Customer::parse("김독자").is_some());
    assert!(Customer::parse(&"가".repeat(100)).is_some());
    for bad in ["", "a\nb", &"가".repeat(101)] {
        assert_eq!(Customer::parse(bad), None, "{bad:?}");
    }
}
