//! What the audit found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A breach of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Breach {
    /// The order.
    pub order_id: i64,
    /// Which invariant: 1 to 8, or 0 for the table of agreement.
    pub invariant: u8,
    /// What contradicts what.
    pub what: String,
}

/// What the audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Orders, rents of unknown orders included, that were looked at.
    pub orders: u64,
    /// Events on the topic.
    pub events: u64,
    /// Rents of orders that order does not know: allowed, and never handed over.
    pub foreign: u64,
    /// Orders whose events are still on their way: nothing can be said about them yet.
    pub under_way: u64,
    /// Dead letters that nobody has settled.
    pub dead_letters: u64,
    /// The breaches, by order id.
    pub breaches: Vec<Breach>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for breach in &self.breaches {
            writeln!(f, "order {}: {} (invariant {})", breach.order_id, breach.what, breach.invariant)?;
        }
        writeln!(
            f,
            "{} orders and {} events audited: {}",
            self.orders,
            self.events,
            if self.breaches.is_empty() {
                "clean".to_owned()
            } else {
                format!("{} breaches", self.breaches.len())
            }
        )?;
        if self.foreign > 0 {
            writeln!(
                f,
                "{} rents belong to orders that are not known here (foreign, allowed)",
                self.foreign
            )?;
        }
        if self.under_way > 0 {
            writeln!(
                f,
                "{} orders are still under way, nothing can be said of them yet; start what is stopped, settle the \
                 dead letters and audit again",
                self.under_way
            )?;
        }
        if self.dead_letters > 0 {
            writeln!(f, "{} dead letters are open; see `rentalbook tools dlq list`", self.dead_letters)?;
        }
        Ok(())
    }
}
