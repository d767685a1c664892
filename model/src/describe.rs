//! Counterexamples for people.

use std::fmt::Write as _;

use mypage::projection::Status;
use stateright::Path;

use crate::{
    actions::Action,
    lending::Lending,
    state::{Breach, Consumer, Post, State},
    table::{Row, Table},
};

/// A way, a step a line: who did what, and what was so afterwards.
#[must_use]
pub fn path(lending: &Lending, path: Path<State, Action>) -> String {
    let mut text = String::new();
    let mut steps = path.into_vec().into_iter().peekable();
    let mut number = 0;
    while let Some((_, action)) = steps.next() {
        if let (Some(action), Some((after, _))) = (action, steps.peek()) {
            number += 1;
            let action = format!("{action:?}");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{number:>3} {action:<36} {}", state(lending, after));
        }
    }
    text
}

/// A state in a line.
#[must_use]
pub fn state(lending: &Lending, state: &State) -> String {
    let mut parts = vec![
        format!("order {}", name(&lending.orders, state.order)),
        format!("rent {}", name(&lending.rents, state.rent)),
        format!("delivery {}", name(&lending.deliveries, state.delivery)),
        format!("mypage {}", lending.shown(state.known).map_or("-", Status::as_str)),
    ];
    if state.post != Post::ToCome {
        parts.push(format!("POST {:?}", state.post));
    }
    if state.worker_calls() > 0 {
        parts.push(format!("worker {} asking, {:?} answered", state.asking, state.replies));
    }
    for consumer in Consumer::ALL {
        let waiting = state.waiting[consumer as usize];
        if !waiting.is_empty() {
            parts.push(format!("to {consumer:?} {waiting:?}"));
        }
    }
    for breach in [Breach::SaidTwice, Breach::FinalLeft, Breach::PromiseBroken, Breach::EndDiffers] {
        if state.has(breach) {
            parts.push(format!("!! {breach:?}"));
        }
    }
    parts.join("; ")
}

fn name<R: Row>(rows: &Table<R>, number: u8) -> String {
    rows.row(number).map_or_else(|| "-".to_owned(), R::name)
}

/// Every change that a context decides, as `from, input, to`, and whether the checker came by it.
#[must_use]
pub fn changes(lending: &Lending) -> Vec<(&'static str, String, bool)> {
    fn of<R: Row>(context: &'static str, rows: &Table<R>) -> Vec<(&'static str, String, bool)> {
        let changes = rows.changes();
        changes.map(|(from, input, to, taken)| (context, format!("{from}, {input:?}: {to}"), taken)).collect()
    }
    [of("order", &lending.orders), of("rent", &lending.rents), of("delivery", &lending.deliveries)].concat()
}
