//! Rent over HTTP.

mod confirmations;

use axum::{
    Extension, Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use contracts::Timestamp;
use platform_http::{
    Asked, Id, Methods, Object, Page, Problem, Representation, RequestId, Resource, Search, read_only,
    routes, with_methods,
};
use serde::Serialize;

use confirmations::confirm_rents;

use crate::{
    application::{
        ConfirmError, ConfirmRent, Confirmed, Rents,
        ports::{PageError, PageQuery, SortField, Unavailable},
    },
    domain::{Copy, Customer, OrderId, Refusal, Rent, RentId, RentState},
};

static RENTS: Resource = Resource {
    collection: "rents",
    rel: "rent",
    paged: true,
    fields: &["orderId", "status", "id", "customer", "reason", "createdAt", "changedAt"],
    sortable: &["orderId", "status", "id", "customer", "reason", "createdAt", "changedAt"],
    searches: &[Search { name: "findByOrderId", parameters: &["orderId"] }],
    collection_methods: Methods {
        allow: "OPTIONS,HEAD,POST,GET",
        instead: "Orders are confirmed with POST to /rents, many at once with POST to /rents/confirmations.",
    },
    item_methods: Methods {
        allow: "OPTIONS,HEAD,GET",
        instead: "A rent follows its order. Cancel the order: PATCH /orders/{orderId} \
                  {\"status\":\"Order Cancel\"}.",
    },
};

/// The only status that a confirm may wish for.
const RENT: &str = "Rent";

/// The status of an order that has no copy.
const RENT_CANCELED: &str = "Rent Canceled";

/// The addresses of rent.
pub fn router(rents: Rents) -> Router {
    routes(&RENTS, get(find_rents).post(confirm_rent), get(find_rent).head(head_rent))
        .route("/rents/search/findByOrderId", read_only(get(find_by_order_id)))
        .route("/rents/confirmations", with_methods(post(confirm_rents), &confirmations::METHODS))
        .with_state(rents)
}

/// A rent as clients see it; `orderId` and `status` first, as ever.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RentView<'a> {
    order_id: i64,
    status: &'static str,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    created_at: String,
    changed_at: String,
    #[serde(skip)]
    version: i64,
}

impl<'a> From<&'a Rent> for RentView<'a> {
    fn from(rent: &'a Rent) -> Self {
        let (status, reason) = shown(&rent.state);
        Self {
            order_id: rent.order_id.0,
            status,
            id: rent.id.0,
            customer: rent.customer.as_ref().map(Customer::as_str),
            reason,
            created_at: Timestamp(rent.created_at.0).to_rfc3339(),
            changed_at: Timestamp(rent.changed_at.0).to_rfc3339(),
            version: rent.version.0,
        }
    }
}

impl Representation for RentView<'_> {
    fn id(&self) -> i64 {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }
}

/// The status word, and why there is no rent where a rule has refused it.
fn shown(state: &RentState) -> (&'static str, Option<&str>) {
    match state {
        RentState::Rented | RentState::WithCourier => (RENT, None),
        RentState::Canceled(Copy::Refused(reason)) => (RENT_CANCELED, Some(reason)),
        RentState::Canceled(Copy::Tombstone | Copy::Bound | Copy::Free) => (RENT_CANCELED, None),
    }
}

async fn find_rents(State(rents): State<Rents>, asked: Asked) -> Result<Response, Problem> {
    let request = RENTS.page_request(&asked)?;
    let sort = request.sort.iter().map(|by| (sort_field(by.field), by.descending)).collect();
    let query = PageQuery { offset: request.offset(), limit: request.size, sort };
    let (found, total) = rents.page(query).await.map_err(no_page)?;
    let items = found.iter().map(RentView::from).collect();
    Ok(RENTS.page(&asked, &request, &Page { items, total }))
}

/// `sortable` of [`RENTS`] has no other names.
fn sort_field(name: &str) -> SortField {
    match name {
        "orderId" => SortField::OrderId,
        "status" => SortField::Status,
        "customer" => SortField::Customer,
        "reason" => SortField::Reason,
        "createdAt" => SortField::CreatedAt,
        "changedAt" => SortField::ChangedAt,
        _ => SortField::Id,
    }
}

