//! Every planted defect is found, by the property that is there for it. A model that finds nothing anywhere proves
//! nothing.

use std::collections::BTreeSet;

use model::{
    configurations::{self, Configuration},
    defect::Defect,
    properties, run,
};

use crate::THREADS;

/// The configuration of a name.
fn configuration(name: &str) -> Configuration {
    let mut all = configurations::small().into_iter();
    all.find(|configuration| configuration.name == name).expect("there is one of this name")
}

#[track_caller]
fn is_found(defect: Defect, name: &str, property: &'static str) {
    let found = run::find(configuration(name), defect, property);
    let Some((steps, counterexample)) = found else { panic!("{defect:?} was not found by: {property}") };
    println!("{defect:?}: {property}; {steps} steps\n{counterexample}");
}

#[test]
fn a_rent_that_forgets_a_cancellation_confirms_the_order_afterwards() {
    is_found(Defect::NoRentTombstone, "defer", properties::AGREEMENT);
}

#[test]
fn a_delivery_that_forgets_a_cancellation_prepares_a_parcel_afterwards() {
    is_found(Defect::NoDeliveryTombstone, "defer", properties::AGREEMENT);
}

#[test]
fn a_copy_that_is_freed_at_once_may_be_with_the_courier() {
    is_found(Defect::CopyFreedAtOnce, "defer", properties::FREED_LATE);
}

#[test]
fn a_parcel_that_was_cancelled_is_not_handed_over() {
    is_found(Defect::HandOverAfterCancel, "defer", properties::ONE_WINS);
}

#[test]
fn a_parcel_that_is_not_held_reaches_a_customer_whose_order_was_refused() {
    is_found(Defect::ParcelNotHeld, "reject", properties::CONFIRMED_FIRST);
    is_found(Defect::ParcelNotHeld, "reject", properties::ANSWER_HOLDS);
}

/// The original's delivery holds nothing. Beside it order keeps up, late: all agree in the end, but what some customers
/// were told was not true.
#[test]
fn beside_a_delivery_that_holds_no_parcels_all_agree_in_the_end() {
    let outcome = run::check_with(configurations::afterwards(), Defect::ParcelNotHeld, THREADS);
    let broken: BTreeSet<_> = outcome.breaches.iter().map(|(property, _)| *property).collect();
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
    is_found(Defect::PostAnsweredFromReply, "reject", properties::ANSWER_HOLDS);
}

#[test]
fn a_reinstated_rent_that_hears_a_late_cancel_is_cancelled_again() {
    is_found(Defect::ReinstatedHearsCancels, "defer", properties::FINAL);
    is_found(Defect::ReinstatedHearsCancels, "defer", properties::SAID_ONCE);
}

#[test]
fn a_rent_that_is_deaf_to_rejections_lives_on_without_an_order() {
    is_found(Defect::DeafToRejections, "reject", properties::AGREEMENT);
}

#[test]
fn a_cancellation_that_is_overwritten_is_lost() {
    is_found(Defect::CancelOverwritten, "defer", properties::AGREEMENT);
}

#[test]
fn an_order_that_says_ordered_again_is_noticed() {
    is_found(Defect::OrderedSaidAgain, "defer", properties::SAID_ONCE);
}
