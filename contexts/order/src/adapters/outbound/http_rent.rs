//! order → rent over HTTP: rent is in other processes, ours or the original's.

mod together;

use std::time::Duration;

use async_trait::async_trait;
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, Request, StatusCode, header},
    response::Response,
};
use futures_util::future::join_all;
use parking_lot::Mutex;
use platform_http::{
    Deadline, REQUEST_DEADLINE, REQUEST_ID,
    client::{CallError, Client},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::application::ports::{AskRent, RentAnswer, RentDesk};

/// Longest answer that is read, in bytes.
const MOST: usize = 64 * 1024;

/// Most orders that are looked up at once after answers were lost. A replica that dies takes with it the answers to
/// many requests for up to 64 orders each; the others, which have its work already, must not be asked for all of these
/// in the same moment. Whom there is no time for is looked for by the resume worker.
const LOOKS_AT_ONCE: usize = 8;

/// What order wishes for, and what a rent says that holds.
const RENT: &str = "Rent";

/// What a rent says that does not hold.
const RENT_CANCELED: &str = "Rent Canceled";

/// The end of the `type` with which rent says that a rule refuses.
const REFUSED: &str = ":rent-refused";

/// Rent behind its addresses.
///
/// The original's rent makes a second rent when it is asked twice. So what it has is looked up first, wherever an
/// earlier call may have reached it; and no call is repeated here that may have been sent.
pub struct HttpRent {
    rent: Client,
    deadline: Duration,
    /// Until when orders are asked for one by one, because rent does not know how to answer for many.
    one_by_one_until: Mutex<Option<Instant>>,
    /// See [`LOOKS_AT_ONCE`].
    looks: Semaphore,
}

/// Why there is no answer.
#[derive(Clone)]
struct Silence {
    reason: String,
    /// Whether rent may have done what it was asked.
    may_be_done: bool,
}

impl HttpRent {
    /// Rent, which has to answer within `deadline`; it is told how much of that is left.
    #[must_use]
    pub fn new(rent: Client, deadline: Duration) -> Self {
        Self { rent, deadline, one_by_one_until: Mutex::default(), looks: Semaphore::new(LOOKS_AT_ONCE) }
    }

    async fn ask(&self, ask: &AskRent, deadline: Deadline) -> RentAnswer {
        let answer = self.answer(ask, deadline).await;
        answer.unwrap_or_else(|silence| RentAnswer::Unavailable(silence.reason))
    }

    async fn answer(&self, ask: &AskRent, deadline: Deadline) -> Result<RentAnswer, Silence> {
        if ask.repeated
            && let Some(known) = self.look_up(ask, deadline).await?
        {
            return Ok(known);
        }
        match self.post(ask, deadline).await {
            // It may be on its way still: where there is nothing yet, the next call has to look again.
            Err(silence) if silence.may_be_done => self.look_for(ask, deadline, silence).await,
            answered => answered,
        }
    }

    /// What became of an order whose answer was lost, for this reason. It waits for its turn, and not to the very end:
    /// then those who have asked with it would not hear what was found for them.
    async fn look_for(
        &self,
        ask: &AskRent,
        deadline: Deadline,
        lost: Silence,
    ) -> Result<RentAnswer, Silence> {
        let in_time = deadline.0.checked_sub(self.deadline / 10).unwrap_or(deadline.0);
        let Ok(Ok(_turn)) = timeout_at(in_time, self.looks.acquire()).await else { return Err(lost) };
        self.look_up(ask, Deadline(in_time)).await?.ok_or(lost)
    }

    async fn post(&self, ask: &AskRent, deadline: Deadline) -> Result<RentAnswer, Silence> {
        let body = serde_json::to_vec(&Wish::of(ask)).map_err(|error| Silence::before(error.to_string()))?;
        let mut request = Request::post("/rents").header(header::CONTENT_TYPE, "application/json");
        request = with_surroundings(request, ask, deadline);
        let answer = self.call(request, Body::from(body), deadline).await?;
        let status = answer.status();
        let body = read(answer).await;
        if status.is_success() {
            return Ok(RentAnswer::Confirmed);
        }
        match body.map(|body| serde_json::from_slice::<Refusal>(&body)) {
            Ok(Ok(refusal)) if status == StatusCode::CONFLICT && refusal.kind.ends_with(REFUSED) => {
                Ok(RentAnswer::Refused(refusal.reason))
            }
            _ => Err(Silence::before(format!("rent answered {status}"))),
        }
    }

    /// The answer that rent has given before; `None` if there is no rent.
    async fn look_up(&self, ask: &AskRent, deadline: Deadline) -> Result<Option<RentAnswer>, Silence> {
        let path = format!("/rents/search/findByOrderId?orderId={}", ask.order_id.0);
        let request = Request::get(path).header(header::ACCEPT, "application/json");
        let answer = self.call(with_surroundings(request, ask, deadline), Body::empty(), deadline).await?;
        if answer.status() != StatusCode::OK {
            return Err(Silence::before(format!("rent was looked up and answered {}", answer.status())));
        }
        let body = read(answer).await?;
        let found: Found = serde_json::from_slice(&body)
            .map_err(|error| Silence::before(format!("rent was looked up: {error}")))?;
        Ok(known(found.embedded.rents))
    }

    async fn call(
        &self,
        request: axum::http::request::Builder,
        body: Body,
        Deadline(deadline): Deadline,
    ) -> Result<Response, Silence> {
        let request = request.body(body).map_err(|error| Silence::before(error.to_string()))?;
        self.rent.call(request, deadline).await.map_err(|error| Silence {
            may_be_done: matches!(error, CallError::Broken(_)),
            reason: error.to_string(),
        })
    }
}

#[async_trait]
impl RentDesk for HttpRent {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        let Deadline(own) = Deadline::after(self.deadline);
        let deadline = ask.answer_by.map_or(own, |answer_by| answer_by.min(own));
        self.ask(&ask, Deadline(deadline)).await
    }

    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        let deadline = Deadline::after(self.deadline);
        join_all(asks.chunks(together::ORDERS_AT_ONCE).map(|asks| self.ask_together(asks, deadline)))
            .await
            .concat()
    }
}

