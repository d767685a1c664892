//! First calls, gathered: orders that were placed at about the same time ask rent with one call, and what it
//! answers is committed together.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    Orders,
    confirm_order::a_change,
    ports::{AskRent, Unavailable},
};
use crate::domain::{Decision, Order};

/// Most orders in one call.
const MOST: usize = 256;

/// The next call begins when the last one has ended, or after this: a call that takes long holds up nobody else.
const HOLD_UP: Duration = Duration::from_millis(2);

/// An order that waits for its first call.
pub(super) struct FirstCall {
    pending: Order,
    correlation_id: Option<Arc<str>>,
    /// The order as it is committed after the call.
    reply: oneshot::Sender<Result<Order, Unavailable>>,
}

/// Where first calls gather.
pub(super) type FirstCalls = mpsc::UnboundedSender<FirstCall>;

impl Orders {
    /// These orders with their first calls gathered, which costs them a fraction; must be called in a runtime. For
    /// a rent that confirms many orders as easily as one.
    #[must_use]
    pub fn with_gathered_calls(self) -> Self {
        let (waiting, calls) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().gather(calls));
        Self { first_calls: Some(waiting), ..self }
    }

    /// Asks rent once for an order that has just been placed, and waits for it until then.
    pub(super) async fn first_call(
        &self,
        pending: Order,
        correlation_id: Option<Arc<str>>,
        until: Option<Instant>,
    ) -> Result<Order, Unavailable> {
        // Who has less time than usual would have to be late with the others.
        let waits =
            |until: Instant| until.saturating_duration_since(Instant::now()) >= self.policy.call_deadline;
        let Some(first_calls) = self.first_calls.as_ref().filter(|_| until.is_none_or(waits)) else {
            return Ok(self.ask_rent(pending, correlation_id, until, false).await?.order);
        };
        let (reply, answer) = oneshot::channel();
        let gone = |_| Unavailable::Away("the calls to rent have ended".to_owned());
        first_calls.send(FirstCall { pending, correlation_id, reply }).map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }

    /// Until nobody is left who could place an order.
    async fn gather(self, mut waiting: mpsc::UnboundedReceiver<FirstCall>) {
        let mut calls = Vec::new();
        while waiting.recv_many(&mut calls, MOST).await > 0 {
            let orders = self.clone();
            let together = std::mem::take(&mut calls);
            let calling = tokio::spawn(async move { orders.call_together(together).await });
            // Whether it has ended does not matter; it goes on by itself.
            let _ = timeout(HOLD_UP, calling).await;
        }
    }

    async fn call_together(&self, calls: Vec<FirstCall>) {
        let asks = calls.iter().map(|call| AskRent {
            order_id: call.pending.id,
            customer: call.pending.customer.clone(),
            correlation_id: call.correlation_id.clone(),
            repeated: false,
            answer_by: None,
        });
        let answers = self.rent.confirm_all(asks.collect()).await;
        let (mut changes, mut replies) = (Vec::with_capacity(calls.len()), Vec::with_capacity(calls.len()));
        for (call, answer) in calls.into_iter().zip(answers) {
            self.note_silence(&call.pending, &answer);
            match self.decide_answer(&call.pending, &answer) {
                Decision::Unchanged => drop(call.reply.send(Ok(call.pending))),
                Decision::Changed(changed, fact) => {
                    let correlation_id = call.correlation_id.clone();
                    let change = self.confirmed(a_change(&call.pending, changed, fact, correlation_id));
                    replies.push((call, answer, change.order.clone()));
                    changes.push(change);
                }
            }
        }
        match self.store.save_all(changes).await {
            Ok(results) => {
                for ((call, answer, changed), saved) in replies.into_iter().zip(results) {
                    let committed = match saved {
                        Ok(()) => Ok(changed),
                        // A cancel or an event was faster.
                        Err(_conflict) => {
                            let decide = |order: &Order| self.decide_answer(order, &answer);
                            self.commit(call.pending, call.correlation_id, decide).await
                        }
                    };
                    drop(call.reply.send(committed));
                }
            }
            Err(error) => {
                replies.into_iter().for_each(|(call, ..)| drop(call.reply.send(Err(error.clone()))))
            }
        }
    }
}
