//! Between order and rent: what gets there, and what comes back.

use std::sync::Arc;

use async_trait::async_trait;
use order::application::ports::{AskRent, RentAnswer, RentDesk};
use parking_lot::Mutex;
use rent::application::Rents;

use super::{
    super::world::{answer, command},
    Defect,
    fate::{Life, Port},
    processes::Running,
};

/// Rent, as order reaches it.
pub(super) struct Network {
    /// Order's.
    pub(super) life: Life,
    pub(super) running: Arc<Mutex<Running>>,
}

#[async_trait]
impl RentDesk for Network {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        let confirm = async |rents: Rents| vec![rents.confirm_rent(command(ask)).await];
        self.call(1, |rents| async move { confirm(rents).await.into_iter().map(answer).collect() })
            .await
            .remove(0)
    }

    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        let number = asks.len();
        let commands = asks.into_iter().map(command).collect();
        let confirm = |rents: Rents| async move {
            rents.confirm_rents(commands).await.into_iter().map(answer).collect()
        };
        let answers = self.call(number, confirm).await;
        assert!(!self.life.fate.has(Defect::PanicsTogether), "planted");
        answers
    }
}

impl Network {
    /// What has got to rent goes on there, whatever becomes of order.
    async fn call<W>(&self, questions: usize, confirm: impl FnOnce(Rents) -> W) -> Vec<RentAnswer>
    where
        W: Future<Output = Vec<RentAnswer>> + Send + 'static,
    {
        let silence = |why: &str| vec![RentAnswer::Unavailable(why.to_owned()); questions];
        let Life { fate, who, .. } = &self.life;
        let is_cut = || fate.is_cut(*who, Port::Rent);
        if self.life.before(Port::Rent, "ask rent").await.is_err() {
            return silence("not reached");
        }
        let Some(rent) = self.running.lock().rent.clone() else { return silence("nobody there") };
        let Some(answers) = rent.ask(confirm(rent.does.clone())).await else {
            return silence("it broke off");
        };
        fate.say(format_args!("{who:?}: rent was asked for {questions}: {answers:?}"));
        if is_cut() || fate.fails() {
            fate.harm(*who, "ask rent", "answer of rent lost");
            return silence("the answer was lost");
        }
        self.life.pass_time().await;
        answers
    }
}
