//! order → rent, with faults.

use std::sync::Arc;

use async_trait::async_trait;
use order::application::ports::{AskRent, RentAnswer, RentDesk};

use super::Faults;

/// A [`RentDesk`] that is slow or fails.
pub(crate) struct FaultyDesk {
    pub(crate) desk: Arc<dyn RentDesk>,
    pub(crate) faults: Faults,
}

impl FaultyDesk {
    /// On its own: a rent that is slow does what it was asked also for who has gone.
    async fn on_its_own<T, F>(
        &self,
        asked: impl FnOnce(Arc<dyn RentDesk>) -> F + Send + 'static,
    ) -> Result<T, String>
    where
        F: Future<Output = T> + Send,
        T: Send + 'static,
    {
        let (desk, faults) = (Arc::clone(&self.desk), self.faults.clone());
        let answering = tokio::spawn(async move {
            faults.pass_rent().await?;
            Ok(asked(desk).await)
        });
        answering.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

#[async_trait]
impl RentDesk for FaultyDesk {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        let answer = self.on_its_own(|desk| async move { desk.confirm(ask).await }).await;
        answer.unwrap_or_else(RentAnswer::Unavailable)
    }

    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        let count = asks.len();
        let answers = self.on_its_own(|desk| async move { desk.confirm_all(asks).await }).await;
        answers.unwrap_or_else(|reason| vec![RentAnswer::Unavailable(reason); count])
    }
}
