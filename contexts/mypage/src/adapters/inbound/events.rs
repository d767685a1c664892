//! Records of the topic, as what they mean to the view.

use std::sync::Arc;

use async_trait::async_trait;
use platform_event_bus::{HandleError, Handler, Record};

use crate::{query::View, record::fact_in};

/// The consumer of the group `mypage`.
pub struct Events(pub Arc<dyn View>);

#[async_trait]
impl Handler for Events {
    async fn handle(&self, records: &[Record]) -> Result<(), HandleError> {
        let mut facts = Vec::with_capacity(records.len());
        for record in records {
            facts.extend(fact_in(record).map_err(|error| HandleError::Undeliverable(error.to_string()))?);
        }
        self.0.apply(facts).await.map_err(|unavailable| HandleError::Unavailable(unavailable.0))
    }

    async fn settle(&self) -> Result<(), HandleError> {
        self.0.settle().await.map_err(|unavailable| HandleError::Unavailable(unavailable.0))
    }
}
