//! Nonsense: what is sent, what is typed, what is found in the data folder. Every answer says what to do, nothing is
//! written, nothing is damaged.

mod command_line;
mod data_folder;
mod full_disk;
mod not_http;
mod requests;

use crate::harness::Answer;

/// The problem that an answer is: of this status and kind, with a sentence that helps.
#[track_caller]
fn problem(answer: &Answer, status: u16, slug: &str) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    assert_eq!(answer.text("type"), format!("urn:rentalbook:problem:{slug}"), "{answer:?}");
    assert_eq!(answer.number("status"), i64::from(status));
    assert!(!answer.text("title").is_empty());
    let detail = answer.text("detail");
    assert!(detail.len() > 30 && detail.ends_with(['.', '…']), "a sentence that helps: {detail}");
    detail
}
