//! The view does not depend on the sequence: shown for every row and every two facts, which makes it so for every
//! number of them.

use contracts::Timestamp;
use model::contexts::ORDER;
use mypage::projection::{Fact, OrderFact, Row};

/// Contributions that differ in everything in which two events of one fact can differ.
fn contributions(fact: Fact) -> Vec<OrderFact> {
    let text = |text: &str| Some(text.to_owned());
    let with = |at, item, customer, reason| OrderFact {
        order_id: ORDER,
        fact,
        at: Timestamp(at),
        item,
        customer,
        reason,
    };
    vec![
        with(1, None, text("b"), None),
        with(2, text("a"), None, text("r")),
        with(1, text("b"), text("a"), None),
    ]
}

fn learned(mut row: Row, facts: &[&OrderFact]) -> Row {
    for fact in facts {
        row.learn((*fact).clone());
    }
    row
}

#[test]
fn any_two_facts_may_change_places_or_come_twice_whatever_is_known_already() {
    let mut compared = 0_u64;
    let all: Vec<_> = Fact::ALL.into_iter().flat_map(contributions).collect();
    for known in 1_u16..1 << Fact::ALL.len() {
        let known: Vec<_> = Fact::ALL.into_iter().filter(|fact| known & 1 << *fact as u16 != 0).collect();
        let mut known = known.into_iter().flat_map(|fact| contributions(fact).into_iter().take(1));
        let begun = Row::begin(known.next().expect("a fact"));
        let row = known.fold(begun, |row, fact| learned(row, &[&fact]));
        for (at, one) in all.iter().enumerate() {
            let after_one = learned(row.clone(), &[one]);
            assert_eq!(learned(after_one.clone(), &[one]), after_one, "{one:?} twice");
            for other in &all[..at] {
                let there = learned(after_one.clone(), &[other]);
                let back = learned(row.clone(), &[other, one]);
                assert_eq!(there, back, "{one:?} and {other:?}");
                assert_eq!((there.status(), there.history()), (back.status(), back.history()));
                compared += 1;
            }
        }
    }
    println!("{compared} pairs compared");
}

#[test]
fn a_row_may_begin_with_any_fact() {
    for one in Fact::ALL.into_iter().flat_map(contributions) {
        for other in Fact::ALL.into_iter().flat_map(contributions) {
            let there = learned(Row::begin(one.clone()), &[&other]);
            let back = learned(Row::begin(other.clone()), &[&one]);
            assert_eq!(there, back, "{one:?} and {other:?}");
        }
    }
}
