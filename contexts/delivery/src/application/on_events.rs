//! What the events of order and rent do to deliveries.
//!
//! One file for the three reactions: they are loaded, decided and saved together, as one batch. What each of them
//! decides is a file of its own in `domain/`.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Deliveries,
    ports::{Said, Save, Unavailable},
};
use crate::domain::{
    Customer, Decision, Delivery, DeliveryId, Notice, OrderId, Version, on_ordered, on_rent_canceled,
    on_rented,
};

/// An event that concerns delivery.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// The order that it is about.
    pub order_id: OrderId,
    /// Whose order it is, where the event says so.
    pub customer: Option<Customer>,
    /// What has happened.
    pub kind: ReactionKind,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactionKind {
    /// The order is confirmed.
    Ordered,
    /// A copy is bound to the order.
    Rented,
    /// The rent is cancelled.
    RentCanceled,
}

/// A delivery in the course of a batch.
#[derive(Default)]
struct InBatch {
    expected: Option<Version>,
    was_shown: bool,
    delivery: Option<Delivery>,
    facts: Vec<Said>,
}

impl Deliveries {
    /// Applies events, in their order, in one transaction; those whose delivery somebody else changed meanwhile
    /// again.
    pub async fn on_events(&self, mut reactions: Vec<Reaction>) -> Result<(), Unavailable> {
        while !reactions.is_empty() {
            let lost = self.react_once(&reactions).await?;
            reactions.retain(|reaction| lost.contains(&reaction.order_id));
        }
        Ok(())
    }

    /// Returns the orders whose delivery was changed by somebody else.
    async fn react_once(&self, reactions: &[Reaction]) -> Result<Vec<OrderId>, Unavailable> {
        let mut batch = self.load(reactions).await?;
        for reaction in reactions {
            if let Some(entry) = batch.get_mut(&reaction.order_id) {
                self.decide(entry, reaction).await?;
            }
        }
        let changes: Vec<_> = batch.into_values().filter_map(InBatch::into_change).collect();
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let orders: Vec<_> = changes.iter().map(|change| change.delivery.order_id).collect();
        let results = self.store.save_all(changes).await?;
        Ok(orders
            .into_iter()
            .zip(results)
            .filter(|(_, result)| result.is_err())
            .map(|(order, _)| order)
            .collect())
    }

    async fn load(&self, reactions: &[Reaction]) -> Result<BTreeMap<OrderId, InBatch>, Unavailable> {
        // By order id, so that two who save the same orders take them in the same sequence.
        let mut batch: BTreeMap<_, _> =
            reactions.iter().map(|reaction| (reaction.order_id, InBatch::default())).collect();
        let orders: Vec<_> = batch.keys().copied().collect();
        for delivery in self.store.by_orders(&orders).await? {
            if let Some(entry) = batch.get_mut(&delivery.order_id) {
                *entry = InBatch {
                    expected: Some(delivery.version),
                    was_shown: delivery.state.is_shown(),
                    delivery: Some(delivery),
                    facts: Vec::new(),
                };
            }
        }
        Ok(batch)
    }

    async fn decide(&self, entry: &mut InBatch, reaction: &Reaction) -> Result<(), Unavailable> {
        let delivery = entry.delivery.as_ref();
        let Reaction { order_id, ref customer, kind, ref correlation_id } = *reaction;
        let notice = Notice { order_id, customer: customer.clone(), at: self.clock.now() };
        let decision = match kind {
            ReactionKind::Ordered => on_ordered(delivery, &notice),
            ReactionKind::Rented => on_rented(delivery, &notice, self.id_for(delivery).await?),
            ReactionKind::RentCanceled => on_rent_canceled(delivery, &notice, self.id_for(delivery).await?),
        };
        if let Decision::Changed(delivery, fact) = decision {
            let (version, at) = (delivery.version, delivery.changed_at);
            let said = fact.map(|fact| Said { fact, version, at, correlation_id: correlation_id.clone() });
            entry.facts.extend(said);
            entry.delivery = Some(delivery);
        }
        Ok(())
    }

    /// The id that the delivery has, or else will take.
    async fn id_for(&self, delivery: Option<&Delivery>) -> Result<DeliveryId, Unavailable> {
        match delivery.and_then(|delivery| delivery.id) {
            Some(id) => Ok(id),
            None => self.store.next_id().await,
        }
    }
}

impl InBatch {
    /// What is to be saved, if anything.
    fn into_change(self) -> Option<Save> {
        let Self { expected, was_shown, delivery, facts } = self;
        let delivery = delivery.filter(|delivery| expected != Some(delivery.version))?;
        Some(Save { expected, was_shown, delivery, facts })
    }
}
