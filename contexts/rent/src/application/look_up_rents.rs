//! Looking.

use super::{
    Rents,
    ports::{PageError, PageQuery, Unavailable},
};
use crate::domain::{OrderId, Rent, RentId};

impl Rents {
    /// One rent by its own id.
    pub async fn rent(&self, id: RentId) -> Result<Option<Rent>, Unavailable> {
        self.store.by_id(id).await
    }

    /// The rent of an order.
    pub async fn rent_of_order(&self, order_id: OrderId) -> Result<Option<Rent>, Unavailable> {
        self.store.by_order(order_id).await
    }

    /// A part of the collection, and how many rents there are.
    pub async fn page(&self, query: PageQuery) -> Result<(Vec<Rent>, u64), PageError> {
        self.store.page(query).await
    }
}