/// One rent or none, as a collection.
async fn find_by_order_id(State(rents): State<Rents>, asked: Asked) -> Result<Response, Problem> {
    let order_id = OrderId(asked.id_parameter("orderId")?);
    let request = RENTS.page_request(&asked)?;
    let found = rents.rent_of_order(order_id).await.map_err(away)?;
    let mut items: Vec<_> = found.iter().map(RentView::from).collect();
    let total = items.len() as u64;
    if request.offset() > 0 {
        items.clear();
    }
    Ok(RENTS.found(&asked, &request, &Page { items, total }))
}

async fn find_rent(State(rents): State<Rents>, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    let rent = rent_with(&rents, id).await?;
    Ok(RENTS.item(&asked, &RentView::from(&rent)))
}

async fn head_rent(State(rents): State<Rents>, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    let rent = rent_with(&rents, id).await?;
    Ok(RENTS.item_head(&asked, &RentView::from(&rent)))
}

async fn rent_with(rents: &Rents, id: i64) -> Result<Rent, Problem> {
    rents.rent(RentId(id)).await.map_err(away)?.ok_or_else(|| RENTS.not_found(id))
}

async fn confirm_rent(
    State(rents): State<Rents>,
    request_id: Option<Extension<RequestId>>,
    mut asked: Asked,
    body: Object,
) -> Result<Response, Problem> {
    let command = ConfirmRent {
        order_id: OrderId(body.id("orderId")?),
        customer: read_wish(&body)?,
        correlation_id: request_id.map(|Extension(id)| id.as_str().into()),
    };
    let order_id = command.order_id;
    match rents.confirm_rent(command).await {
        Ok(Confirmed { rent, is_new: true }) => Ok(RENTS.created(&asked, &RentView::from(&rent))),
        Ok(Confirmed { rent, is_new: false }) => {
            // Without a Location only the body says which rent it is: it is sent in any case.
            asked.accept.sent = true;
            Ok(RENTS.changed(&asked, &RentView::from(&rent)))
        }
        Err(ConfirmError::Refused(refusal)) => Err(refused(order_id, &refusal)),
        Err(ConfirmError::Unavailable(error)) => Err(away(error)),
    }
}

/// For whom it is, if anybody; and it is a rent that is wished for.
fn read_wish(body: &Object) -> Result<Option<Customer>, Problem> {
    check_wished_status(body)?;
    let Some(text) = body.optional_text("customer", 1, Customer::MAX)? else { return Ok(None) };
    let expected = || body.invalid("customer", "Send a text of 1 to 100 characters, not only spaces.");
    Customer::parse(text).map(Some).ok_or_else(expected)
}

/// The original's clients send the status that they wish for.
fn check_wished_status(body: &Object) -> Result<(), Problem> {
    match body.optional_text("status", 0, 100)? {
        None | Some(RENT) => Ok(()),
        Some(_) => Err(body.invalid("status", format!("Leave it out, or send \"{RENT}\"."))),
    }
}

fn refused(OrderId(order_id): OrderId, Refusal(reason): &Refusal) -> Problem {
    let detail = format!(
        "Not rented: {reason}. The refusal is remembered: a repeat for this order gets the same answer. Place a \
         new order once the reason is gone."
    );
    Problem::refused("rent-refused", "Rent refused", detail)
        .with("reason", reason.as_str())
        .with("orderId", order_id)
}

fn no_page(error: PageError) -> Problem {
    match error {
        PageError::TooMany => Problem::too_many_long_reads(),
        PageError::Unavailable(error) => away(error),
    }
}

/// The caller only learns whether something may have been done.
fn away(error: Unavailable) -> Problem {
    match &error {
        Unavailable::Away(_) => {
            Problem::unavailable("Rents cannot be read or written at the moment; nothing was done.")
        }
        Unavailable::InDoubt(_) => Problem::in_doubt(),
    }
    .because(error)
}
