//! The verdict on one order, from what is known about it.

use order::domain::OrderState;

use super::{
    agreement::agrees,
    evidence::Evidence,
    said::{events_follow_events, events_have_their_rows, rows_have_their_events, said_once},
};

/// What the evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it must be.
    Clean,
    /// Not there yet; its events are on their way.
    UnderWay,
    /// Nothing of it is on its way: it waits for the worker that resumes orders.
    Pending,
    /// Invariant and contradiction, one or several. Nothing that is on its way can heal it.
    Breached(Breaches),
}

/// Invariant and contradiction.
pub(super) type Breaches = Vec<(u8, String)>;

/// What is known about the evidence itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calm {
    /// No row has changed between a moment before the topic was read and one after it.
    pub(super) steady: bool,
    /// Besides, none of its events is on its way, nor a dead letter.
    pub(super) quiet: bool,
    /// Nothing waits for a service that is stopped.
    pub(super) all_running: bool,
}

/// Judges one order. Its rows were read after the topic.
pub(super) fn check(evidence: &Evidence, calm: Calm) -> Verdict {
    let mut breaches = Vec::new();
    events_have_their_rows(evidence, &mut breaches);
    said_once(evidence, &mut breaches);
    let mut unsteady = Vec::new();
    events_follow_events(evidence, &mut unsteady);
    let mut unfinished = Vec::new();
    rows_have_their_events(evidence, &mut unfinished);
    views_agree(evidence, &mut unfinished);
    agrees(evidence, &mut unfinished);
    let agrees = unsteady.is_empty() && unfinished.is_empty();
    if calm.steady {
        breaches.append(&mut unsteady);
    }
    if calm.quiet {
        breaches.append(&mut unfinished);
    }
    if !breaches.is_empty() {
        return Verdict::Breached(breaches);
    }
    let order = evidence.order.as_ref().map(|order| &order.state);
    match order {
        Some(OrderState::Pending) if calm.quiet && calm.all_running => Verdict::Pending,
        // Only events make a cancellation final, and there are none.
        Some(OrderState::Cancelling) if calm.quiet && calm.all_running => {
            Verdict::Breached(vec![(8, "it stays where it is although all services run".to_owned())])
        }
        Some(OrderState::Pending | OrderState::Cancelling) => Verdict::UnderWay,
        Some(OrderState::Ordered | OrderState::Rejected(_) | OrderState::Canceled | OrderState::Shipped)
        | None => {
            if agrees {
                Verdict::Clean
            } else {
                Verdict::UnderWay
            }
        }
    }
}

/// Adds a breach where something that must hold does not.
pub(super) fn breach(breaches: &mut Breaches, invariant: u8, what: &str, holds: bool) {
    if !holds {
        breaches.push((invariant, what.to_owned()));
    }
}

/// Invariant 6.
fn views_agree(evidence: &Evidence, breaches: &mut Breaches) {
    breach(
        breaches,
        6,
        "the view differs from the one that the topic makes",
        evidence.row == evidence.rebuilt,
    );
}
