//! What is on its way. Orders with something on its way prove nothing.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use contracts::decode;
use platform_event_bus::{DeadLetter, DeadLetters};

use super::{Audit, AuditError, tally::Topic};

/// What is on its way, at some moment.
pub(super) struct Moving {
    /// What the slowest group has committed, per partition.
    pub(super) committed: BTreeMap<u32, i64>,
    /// Orders with an event that is not published yet.
    waiting: HashSet<i64>,
    /// Orders with an event that is a dead letter: somebody has to decide about it.
    set_aside: HashSet<i64>,
}

impl Moving {
    /// Read before the topic is: an event that moves on in between is seen twice, never not. For the same reason
    /// what the groups have committed comes before what they set aside, which they do first.
    pub(super) async fn read(audit: &Audit) -> Result<Self, AuditError> {
        let committed = committed(audit).await?;
        let letters = open_letters(audit).await?;
        Ok(Self {
            committed,
            waiting: waiting(audit).await?,
            set_aside: letters.iter().filter_map(order_of).collect(),
        })
    }

    /// Whether nothing of an order is on its way, with what was read of the topic since.
    pub(super) fn is_quiet(&self, order_id: i64, topic: &Topic) -> bool {
        !self.waiting.contains(&order_id)
            && !self.set_aside.contains(&order_id)
            && topic.is_consumed(order_id, self)
    }
}

/// The dead letters that nobody has settled.
pub(super) async fn open_letters(audit: &Audit) -> Result<Vec<DeadLetter>, AuditError> {
    Ok(DeadLetters::new(Arc::clone(&audit.library.bus), &audit.library.topic).list().await?)
}

async fn committed(audit: &Audit) -> Result<BTreeMap<u32, i64>, AuditError> {
    let mut committed = BTreeMap::new();
    let library = &audit.library;
    for group in &library.groups {
        for position in library.bus.positions(&library.topic, group).await? {
            let least: &mut i64 = committed.entry(position.partition).or_insert(i64::MAX);
            *least = (*least).min(position.committed);
        }
    }
    Ok(committed)
}

async fn waiting(audit: &Audit) -> Result<HashSet<i64>, AuditError> {
    let mut waiting = HashSet::new();
    for outbox in &audit.library.outboxes {
        let keys = outbox.keys().await.map_err(|error| AuditError(error.to_string()))?;
        waiting.extend(keys.iter().filter_map(|key| order_in(key)));
    }
    Ok(waiting)
}

/// The order that a dead letter is about: what it says, or where that cannot be understood, its key.
fn order_of(letter: &DeadLetter) -> Option<i64> {
    match decode(&letter.record.value, String::new) {
        Ok(Some(event)) => Some(event.order_id),
        Ok(None) | Err(_) => order_in(letter.record.key.as_deref()?),
    }
}

fn order_in(key: &[u8]) -> Option<i64> {
    std::str::from_utf8(key).ok()?.parse().ok()
}
