//! Many orders confirmed with one request: each as `POST /rents` would, for a small part of what that costs.

use std::collections::HashSet;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use platform_http::{Methods, Object, Problem};
use serde::Serialize;

use super::{RENT_CANCELED, away, read_wish, shown};
use crate::{
    application::{ConfirmError, ConfirmRent, Confirmed, Rents},
    domain::{OrderId, Refusal},
};

/// What can be done here.
pub(super) static METHODS: Methods = Methods {
    allow: "OPTIONS,POST",
    instead: "Orders are confirmed here, with POST; what became of them is found under /rents.",
};

/// Most orders of a request. With the longest customers and ids they fit into the longest body.
const MOST: usize = 64;

/// Longest id of a request, in characters.
const LONGEST_ID: usize = 128;

#[derive(Serialize)]
struct Answers {
    confirmations: Vec<Answer>,
}

/// What became of an order. Without a status nobody knows: ask again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    order_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Answers in the order of what is asked. Where one is not understood, none is confirmed.
pub(super) async fn confirm_rents(State(rents): State<Rents>, body: Object) -> Result<Response, Problem> {
    let commands = read_commands(body)?;
    let orders: Vec<_> = commands.iter().map(|command| command.order_id).collect();
    let (mut confirmations, mut unavailable) = (Vec::with_capacity(orders.len()), Vec::new());
    for (OrderId(order_id), result) in orders.into_iter().zip(rents.confirm_rents(commands).await) {
        let (status, reason) = match result {
            Ok(Confirmed { rent, .. }) => (Some(shown(&rent.state).0), None),
            Err(ConfirmError::Refused(Refusal(reason))) => (Some(RENT_CANCELED), Some(reason)),
            Err(ConfirmError::Unavailable(error)) => {
                unavailable.push(error);
                (None, None)
            }
        };
        confirmations.push(Answer { order_id, status, reason });
    }
    match unavailable.pop() {
        Some(error) if unavailable.len() + 1 == confirmations.len() => Err(away(error)),
        _ => Ok(Json(Answers { confirmations }).into_response()),
    }
}

fn read_commands(body: Object) -> Result<Vec<ConfirmRent>, Problem> {
    let wishes = body.objects("confirmations", MOST)?;
    let mut known = HashSet::with_capacity(wishes.len());
    let command = |wish: &Object| {
        let order_id = OrderId(wish.id("orderId")?);
        if !known.insert(order_id) {
            return Err(wish.invalid("orderId", "The same one is there twice. Send it once."));
        }
        Ok(ConfirmRent {
            order_id,
            customer: read_wish(wish)?,
            correlation_id: wish.optional_text("requestId", 1, LONGEST_ID)?.map(Into::into),
        })
    };
    wishes.iter().map(command).collect()
}
