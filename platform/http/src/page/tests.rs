use http::StatusCode;

use super::{PageRequest, SortBy};

const SORTABLE: &[&str] = &["id", "item"];

fn read(query: &str) -> PageRequest {
    PageRequest::of(&format!("/orders?{query}").parse().unwrap(), SORTABLE).unwrap()
}

fn by(field: &'static str, descending: bool) -> SortBy {
    SortBy { field, descending }
}

#[test]
fn the_first_twenty_unless_something_else_is_asked() {
    let default = PageRequest { page: 0, size: 20, sort: vec![] };
    for query in ["", "page=0", "size=20", "size=0", "size=abc", "page=-1", "page=x", "size=-5", "other=1"] {
        assert_eq!(read(query), default, "{query}");
    }
    assert_eq!(read("page=3&size=7"), PageRequest { page: 3, size: 7, sort: vec![] });
}

#[test]
fn more_than_a_thousand_are_never_sent() {
    assert_eq!(read("size=1000").size, 1000);
    assert_eq!(read("size=1001").size, 1000);
    assert_eq!(read("size=99999999999").size, 1000);
}

#[test]
fn the_last_possible_page_does_not_overflow() {
    let request = read("page=2147483647&size=1000");
    assert_eq!((request.offset(), request.limit()), (2_147_483_647_000, 1000));
    assert_eq!(read("page=2147483648").page, 0);
}

#[test]
fn sorting_takes_fields_and_a_direction() {
    assert_eq!(read("sort=item").sort, [by("item", false)]);
    assert_eq!(read("sort=item,asc").sort, [by("item", false)]);
    assert_eq!(read("sort=item,DESC&sort=id").sort, [by("item", true), by("id", false)]);
    assert_eq!(read("sort=item%2Cdesc").sort, [by("item", true)]);
    assert_eq!(read("sort=item,id,desc").sort, [by("item", true), by("id", true)]);
    assert_eq!(read("sort=").sort, []);
    assert_eq!(read("sort=desc").sort, []);
}

#[test]
fn a_field_that_cannot_be_sorted_by_is_named_with_those_that_can() {
    let uri = "/orders?sort=colour,desc".parse().unwrap();
    let problem = PageRequest::of(&uri, SORTABLE).unwrap_err();
    assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
    assert!(problem.detail().contains("`colour`") && problem.detail().contains("id, item"), "{problem}");
}

#[test]
fn a_page_is_begun_for_every_remainder() {
    let pages = |total| read("size=5").total_pages(total);
    assert_eq!((pages(0), pages(1), pages(5), pages(6), pages(28)), (0, 1, 1, 2, 6));
}
