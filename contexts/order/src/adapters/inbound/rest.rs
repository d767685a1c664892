//! Order over HTTP.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use contracts::Timestamp;
use platform_http::{
    Asked, Deadline, FieldPatch, Id, Methods, Object, Page, Problem, RawBody, Representation, RequestId,
    Resource, TRIES, parse_patch, routes,
};
use serde::Serialize;

use crate::{
    application::{
        CancelError, CancelOrder, Orders, PlaceError, PlaceOrder,
        ports::{PageError, PageQuery, SortField, Unavailable},
    },
    domain::{
        CancelRefused, Customer, IdempotencyKey, Item, Order, OrderId, OrderState, PlaceAnswer, Version,
        answer_placed,
    },
};

static ORDERS: Resource = Resource {
    collection: "orders",
    rel: "order",
    paged: true,
    fields: &["item", "status", "id", "customer", "reason", "placedAt", "changedAt"],
    sortable: &["item", "status", "id", "customer", "reason", "placedAt", "changedAt"],
    searches: &[],
    collection_methods: Methods {
        allow: "OPTIONS,HEAD,POST,GET",
        instead: "Orders are placed one by one, with POST to /orders.",
    },
    item_methods: Methods {
        allow: "PATCH,OPTIONS,HEAD,GET",
        instead: "An order is never replaced or deleted. Cancel it: PATCH {\"status\":\"Order Cancel\"}.",
    },
};

/// The one word that a customer may ask for.
const CANCEL: &str = "Order Cancel";

/// The other words that an order can show: asking for them is understood and refused.
const OTHER_WORDS: [&str; 5] = ["Pending", "Ordered", "Order Canceled", "Order Rejected", "Shipped"];

/// The addresses of order.
pub fn router(orders: Orders) -> Router {
    let collection = get(find_orders).post(place_order);
    let item = get(find_order).head(head_order).patch(cancel_order);
    routes(&ORDERS, collection, item).with_state(orders)
}

/// An order as clients see it; `item` and `status` first, as ever.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderView<'a> {
    item: &'a str,
    status: &'static str,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    placed_at: String,
    changed_at: String,
    #[serde(skip)]
    version: i64,
}

impl<'a> From<&'a Order> for OrderView<'a> {
    fn from(order: &'a Order) -> Self {
        Self {
            item: order.item.as_str(),
            status: status_word(&order.state),
            id: order.id.0,
            customer: order.customer.as_ref().map(Customer::as_str),
            reason: match &order.state {
                OrderState::Rejected(rejection) => Some(rejection.reason()),
                OrderState::Pending
                | OrderState::Ordered
                | OrderState::Cancelling
                | OrderState::Canceled
                | OrderState::Shipped => None,
            },
            placed_at: Timestamp(order.placed_at.0).to_rfc3339(),
            changed_at: Timestamp(order.changed_at.0).to_rfc3339(),
            version: order.version.0,
        }
    }
}

impl Representation for OrderView<'_> {
    fn id(&self) -> i64 {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }
}

fn status_word(state: &OrderState) -> &'static str {
    match state {
        OrderState::Pending => "Pending",
        OrderState::Ordered => "Ordered",
        OrderState::Rejected(_) => "Order Rejected",
        OrderState::Cancelling => "Order Cancel",
        OrderState::Canceled => "Order Canceled",
        OrderState::Shipped => "Shipped",
    }
}

async fn find_orders(State(orders): State<Orders>, asked: Asked) -> Result<Response, Problem> {
    let request = ORDERS.page_request(&asked)?;
    let sort = request.sort.iter().map(|by| (sort_field(by.field), by.descending)).collect();
    let limit = u32::try_from(request.limit()).unwrap_or(u32::MAX);
    let (found, total) =
        orders.page(PageQuery { offset: request.offset(), limit, sort }).await.map_err(no_page)?;
    let items = found.iter().map(OrderView::from).collect();
    Ok(ORDERS.page(&asked, &request, &Page { items, total }))
}

/// `sortable` of [`ORDERS`] has no other names.
fn sort_field(name: &str) -> SortField {
    match name {
        "item" => SortField::Item,
        "status" => SortField::Status,
        "customer" => SortField::Customer,
        "reason" => SortField::Reason,
        "placedAt" => SortField::PlacedAt,
        "changedAt" => SortField::ChangedAt,
        _ => SortField::Id,
    }
}

async fn find_order(State(orders): State<Orders>, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    let order = orders.order(OrderId(id)).await.map_err(away)?.ok_or_else(|| ORDERS.not_found(id))?;
    Ok(ORDERS.item(&asked, &OrderView::from(&order)))
}

async fn head_order(State(orders): State<Orders>, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    let order = orders.order(OrderId(id)).await.map_err(away)?.ok_or_else(|| ORDERS.not_found(id))?;
    Ok(ORDERS.item_head(&asked, &OrderView::from(&order)))
}

async fn place_order(
    State(orders): State<Orders>,
    request_id: Option<Extension<RequestId>>,
    deadline: Option<Extension<Deadline>>,
    headers: HeaderMap,
    asked: Asked,
    body: Object,
) -> Result<Response, Problem> {
    let command = PlaceOrder {
        item: read_item(&body)?,
        customer: read_customer(&body)?,
        idempotency_key: read_idempotency_key(&headers)?,
        correlation_id: correlation_id(&request_id),
        answer_by: deadline.map(|Extension(Deadline(answer_by))| answer_by),
    };
    check_wished_status(&body)?;
    let order = orders.place_order(command).await.map_err(|error| match error {
        PlaceError::TooManyPending => {
            Problem::unavailable("Too many requests wait for their confirmation; this one was not taken.")
        }
        PlaceError::KeyReused => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "Idempotency-Key reused",
            "This Idempotency-Key was sent with another request. Send the same request, or take a new key.",
        ),
        PlaceError::Unavailable(error) => away(error),
    })?;
    placed(&asked, &order)
}

