//! Random commands, alone and at the same moment, repeated with an Idempotency-Key, calls that get lost, processes that die, events that come late and twice: whatever happens in
//! whatever order, every order ends where its customer and its courier have sent it, and the audit is clean.
//!
//! The real decisions and use cases of all contexts, on the stores' fakes, without threads or time, so that a
//! failing case shrinks to the few steps that matter.

mod simulation;
mod world;

use proptest::prelude::*;
use rentalbook::audit::Report;

use world::{Call, Death, Defect, Setting, Wish, World};

/// What can happen. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Place { call: Call, wishes: Vec<Wish> },
    Cancel { order: usize },
    HandOver { order: usize },
    Publish { publisher: usize, at_most: usize },
    Consume { group: usize, at_most: usize, commits: bool },
    Resume { call: Call },
    Die(Death),
    PublishAgain { publisher: usize, back: usize },
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

/// Few keys and few things, so that requests are repeated, and keys are taken for something else.
fn a_wish() -> impl Strategy<Value = Wish> {
    let key = prop::option::weighted(0.6, 0..2_u8);
    let wish = |(suspended, key, thing)| Wish { suspended, key, thing };
    (prop::bool::weighted(0.1), key, 0..2_u8).prop_map(wish)
}

/// Requests at the same moment; most come alone.
fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    prop_oneof![2 => prop::collection::vec(a_wish(), 1), 1 => prop::collection::vec(a_wish(), 2..6)]
}

fn a_setting() -> impl Strategy<Value = Setting> {
    let setting = |(rejects, gathers)| Setting { rejects, gathers, ..Setting::default() };
    (any::<bool>(), any::<bool>()).prop_map(setting)
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (a_call(), wishes()).prop_map(|(call, wishes)| Step::Place { call, wishes }),
        1 => any::<usize>().prop_map(|order| Step::Cancel { order }),
        2 => any::<usize>().prop_map(|order| Step::HandOver { order }),
        4 => (0..3_usize, 1..4_usize).prop_map(|(publisher, at_most)| Step::Publish { publisher, at_most }),
        6 => (0..4_usize, 1..5_usize, prop::bool::weighted(0.7))
            .prop_map(|(group, at_most, commits)| Step::Consume { group, at_most, commits }),
        1 => a_call().prop_map(|call| Step::Resume { call }),
        1 => (0..4_usize, any::<bool>()).prop_map(|(writes, after)| Step::Die(Death { writes, after })),
        1 => (0..3_usize, 1..4_usize).prop_map(|(publisher, back)| Step::PublishAgain { publisher, back }),
    ]
}

async fn happen(world: &mut World, step: Step) {
    match step {
        Step::Place { call, wishes } => world.place(call, &wishes).await,
        Step::Cancel { order } => world.cancel(order).await,
        Step::HandOver { order } => world.hand_over(order).await,
        Step::Publish { publisher, at_most } => world.publish(publisher, at_most).await,
        Step::Consume { group, at_most, commits } => world.consume(group, at_most, commits).await,
        Step::Resume { call } => world.resume(call).await,
        Step::Die(death) => world.die(death),
        Step::PublishAgain { publisher, back } => world.forget_published(publisher, back),
    }
}

fn run(setting: Setting, steps: Vec<Step>, then: impl FnOnce(&mut World)) -> (Report, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(setting);
        for step in steps {
            happen(&mut world, step).await;
        }
        then(&mut world);
        world.settle().await;
        (world.audit().await, world.broken_promises().await)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_order_ends_where_it_was_sent_and_the_audit_is_clean(
        setting in a_setting(),
        steps in prop::collection::vec(a_step(), 1..60),
    ) {
        let (report, broken) = run(setting, steps, |_| ());
        prop_assert!(report.breaches.is_empty() && report.under_way == 0, "{report}");
        prop_assert!(broken.is_empty(), "{broken:?}");
    }
}

fn a_request(key: Option<u8>, thing: u8) -> Wish {
    Wish { suspended: false, key, thing }
}

#[test]
fn a_repeat_is_answered_with_the_same_order_and_after_a_refusal_for_silence_with_a_new_one() {
    for gathers in [false, true] {
        let (one, other, third) = (a_request(Some(1), 1), a_request(Some(1), 0), a_request(Some(0), 0));
        let place =
            |call, wishes: &[&Wish]| Step::Place { call, wishes: wishes.iter().copied().cloned().collect() };
        let steps = vec![
            place(Call::NotReached, &[&one]),
            place(Call::DiedAfter, &[&one]),
            place(Call::Answered, &[&one, &other, &one]),
            place(Call::Answered, &[&third, &third, &a_request(Some(0), 1)]),
            Step::Resume { call: Call::Answered },
            place(Call::Answered, &[&other, &one]),
        ];
        let setting = Setting { rejects: true, gathers, ..Setting::default() };
        let (report, broken) = run(setting, steps, |_| ());
        assert!(report.breaches.is_empty() && report.under_way == 0, "{report}");
        assert!(broken.is_empty(), "{broken:?}");
        assert!(report.to_string().starts_with("3 orders"), "{report}");
    }
}

#[test]
fn the_model_can_fail_where_an_event_is_lost() {
    let steps = vec![
        Step::Place { call: Call::Answered, wishes: vec![a_request(None, 0)] },
        Step::Publish { publisher: 0, at_most: 9 },
        Step::Publish { publisher: 1, at_most: 9 },
        Step::Cancel { order: 0 },
    ];
    let (report, _) = run(Setting::default(), steps, World::lose_what_order_has_to_say);
    assert!(report.breaches.iter().any(|breach| breach.order_id == 1), "{report}");
}

#[test]
fn the_model_can_fail_where_a_key_is_forgotten() {
    let forgetful = Setting { defect: Some(Defect::ForgetsKeys), ..Setting::default() };
    let one = a_request(Some(1), 1);
    let together = Step::Place { call: Call::Answered, wishes: vec![one.clone(), one.clone()] };
    let alone = || Step::Place { call: Call::Answered, wishes: vec![one.clone()] };
    for steps in [vec![together], vec![alone(), alone()]] {
        let (_, broken) = run(forgetful, steps, |_| ());
        assert!(broken.iter().any(|broken| broken.contains("key 1 has")), "{broken:?}");
    }
}
