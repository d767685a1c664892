//! What the contexts decide, in every sequence.

use std::collections::BTreeSet;

use model::{configurations, run};

use crate::THREADS;

#[test]
fn the_process_holds_what_it_promises_in_every_sequence() {
    for configuration in configurations::small() {
        let name = configuration.name;
        let outcome = run::check(configuration, THREADS);
        println!(
            "{name}: {} states, {} steps, depth {}, {} properties, {:?}",
            outcome.states, outcome.steps, outcome.depth, outcome.properties, outcome.time
        );
        for breach in &outcome.breaches {
            println!("{name}: {breach}");
        }
        assert!(outcome.breaches.is_empty(), "{name}: see above");
    }
}

/// Changes that only happen beside a delivery that does not hold parcels until their order is confirmed, as the
/// original's does not: the courier has the parcel of an order that has never said Ordered.
fn is_beside_the_original(context: &str, change: &str) -> bool {
    let unconfirmed = change.split(", Hears").next().is_some_and(|from| !from.contains("Ordered"));
    context == "order" && unconfirmed && change.contains(": Shipped")
}

#[test]
fn every_change_that_a_context_decides_happens_somewhere() {
    let mut never: Option<BTreeSet<(&str, String)>> = None;
    let mut all = BTreeSet::new();
    for configuration in configurations::quick() {
        let changes = run::check(configuration, THREADS).changes;
        all.extend(changes.iter().map(|(context, change, _)| (*context, change.clone())));
        let not_taken = changes.into_iter().filter(|(.., taken)| !taken);
        let not_taken = not_taken.map(|(context, change, _)| (context, change)).collect();
        never = Some(match never {
            None => not_taken,
            Some(so_far) => &so_far & &not_taken,
        });
    }
    println!("{} changes", all.len());
    all.retain(|(context, change)| is_beside_the_original(context, change));
    assert_eq!(never, Some(all));
}
