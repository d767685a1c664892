//! Many orders with one request, where rent knows such requests: ours does, the original's does not.

use std::{collections::HashMap, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use futures_util::future::join_all;
use platform_http::Deadline;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{FoundRent, HttpRent, Silence, Wish, known, read, with_surroundings};
use crate::application::ports::{AskRent, RentAnswer};

/// Most orders of a request: rent takes so many.
pub(super) const ORDERS_AT_ONCE: usize = 64;

/// How long orders are asked for one by one after rent did not know a request for many.
const ONE_BY_ONE: Duration = Duration::from_secs(60);

impl HttpRent {
    /// At most [`ORDERS_AT_ONCE`]. The answers are in the order of the questions.
    pub(super) async fn ask_together(&self, asks: &[AskRent], deadline: Deadline) -> Vec<RentAnswer> {
        let alone = matches!(asks, [_]) || asks.iter().any(|ask| ask.repeated);
        if alone || self.one_by_one_until.lock().is_some_and(|until| Instant::now() < until) {
            return self.ask_one_by_one(asks, deadline).await;
        }
        match self.post_all(asks, deadline).await {
            Ok(Told::Answers(answers)) => answers,
            Ok(Told::NotKnown) => {
                *self.one_by_one_until.lock() = Some(Instant::now() + ONE_BY_ONE);
                self.ask_one_by_one(asks, deadline).await
            }
            Ok(Told::NotTaken) => self.ask_one_by_one(asks, deadline).await,
            // Which of them have reached rent, nobody knows: each is looked for, and none is asked for again.
            Err(silence) if silence.may_be_done => {
                let looks = asks.iter().map(|ask| self.look_for(ask, deadline, silence.clone()));
                let answer = |looked: Result<RentAnswer, Silence>| {
                    looked.unwrap_or_else(|silence| RentAnswer::Unavailable(silence.reason))
                };
                join_all(looks).await.into_iter().map(answer).collect()
            }
            Err(silence) => vec![RentAnswer::Unavailable(silence.reason); asks.len()],
        }
    }

    async fn ask_one_by_one(&self, asks: &[AskRent], deadline: Deadline) -> Vec<RentAnswer> {
        join_all(asks.iter().map(|ask| self.ask(ask, deadline))).await
    }

    async fn post_all(&self, asks: &[AskRent], deadline: Deadline) -> Result<Told, Silence> {
        let wish = |ask| Wanted { wish: Wish::of(ask), request_id: ask.correlation_id.as_deref() };
        let wanted = Confirmations { confirmations: asks.iter().map(wish).collect() };
        let body = serde_json::to_vec(&wanted).map_err(|error| Silence::before(error.to_string()))?;
        let request = Request::post("/rents/confirmations").header(header::CONTENT_TYPE, "application/json");
        // Rent's log of the request names the first of the orders'; its events name each order's own.
        let request = match asks {
            [first, ..] => with_surroundings(request, first, deadline),
            [] => request,
        };
        let answer = self.call(request, Body::from(body), deadline).await?;
        let status = answer.status();
        let body = read(answer).await?;
        match status {
            StatusCode::OK => answers(asks, &body).map(Told::Answers),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(Told::NotKnown),
            // Mostly it is one order that rent does not take; the others have nothing to do with it.
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Ok(Told::NotTaken)
            }
            _ => Err(Silence::before(format!("rent answered {status}"))),
        }
    }
}

/// What rent makes of a request for many. But for the first it has done nothing.
enum Told {
    /// What became of each.
    Answers(Vec<RentAnswer>),
    /// It does not know such requests.
    NotKnown,
    /// It does not take this one.
    NotTaken,
}

/// By order: an order that rent says nothing about has no answer.
fn answers(asks: &[AskRent], body: &[u8]) -> Result<Vec<RentAnswer>, Silence> {
    let found: Confirmations<Found> = serde_json::from_slice(body)
        .map_err(|error| Silence::before(format!("rent's answer is not understood: {error}")))?;
    let mut rents: HashMap<_, _> =
        found.confirmations.into_iter().map(|found| (found.order_id, found)).collect();
    let answer = |ask: &AskRent| {
        let Found { status, reason, .. } = rents.remove(&ask.order_id.0)?;
        known(vec![FoundRent { status: status?, reason }])
    };
    let silence = || RentAnswer::Unavailable("rent could not say what became of it".to_owned());
    Ok(asks.iter().map(answer).map(|answer| answer.unwrap_or_else(silence)).collect())
}

#[derive(Deserialize, Serialize)]
struct Confirmations<T> {
    confirmations: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wanted<'a> {
    #[serde(flatten)]
    wish: Wish<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    order_id: i64,
    status: Option<String>,
    reason: Option<String>,
}
