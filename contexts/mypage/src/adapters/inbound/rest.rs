//! Mypage over HTTP: reading only, since the view follows the events.

use std::sync::Arc;

use axum::{Router, extract::State, response::Response, routing::get};
use contracts::Timestamp;
use platform_http::{
    Asked, Id, Methods, Page, PageRequest, Problem, Representation, Resource, Search, read_only, routes,
};
use serde::{Serialize, Serializer};
use tracing::error;

use crate::{
    projection::{Entry, Row},
    query::{PageError, PageQuery, SortField, Unavailable, View},
};

static MYPAGES: Resource = Resource {
    collection: "mypages",
    rel: "mypage",
    // It is paged, but its links have never said so.
    paged: false,
    fields: &["orderId", "item", "status", "customer", "reason", "history"],
    sortable: &["orderId", "id", "item", "status", "customer", "reason"],
    searches: &[
        Search { name: "findByOrderId", parameters: &["orderId"] },
        Search { name: "findByCustomer", parameters: &["customer"] },
    ],
    collection_methods: READ_ONLY,
    item_methods: READ_ONLY,
};

const READ_ONLY: Methods = Methods {
    allow: "OPTIONS,HEAD,GET",
    instead: "The view follows the events: place an order with POST /orders, cancel it with PATCH /orders/{id}.",
};

/// No customer has a longer name.
const CUSTOMER_CHARS: usize = 100;

/// What the handlers share.
type Shared = State<Arc<dyn View>>;

/// The addresses of mypage.
pub fn router(view: Arc<dyn View>) -> Router {
    routes(&MYPAGES, get(find_mypages), get(find_mypage).head(head_mypage))
        .route("/mypages/search/findByOrderId", read_only(get(find_by_order_id)))
        .route("/mypages/search/findByCustomer", read_only(get(find_by_customer)))
        .with_state(view)
}

/// A row as clients see it; `orderId`, `item` and `status` first, as ever.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MypageView<'a> {
    order_id: i64,
    /// `null` until an event of the order itself has arrived.
    item: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    history: Vec<EntryView>,
    #[serde(skip)]
    version: i64,
}

#[derive(Serialize)]
struct EntryView {
    event: &'static str,
    status: &'static str,
    #[serde(serialize_with = "rfc3339")]
    at: Timestamp,
}

/// A row has several moments, so they are not formatted by the machinery for everything: it takes most of the time
/// of an answer.
fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    match write_rfc3339(*at, &mut text).and_then(|()| std::str::from_utf8(&text).ok()) {
        Some(text) => serializer.serialize_str(text),
        None => serializer.collect_str(at),
    }
}

/// `None` before 1970, and from where [`Timestamp`] writes no later one.
fn write_rfc3339(at: Timestamp, text: &mut [u8; 24]) -> Option<()> {
    const DAY: u64 = 86_400_000;
    let millis = u64::try_from(at.0).ok().filter(|millis| *millis < 253_402_207_200_000)?;
    let (year, month, day) = date_of(millis / DAY);
    let of_day = millis % DAY;
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    let parts =
        [(0..4, year), (5..7, month), (8..10, day), (11..13, hour), (14..16, minute), (17..19, second)];
    for (place, mut number) in parts.into_iter().chain([(20..23, of_day % 1_000)]) {
        for digit in text[place].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    Some(())
}

/// Year, month and day of a number of days since 1970-01-01. Counted from 0000-03-01, so that the leap day is the
/// last of its year and 400 years are one era of 146,097 days.
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months of 31, 30, 31, 30, 31 days, from March on: 153 days each five.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next, month, day)
}

impl<'a> From<&'a Row> for MypageView<'a> {
    fn from(row: &'a Row) -> Self {
        let entry = |Entry { event, status, at }| EntryView { event, status, at };
        Self {
            order_id: row.order_id(),
            item: row.item(),
            status: row.status().as_str(),
            customer: row.customer(),
            reason: row.reason(),
            history: row.history().into_iter().map(entry).collect(),
            version: version(row),
        }
    }
}

impl Representation for MypageView<'_> {
    fn id(&self) -> i64 {
        self.order_id
    }

    fn version(&self) -> i64 {
        self.version
    }
}

/// A row has no number that grows with it: such a number would depend on the order of arrival, and two replicas or
/// a rebuilt view would disagree. So its version is made of what is known (FNV-1a over all of it).
fn version(row: &Row) -> i64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(PRIME);
    let known = row.known().iter().fold(0xcbf2_9ce4_8422_2325, |hash, at| {
        at.map_or_else(|| mix(hash, 1), |at| mix(mix(hash, 2), at.0.cast_unsigned()))
    });
    let texts = [row.item(), row.customer(), row.reason()];
    let all = texts.into_iter().fold(known, |hash, text| {
        let bytes = text.unwrap_or_default().bytes();
        // The length parts the texts from each other, and no text from an empty one.
        let start = mix(hash, text.map_or(0, |text| text.len() as u64 + 1));
        bytes.fold(start, |hash, byte| mix(hash, u64::from(byte)))
    });
    (all >> 1).cast_signed()
}

