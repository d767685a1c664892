//! Addresses.

use axum::http::Request;
use platform_http::{Asked, MAX_PAGE_SIZE, PageRequest};

use crate::bodies::is_a_refusal;

/// Names that a collection can be sorted by, as order has them.
const SORTABLE: [&str; 7] = ["item", "status", "id", "customer", "reason", "placedAt", "changedAt"];

/// Reads the query of an address: the page, a text, an id.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // The server does not let anything else in either.
    let request = Request::builder().uri(format!("/orders?{text}")).header("host", "localhost").body(());
    let Ok(request) = request else { return };
    let (parts, ()) = request.into_parts();
    match PageRequest::of(&parts.uri, &SORTABLE) {
        Ok(page) => {
            assert!((1..=MAX_PAGE_SIZE).contains(&page.size));
            assert_eq!(page.limit(), u64::from(page.size));
            assert_eq!(page.offset(), u64::from(page.page) * u64::from(page.size));
            assert!(page.sort.iter().all(|by| SORTABLE.contains(&by.field)));
        }
        Err(problem) => is_a_refusal(problem),
    }
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(problem) => return is_a_refusal(problem),
    };
    match asked.text_parameter("customer") {
        Ok(text) => assert!(!text.is_empty() && !text.contains(char::is_control)),
        Err(problem) => is_a_refusal(problem),
    }
    match asked.id_parameter("orderId") {
        Ok(id) => assert!(id > 0),
        Err(problem) => is_a_refusal(problem),
    }
}
