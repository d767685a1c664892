//! Looking: tombstones and remembered releases are nobody's business outside.

use super::{
    Deliveries,
    ports::{PageError, PageQuery, Unavailable},
};
use crate::domain::{Delivery, DeliveryId, OrderId};

impl Deliveries {
    /// One delivery by its own id.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        Ok(self.store.by_id(id).await?.filter(is_shown))
    }

    /// The delivery of an order.
    pub async fn delivery_of_order(&self, order_id: OrderId) -> Result<Option<Delivery>, Unavailable> {
        Ok(self.store.by_order(order_id).await?.filter(is_shown))
    }

    /// A part of the collection, and how many deliveries there are.
    pub async fn page(&self, query: PageQuery) -> Result<(Vec<Delivery>, u64), PageError> {
        self.store.page(query).await
    }
}

fn is_shown(delivery: &Delivery) -> bool {
    delivery.state.is_shown()
}