async fn find_mypages(State(view): Shared, asked: Asked) -> Result<Response, Problem> {
    let request = MYPAGES.page_request(&asked)?;
    let sort = request.sort.iter().map(|by| (sort_field(by.field), by.descending)).collect();
    let query = PageQuery { offset: request.offset(), limit: request.size, sort };
    let (rows, total) = view.page(query).await.map_err(no_page)?;
    Ok(MYPAGES.page(&asked, &request, &shown(&rows, total)))
}

/// `sortable` of [`MYPAGES`] has no other names.
fn sort_field(name: &str) -> SortField {
    match name {
        "item" => SortField::Item,
        "status" => SortField::Status,
        "customer" => SortField::Customer,
        "reason" => SortField::Reason,
        _ => SortField::OrderId,
    }
}

async fn find_mypage(State(view): Shared, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    let row = row_of(&*view, id).await?;
    Ok(MYPAGES.item(&asked, &MypageView::from(&row)))
}

async fn head_mypage(State(view): Shared, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    let row = row_of(&*view, id).await?;
    Ok(MYPAGES.item_head(&asked, &MypageView::from(&row)))
}

async fn row_of(view: &dyn View, id: i64) -> Result<Row, Problem> {
    view.get(id).await.map_err(away)?.ok_or_else(|| MYPAGES.not_found(id))
}

/// One row or none, as a collection.
async fn find_by_order_id(State(view): Shared, asked: Asked) -> Result<Response, Problem> {
    let order_id = asked.id_parameter("orderId")?;
    let request = MYPAGES.page_request(&asked)?;
    let found: Vec<_> = view.get(order_id).await.map_err(away)?.into_iter().collect();
    let total = found.len() as u64;
    let rows = if request.offset() == 0 { &found[..] } else { &[] };
    Ok(MYPAGES.found(&asked, &request, &shown(rows, total)))
}

async fn find_by_customer(State(view): Shared, asked: Asked) -> Result<Response, Problem> {
    let customer = customer_parameter(&asked)?;
    let request = unsorted(MYPAGES.page_request(&asked)?)?;
    let (rows, total) =
        view.find_by_customer(&customer, request.offset(), request.size).await.map_err(no_page)?;
    Ok(MYPAGES.found(&asked, &request, &shown(&rows, total)))
}

fn customer_parameter(asked: &Asked) -> Result<String, Problem> {
    let customer = asked.text_parameter("customer")?;
    if customer.chars().count() > CUSTOMER_CHARS {
        let expected = format!("A customer has at most {CUSTOMER_CHARS} characters.");
        return Err(Problem::malformed_parameter("customer", expected));
    }
    Ok(customer)
}

/// Saying nothing to a wish that is not fulfilled would be worse than refusing it.
fn unsorted(request: PageRequest) -> Result<PageRequest, Problem> {
    if request.sort.is_empty() {
        return Ok(request);
    }
    let expected = "A customer's orders come newest first; leave sort out.";
    Err(Problem::malformed_parameter("sort", expected))
}

fn shown(rows: &[Row], total: u64) -> Page<MypageView<'_>> {
    Page { items: rows.iter().map(MypageView::from).collect(), total }
}

fn no_page(error: PageError) -> Problem {
    match error {
        PageError::TooMany => Problem::too_many_long_reads(),
        PageError::Unavailable(error) => away(error),
    }
}

fn away(Unavailable(reason): Unavailable) -> Problem {
    error!(reason, "the view cannot be read");
    Problem::unavailable("The view cannot be read at the moment.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_events_write_them() {
        let days = (0..2_932_895_i64).step_by(13).map(|day| day * 86_400_000 + day);
        let ends = [0, 1, 951_782_399_999, 951_868_800_000, 253_402_207_199_999];
        for at in days.chain(ends).map(Timestamp) {
            let mut text = *b"0000-00-00T00:00:00.000Z";
            write_rfc3339(at, &mut text).expect("within the years");
            assert_eq!(std::str::from_utf8(&text), Ok(at.to_rfc3339().as_str()));
        }
        for outside in [-1, i64::MIN, 253_402_207_200_000, i64::MAX] {
            assert_eq!(write_rfc3339(Timestamp(outside), &mut [0; 24]), None);
        }
    }
}
