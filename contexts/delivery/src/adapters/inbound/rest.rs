//! Delivery over HTTP.

use std::sync::Arc;

use axum::{Extension, Router, extract::State, response::Response, routing::get};
use contracts::Timestamp;
use platform_http::{
    Asked, FieldPatch, Id, Methods, Page, Problem, RawBody, Representation, RequestId, Resource, Search,
    TRIES, parse_patch, read_only, routes,
};
use serde::Serialize;

use crate::{
    application::{
        Deliveries, HandOver, HandOverError,
        ports::{PageError, PageQuery, SortField, Unavailable},
    },
    domain::{Customer, Delivery, DeliveryId, DeliveryState, HandOverRefused, OrderId, Version},
};

static DELIVERIES: Resource = Resource {
    collection: "deliveries",
    rel: "delivery",
    paged: true,
    fields: &["orderId", "status", "id", "customer", "createdAt", "changedAt"],
    sortable: &["orderId", "status", "id", "customer", "createdAt", "changedAt"],
    searches: &[Search { name: "findByOrderId", parameters: &["orderId"] }],
    collection_methods: Methods {
        allow: "OPTIONS,HEAD,GET",
        instead: "A delivery begins by itself once its order is rented: place an order with POST /orders.",
    },
    item_methods: Methods {
        allow: "PATCH,OPTIONS,HEAD,GET",
        instead: "A delivery is never replaced or deleted. Hand it over: PATCH {\"status\":\"Shipped\"}.",
    },
};

/// The one word that a courier may ask for.
const HAND_OVER: &str = "Shipped";

/// Seconds after which a parcel that is held may be confirmed.
const RETRY_AFTER: u32 = 2;

/// The addresses of delivery.
pub fn router(deliveries: Deliveries) -> Router {
    let item = get(find_delivery).head(head_delivery).patch(hand_over);
    routes(&DELIVERIES, get(find_deliveries), item)
        .route("/deliveries/search/findByOrderId", read_only(get(find_by_order_id)))
        .with_state(deliveries)
}

/// A delivery as clients see it; `orderId` and `status` first, as ever.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryView<'a> {
    order_id: i64,
    status: &'static str,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    created_at: String,
    changed_at: String,
    #[serde(skip)]
    version: i64,
}

impl<'a> DeliveryView<'a> {
    /// `None` for what is not shown.
    fn of(delivery: &'a Delivery) -> Option<Self> {
        Some(Self {
            order_id: delivery.order_id.0,
            status: status_word(delivery.state)?,
            id: delivery.id?.0,
            customer: delivery.customer.as_ref().map(Customer::as_str),
            created_at: Timestamp(delivery.created_at.0).to_rfc3339(),
            changed_at: Timestamp(delivery.changed_at.0).to_rfc3339(),
            version: delivery.version.0,
        })
    }
}

impl Representation for DeliveryView<'_> {
    fn id(&self) -> i64 {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }
}

/// `None` for what is not shown.
fn status_word(state: DeliveryState) -> Option<&'static str> {
    match state {
        DeliveryState::Held | DeliveryState::Released => Some("Ship"),
        DeliveryState::HandedOver => Some("Shipped"),
        DeliveryState::Canceled => Some("Ship Canceled"),
        DeliveryState::ReleaseRemembered | DeliveryState::Tombstone => None,
    }
}

async fn find_deliveries(State(deliveries): State<Deliveries>, asked: Asked) -> Result<Response, Problem> {
    let request = DELIVERIES.page_request(&asked)?;
    let sort = request.sort.iter().map(|by| (sort_field(by.field), by.descending)).collect();
    let query = PageQuery { offset: request.offset(), limit: request.size, sort };
    let (found, total) = deliveries.page(query).await.map_err(no_page)?;
    let items = found.iter().filter_map(DeliveryView::of).collect();
    Ok(DELIVERIES.page(&asked, &request, &Page { items, total }))
}

/// `sortable` of [`DELIVERIES`] has no other names.
fn sort_field(name: &str) -> SortField {
    match name {
        "orderId" => SortField::OrderId,
        "status" => SortField::Status,
        "customer" => SortField::Customer,
        "createdAt" => SortField::CreatedAt,
        "changedAt" => SortField::ChangedAt,
        _ => SortField::Id,
    }
}

/// One delivery or none, as a collection.
async fn find_by_order_id(State(deliveries): State<Deliveries>, asked: Asked) -> Result<Response, Problem> {
    let order_id = OrderId(asked.id_parameter("orderId")?);
    let request = DELIVERIES.page_request(&asked)?;
    let found = deliveries.delivery_of_order(order_id).await.map_err(away)?;
    let mut items: Vec<_> = found.iter().filter_map(DeliveryView::of).collect();
    let total = items.len() as u64;
    if request.offset() > 0 {
        items.clear();
    }
    Ok(DELIVERIES.found(&asked, &request, &Page { items, total }))
}

async fn find_delivery(
    State(deliveries): State<Deliveries>,
    Id(id): Id,
    asked: Asked,
) -> Result<Response, Problem> {
    let delivery = delivery_with(&deliveries, id).await?;
    Ok(DELIVERIES.item(&asked, &view(&delivery)?))
}

