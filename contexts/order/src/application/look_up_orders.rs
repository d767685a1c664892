//! Looking.

use super::{
    Orders,
    ports::{PageError, PageQuery, Unavailable},
};
use crate::domain::{Order, OrderId};

impl Orders {
    /// One order.
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>, Unavailable> {
        self.store.by_id(id).await
    }

    /// A part of the collection, and how many orders there are.
    pub async fn page(&self, query: PageQuery) -> Result<(Vec<Order>, u64), PageError> {
        self.store.page(query).await
    }
}
