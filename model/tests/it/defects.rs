//! Every planted defect is found, by the property that is there for it. A model that finds nothing anywhere proves
//! nothing.

use std::collections::BTreeSet;

use model::{configurations, defect::Defect, properties, run};

use crate::THREADS;

#[track_caller]
fn is_found(defect: Defect, property: &'static str) {
    let Some((steps, counterexample)) = run::find(defect, property) else {
        panic!("{defect:?} was not found by: {property}")
    };
    println!("{defect:?}: {property}; {steps} steps\n{counterexample}");
}

#[test]
fn without_a_defect_nothing_is_found_where_they_are() {
    for configuration in Defect::ALL.map(Defect::shows_in) {
        assert!(run::check(configuration, THREADS).breaches.is_empty());
    }
}

#[test]
fn a_rent_that_forgets_a_cancellation_confirms_the_order_afterwards() {
    is_found(Defect::NoRentTombstone, properties::AGREEMENT);
}

#[test]
fn a_delivery_that_forgets_a_cancellation_prepares_a_parcel_afterwards() {
    is_found(Defect::NoDeliveryTombstone, properties::AGREEMENT);
}

#[test]
fn a_copy_that_is_freed_at_once_may_be_with_the_courier() {
    is_found(Defect::CopyFreedAtOnce, properties::FREED_LATE);
}

#[test]
fn a_parcel_that_was_cancelled_is_not_handed_over() {
    is_found(Defect::HandOverAfterCancel, properties::ONE_WINS);
}

#[test]
fn a_parcel_that_is_not_held_reaches_a_customer_whose_order_was_refused() {
    is_found(Defect::ParcelNotHeld, properties::CONFIRMED_FIRST);
    is_found(Defect::ParcelNotHeld, properties::ANSWER_HOLDS);
}

/// The original's delivery holds nothing. Beside it order keeps up, late: all agree in the end, but what some customers
/// were told was not true.
#[test]
fn beside_a_delivery_that_holds_no_parcels_all_agree_in_the_end() {
    let outcome = run::check_with(configurations::afterwards(), Defect::ParcelNotHeld, THREADS);
    let broken: BTreeSet<_> = outcome.breaches.iter().map(|breach| breach.property).collect();
    let expected =
        [properties::CONFIRMED_FIRST, properties::ANSWER_HOLDS, properties::PROMISES_HOLD, properties::FINAL];
    assert_eq!(broken, expected.into());
    // Not even there: what a rule refuses gets no copy, and a rent is only cancelled after its order was.
    let impossible = |change: &str| {
        change.starts_with("Rejected by a rule")
            || (change.starts_with("Pending") && change.contains("CancelRejected"))
    };
    let surprising: Vec<_> =
        outcome.changes.iter().filter(|(_, change, taken)| *taken == impossible(change)).collect();
    assert!(surprising.is_empty(), "{surprising:?}");
}

#[test]
fn rents_reply_is_not_what_became_of_the_order() {
    is_found(Defect::PostAnsweredFromReply, properties::ANSWER_HOLDS);
}

#[test]
fn a_reinstated_rent_that_hears_a_late_cancel_is_cancelled_again() {
    is_found(Defect::ReinstatedHearsCancels, properties::FINAL);
    is_found(Defect::ReinstatedHearsCancels, properties::SAID_ONCE);
}

#[test]
fn a_rent_that_is_deaf_to_rejections_lives_on_without_an_order() {
    is_found(Defect::DeafToRejections, properties::AGREEMENT);
}

#[test]
fn a_cancellation_that_is_overwritten_is_lost() {
    is_found(Defect::CancelOverwritten, properties::AGREEMENT);
}

#[test]
fn an_order_that_says_ordered_again_is_noticed() {
    is_found(Defect::OrderedSaidAgain, properties::SAID_ONCE);
}