async fn head_delivery(
    State(deliveries): State<Deliveries>,
    Id(id): Id,
    asked: Asked,
) -> Result<Response, Problem> {
    let delivery = delivery_with(&deliveries, id).await?;
    Ok(DELIVERIES.item_head(&asked, &view(&delivery)?))
}

async fn delivery_with(deliveries: &Deliveries, id: i64) -> Result<Delivery, Problem> {
    deliveries.delivery(DeliveryId(id)).await.map_err(away)?.ok_or_else(|| DELIVERIES.not_found(id))
}

fn view(delivery: &Delivery) -> Result<DeliveryView<'_>, Problem> {
    DeliveryView::of(delivery).ok_or_else(|| DELIVERIES.not_found(delivery.id.map_or(0, |id| id.0)))
}

async fn hand_over(
    State(deliveries): State<Deliveries>,
    request_id: Option<Extension<RequestId>>,
    Id(id): Id,
    asked: Asked,
    body: RawBody,
) -> Result<Response, Problem> {
    let patch = parse_patch(&body, "status")?;
    let wish = Wish::of(&patch)?;
    let required = asked.required_version()?.map(Version);
    let correlation_id: Option<Arc<str>> = request_id.map(|Extension(id)| id.as_str().into());
    for _ in 0..TRIES {
        let if_version = version_to_change(&deliveries, id, (wish, &patch), required).await?;
        let command = HandOver { id: DeliveryId(id), if_version, correlation_id: correlation_id.clone() };
        match deliveries.hand_over(command).await {
            Ok(handed_over) => return Ok(DELIVERIES.changed(&asked, &view(&handed_over)?)),
            // What the patch has tested is not what there is any more, and the client has named no version: what
            // does its test say now?
            Err(HandOverError::Changed(_)) if required.is_none() => {}
            Err(error) => return Err(refused(error, id)),
        }
    }
    Err(Problem::conflict())
}

/// The version that the change is for: the one that the client names, else the one that its tests hold for.
async fn version_to_change(
    deliveries: &Deliveries,
    id: i64,
    (wish, patch): (Wish, &FieldPatch),
    required: Option<Version>,
) -> Result<Option<Version>, Problem> {
    if wish == Wish::HandOver && patch.tests.is_empty() {
        return Ok(required);
    }
    let delivery = delivery_with(deliveries, id).await?;
    if required.is_some_and(|required| required != delivery.version) {
        return Err(Problem::precondition_failed());
    }
    patch.check(status_word(delivery.state).unwrap_or_default())?;
    refuse_other_wishes(wish, delivery.order_id)?;
    Ok(Some(delivery.version))
}

/// What a PATCH asks for; the status words of a delivery, and no others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    HandOver,
    Cancel,
    TakeBack,
}

impl Wish {
    fn of(patch: &FieldPatch) -> Result<Self, Problem> {
        match patch.value.as_str() {
            HAND_OVER => Ok(Self::HandOver),
            "Ship Canceled" => Ok(Self::Cancel),
            "Ship" => Ok(Self::TakeBack),
            _ => {
                let expected = format!("Send \"{HAND_OVER}\": it is all that can be asked for.");
                Err(Problem::invalid_field("status", expected))
            }
        }
    }
}

fn refuse_other_wishes(wish: Wish, OrderId(order_id): OrderId) -> Result<(), Problem> {
    let (slug, detail) = match wish {
        Wish::HandOver => return Ok(()),
        Wish::Cancel => (
            "not-for-couriers",
            format!(
                "A delivery is cancelled with its order: send PATCH {{\"status\":\"Order Cancel\"}} to \
                 /orders/{order_id} instead."
            ),
        ),
        Wish::TakeBack => (
            "not-for-couriers",
            format!(
                "\"Ship\" comes about by itself, and a hand-over is not undone. What can be asked for is \
                 \"{HAND_OVER}\"."
            ),
        ),
    };
    Err(Problem::refused(slug, "Cannot be asked for", detail).with("orderId", order_id))
}

fn refused(error: HandOverError, id: i64) -> Problem {
    let not_handed_over = |slug, refused: HandOverRefused| {
        Problem::refused(slug, "Cannot be handed over", format!("Not handed over: {}.", refused.reason()))
    };
    match error {
        HandOverError::Refused(HandOverRefused::NoParcel) => DELIVERIES.not_found(id),
        HandOverError::Refused(refused @ HandOverRefused::NotConfirmedYet) => {
            not_handed_over("not-confirmed-yet", refused).with_retry_after(RETRY_AFTER)
        }
        HandOverError::Refused(refused @ HandOverRefused::Canceled) => {
            not_handed_over("delivery-canceled", refused)
        }
        HandOverError::Changed(_) => Problem::precondition_failed(),
        HandOverError::Unavailable(error) => away(error),
    }
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
            Problem::unavailable("Deliveries cannot be read or written at the moment; nothing was done.")
        }
        Unavailable::InDoubt(_) => Problem::in_doubt(),
    }
    .because(error)
}