/// The answer as HTTP says it.
fn placed(asked: &Asked, order: &Order) -> Result<Response, Problem> {
    match answer_placed(order) {
        PlaceAnswer::Taken => Ok(ORDERS.created(asked, &OrderView::from(order))),
        PlaceAnswer::Deferred => {
            let mut response = ORDERS.created(asked, &OrderView::from(order));
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
        PlaceAnswer::Refused(reason) => {
            let detail = format!("The request was refused: {reason}. It is kept as order {}.", order.id.0);
            Err(Problem::refused("order-rejected", "Order rejected", detail)
                .with("reason", reason)
                .with("orderId", order.id.0))
        }
        PlaceAnswer::Unavailable => {
            Err(Problem::unavailable("Rentals cannot be confirmed at the moment; nothing was rented."))
        }
    }
}

async fn cancel_order(
    State(orders): State<Orders>,
    request_id: Option<Extension<RequestId>>,
    Id(id): Id,
    asked: Asked,
    body: RawBody,
) -> Result<Response, Problem> {
    let patch = parse_patch(&body, "status")?;
    if let Err(refused) = check_cancel(&patch) {
        // First whether there is such an order at all.
        orders.order(OrderId(id)).await.map_err(away)?.ok_or_else(|| ORDERS.not_found(id))?;
        return Err(refused);
    }
    let required = asked.required_version()?.map(Version);
    for _ in 0..TRIES {
        let if_version = version_to_change(&orders, id, &patch, required).await?;
        let command =
            CancelOrder { id: OrderId(id), if_version, correlation_id: correlation_id(&request_id) };
        match orders.cancel_order(command).await {
            Ok(order) => return Ok(ORDERS.changed(&asked, &OrderView::from(&order))),
            // What the patch has tested is not what there is any more, and the client has named no version: what
            // does its test say now?
            Err(CancelError::Changed(_)) if required.is_none() => {}
            Err(error) => return Err(not_cancelled(error, id)),
        }
    }
    Err(Problem::conflict())
}

/// The version that the change is for: the one that the client names, else the one that its tests hold for.
async fn version_to_change(
    orders: &Orders,
    id: i64,
    patch: &FieldPatch,
    required: Option<Version>,
) -> Result<Option<Version>, Problem> {
    if patch.tests.is_empty() {
        return Ok(required);
    }
    let order = orders.order(OrderId(id)).await.map_err(away)?.ok_or_else(|| ORDERS.not_found(id))?;
    if required.is_some_and(|required| required != order.version) {
        return Err(Problem::precondition_failed());
    }
    patch.check(status_word(&order.state))?;
    Ok(Some(order.version))
}

fn not_cancelled(error: CancelError, id: i64) -> Problem {
    let refused = match error {
        CancelError::Unknown => return ORDERS.not_found(id),
        CancelError::Changed(_) => return Problem::precondition_failed(),
        CancelError::Unavailable(error) => return away(error),
        CancelError::Refused(refused) => refused,
    };
    let slug = match refused {
        CancelRefused::AlreadyShipped => "already-shipped",
        CancelRefused::AlreadyRejected => "already-rejected",
    };
    Problem::refused(slug, "Cannot be cancelled", format!("Not cancelled: {}.", refused.reason()))
}

fn check_cancel(patch: &FieldPatch) -> Result<(), Problem> {
    match patch.value.as_str() {
        CANCEL => Ok(()),
        known if OTHER_WORDS.contains(&known) => Err(Problem::refused(
            "not-for-customers",
            "Cannot be asked for",
            format!("\"{known}\" comes about by itself. What can be asked for is \"{CANCEL}\"."),
        )),
        _ => Err(Problem::invalid_field(
            "status",
            format!("Send \"{CANCEL}\": it is all that can be asked for."),
        )),
    }
}

fn read_item(body: &Object) -> Result<Item, Problem> {
    let item = Item::parse(body.text("item", 1, Item::MAX)?);
    item.ok_or_else(|| Problem::invalid_field("item", "Send a text of 1 to 500 characters, not only spaces."))
}

fn read_customer(body: &Object) -> Result<Option<Customer>, Problem> {
    let Some(text) = body.optional_text("customer", 1, Customer::MAX)? else { return Ok(None) };
    let customer = Customer::parse(text);
    customer.map(Some).ok_or_else(|| {
        Problem::invalid_field("customer", "Send a text of 1 to 100 characters, not only spaces.")
    })
}

/// The original's clients send the status that they wish for.
fn check_wished_status(body: &Object) -> Result<(), Problem> {
    match body.optional_text("status", 0, 100)? {
        None | Some("Ordered") => Ok(()),
        Some(_) => Err(Problem::invalid_field("status", "Leave it out, or send \"Ordered\".")),
    }
}

fn read_idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().and_then(IdempotencyKey::parse);
    key.map(Some).ok_or_else(|| {
        Problem::malformed_parameter("Idempotency-Key", "Send 1 to 255 visible ASCII characters.")
    })
}

fn correlation_id(request_id: &Option<Extension<RequestId>>) -> Option<Arc<str>> {
    request_id.as_ref().map(|Extension(id)| id.as_str().into())
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
            Problem::unavailable("Orders cannot be read or written at the moment; nothing was done.")
        }
        Unavailable::InDoubt(_) => Problem::in_doubt(),
    }
    .because(error)
}
