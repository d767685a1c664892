//! What came of a drill of killing, as one line of a table.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use serde_json::Value;

use super::client::Memory;

/// What came of it.
pub(crate) struct Killed {
    pub(crate) wiring: &'static str,
    pub(crate) seed: u64,
    pub(crate) kills: u64,
    pub(crate) lasted: Duration,
    /// What the audit has said, and whether that was all that it may say.
    pub(crate) audit: String,
}

impl Killed {
    /// Prints its table: before anything is asserted, so that it is seen also where something is wrong.
    pub(crate) fn print(&self, memory: &Memory, orders: &BTreeMap<i64, Value>) {
        // Not captured: whoever runs the tests sees what was tried.
        let _ = std::io::stdout().write_all(self.table(memory, orders).as_bytes());
    }

    fn table(&self, memory: &Memory, orders: &BTreeMap<i64, Value>) -> String {
        let Self { wiring, seed, kills, lasted, audit } = self;
        let (lost, doubled) = (lost(memory, orders), doubled(orders));
        let audit = audit.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        format!(
            "\n| wiring | seed | kills | seconds | orders answered | of them 202 | cancels | hand-overs | no answer | \
             lost | doubled | audit |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n\
             | {wiring} | {seed} | {kills} | {:.0} | {} | {} | {} | {} | {} | {lost} | {doubled} | {audit} |\n",
            lasted.as_secs_f64(),
            memory.orders.len(),
            memory.deferred,
            memory.cancelled.len(),
            memory.handed_over.len(),
            memory.unanswered,
        )
    }
}

/// Orders that were answered and are not there any more, or are another's.
fn lost(memory: &Memory, orders: &BTreeMap<i64, Value>) -> usize {
    let is_there =
        |(id, item): &(&i64, &String)| orders.get(id).is_some_and(|order| order["item"] == item.as_str());
    memory.orders.iter().filter(|answered| !is_there(answered)).count()
}

/// Orders beyond the first for the same thing: nobody asks for a thing twice, but with its key.
fn doubled(orders: &BTreeMap<i64, Value>) -> usize {
    let mut items: Vec<_> = orders.values().map(|order| order["item"].to_string()).collect();
    items.sort_unstable();
    items.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// Whether an audit has nothing to say but that it is clean: it succeeds also beside rents without an order, orders under
/// way and dead letters, each in a line of its own.
pub(crate) fn is_clean(audit: &str) -> bool {
    let mut lines = audit.lines();
    lines.next().is_some_and(|line| line.ends_with(" events audited: clean")) && lines.next().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_lost_and_what_is_doubled_stands_in_the_table() {
        let mut memory = Memory { deferred: 1, unanswered: 5, ..Memory::default() };
        memory.orders = [(1, "a"), (2, "b"), (3, "c")].map(|(id, item)| (id, item.to_owned())).into();
        let orders = [(1, "a"), (2, "x"), (4, "a")].map(|(id, item)| (id, json!({ "item": item }))).into();
        let (audit, lasted) = ("4 orders and 9 events audited: clean\n".to_owned(), Duration::from_secs(7));
        let killed = Killed { wiring: "one machine", seed: 42, kills: 30, lasted, audit };
        let table = killed.table(&memory, &orders);
        let line = "| one machine | 42 | 30 | 7 | 3 | 1 | 0 | 0 | 5 | 2 | 1 | 4 orders and 9 events audited: clean |";
        assert_eq!(table.lines().last(), Some(line), "{table}");
        let columns = |line: &str| line.matches('|').count();
        assert!(table.trim().lines().all(|other| columns(other) == columns(line)), "{table}");
    }

    #[test]
    fn an_audit_is_clean_that_says_nothing_else() {
        assert!(is_clean("12 orders and 48 events audited: clean\n"));
        for other in [
            "12 orders and 48 events audited: clean\n1 rents belong to orders that are not known here (foreign, allowed)\n",
            "12 orders and 48 events audited: clean\n2 dead letters are open; see `rentalbook tools dlq list`\n",
            "order 7: lost (invariant 1)\n12 orders and 48 events audited: 1 breaches\n",
            "",
        ] {
            assert!(!is_clean(other), "{other}");
        }
    }
}
