//! Random commands, calls that get lost, processes that die, events that come late and twice: whatever happens in
//! whatever order, every order ends where its customer and its courier have sent it, and the audit is clean.
//!
//! The real decisions and use cases of all contexts, on the stores' fakes, without threads or time, so that a
//! failing case shrinks to the few steps that matter.

mod world;

use proptest::prelude::*;
use rentalbook::audit::Report;

use world::{Call, World};

/// What can happen. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Place { call: Call, suspended: bool },
    Cancel { order: usize },
    HandOver { order: usize },
    Publish { publisher: usize, at_most: usize },
    Consume { group: usize, at_most: usize, commits: bool },
    Resume { call: Call },
}

fn a_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => Just(Call::Answered),
        1 => Just(Call::AnswerLost),
        1 => Just(Call::NotReached),
        1 => Just(Call::DiedBefore),
        1 => Just(Call::DiedAfter),
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (a_call(), prop::bool::weighted(0.1)).prop_map(|(call, suspended)| Step::Place { call, suspended }),
        1 => any::<usize>().prop_map(|order| Step::Cancel { order }),
        2 => any::<usize>().prop_map(|order| Step::HandOver { order }),
        4 => (0..3_usize, 1..4_usize).prop_map(|(publisher, at_most)| Step::Publish { publisher, at_most }),
        6 => (0..4_usize, 1..5_usize, prop::bool::weighted(0.7))
            .prop_map(|(group, at_most, commits)| Step::Consume { group, at_most, commits }),
        1 => a_call().prop_map(|call| Step::Resume { call }),
    ]
}

async fn happen(world: &mut World, step: Step) {
    match step {
        Step::Place { call, suspended } => world.place(call, suspended).await,
        Step::Cancel { order } => world.cancel(order).await,
        Step::HandOver { order } => world.hand_over(order).await,
        Step::Publish { publisher, at_most } => world.publish(publisher, at_most).await,
        Step::Consume { group, at_most, commits } => world.consume(group, at_most, commits).await,
        Step::Resume { call } => world.resume(call).await,
    }
}

fn run(rejects: bool, steps: Vec<Step>) -> (Report, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(rejects);
        for step in steps {
            happen(&mut world, step).await;
        }
        world.settle().await;
        (world.audit().await, world.broken_promises().await)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_order_ends_where_it_was_sent_and_the_audit_is_clean(
        rejects in any::<bool>(),
        steps in prop::collection::vec(a_step(), 1..60),
    ) {
        let (report, broken) = run(rejects, steps);
        prop_assert!(report.breaches.is_empty() && report.under_way == 0, "{report}");
        prop_assert!(broken.is_empty(), "{broken:?}");
    }
}

#[test]
fn the_model_can_fail_where_an_event_is_lost() {
    let steps = [
        Step::Place { call: Call::Answered, suspended: false },
        Step::Publish { publisher: 0, at_most: 9 },
        Step::Publish { publisher: 1, at_most: 9 },
        Step::Cancel { order: 0 },
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let report = runtime.expect("a runtime").block_on(async {
        let mut world = World::new(false);
        for step in steps {
            happen(&mut world, step).await;
        }
        world.lose_what_order_has_to_say();
        world.settle().await;
        world.audit().await
    });
    assert!(report.breaches.iter().any(|breach| breach.order_id == 1), "{report}");
}