impl Silence {
    /// Nothing more is to be found out by looking.
    fn before(reason: String) -> Self {
        Self { reason, may_be_done: false }
    }
}

/// Of several rents, which only the original makes, one that holds is enough.
fn known(rents: Vec<FoundRent>) -> Option<RentAnswer> {
    if rents.iter().any(|rent| rent.status == RENT) {
        return Some(RentAnswer::Confirmed);
    }
    let canceled = rents.into_iter().find(|rent| rent.status == RENT_CANCELED)?;
    let reason = canceled.reason.unwrap_or_else(|| "this order was cancelled".to_owned());
    Some(RentAnswer::Refused(reason))
}

fn with_surroundings(
    mut request: axum::http::request::Builder,
    ask: &AskRent,
    deadline: Deadline,
) -> axum::http::request::Builder {
    if let Some(id) = ask.correlation_id.as_ref().and_then(|id| HeaderValue::from_str(id).ok()) {
        request = request.header(REQUEST_ID, id);
    }
    request.header(REQUEST_DEADLINE, deadline.to_header())
}

/// To its end, so that the connection can be used again.
async fn read(answer: Response) -> Result<Bytes, Silence> {
    to_bytes(answer.into_body(), MOST)
        .await
        .map_err(|error| Silence { reason: format!("rent's answer broke off: {error}"), may_be_done: true })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wish<'a> {
    order_id: i64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
}

impl<'a> Wish<'a> {
    fn of(ask: &'a AskRent) -> Self {
        let customer = ask.customer.as_ref().map(|customer| customer.as_str());
        Self { order_id: ask.order_id.0, status: RENT, customer }
    }
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "_embedded")]
    embedded: FoundRents,
}

#[derive(Deserialize)]
struct FoundRents {
    rents: Vec<FoundRent>,
}

#[derive(Deserialize)]
struct FoundRent {
    status: String,
    reason: Option<String>,
}
