//! Collections, searches and documents, as they were recorded.

use serde_json::json;

use crate::service::{MYPAGES, ORDERS, RENTS, ask, service};

/// What was recorded, with the port left out where it is another.
fn links(text: &str) -> String {
    text.split_whitespace().collect::<String>().replace("HOST", "http://localhost:8081")
}

#[tokio::test]
async fn the_first_page_of_an_empty_collection() {
    let answer = ask(service(&ORDERS, 0), "GET /orders\nAccept: */*").await;
    assert_eq!(answer.header("content-type"), Some("application/hal+json;charset=UTF-8"));
    let recorded = links(
        r#"{"_embedded":{"orders":[]},
            "_links":{"self":{"href":"HOST/orders{?page,size,sort}","templated":true},
                      "profile":{"href":"HOST/profile/orders"}},
            "page":{"size":20,"totalElements":0,"totalPages":0,"number":0}}"#,
    );
    assert_eq!(answer.body, recorded);
}

#[tokio::test]
async fn the_only_page_has_its_items_with_their_links() {
    let answer = ask(service(&ORDERS, 1), "GET /orders").await;
    let recorded = links(
        r#"{"_embedded":{"orders":[{"item":"COSMOS","status":"Ordered","_links":{
              "self":{"href":"HOST/orders/1"},"order":{"href":"HOST/orders/1"}}}]},
            "_links":{"self":{"href":"HOST/orders{?page,size,sort}","templated":true},
                      "profile":{"href":"HOST/profile/orders"}},
            "page":{"size":20,"totalElements":1,"totalPages":1,"number":0}}"#,
    );
    assert_eq!(answer.body, recorded);
}

/// The recorded requests for pages of 28 items: query, count on the page, links.
const PAGES: &[(&str, usize, &str)] = &[
    (
        "?page=0&size=5",
        5,
        r#"{"first":{"href":"HOST/orders?page=0&size=5"},
            "self":{"href":"HOST/orders{&sort}","templated":true},
            "next":{"href":"HOST/orders?page=1&size=5"},
            "last":{"href":"HOST/orders?page=5&size=5"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
    (
        "",
        20,
        r#"{"first":{"href":"HOST/orders?page=0&size=20"},
            "self":{"href":"HOST/orders{?page,size,sort}","templated":true},
            "next":{"href":"HOST/orders?page=1&size=20"},
            "last":{"href":"HOST/orders?page=1&size=20"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
    (
        "?page=1",
        8,
        r#"{"first":{"href":"HOST/orders?page=0&size=20"},
            "prev":{"href":"HOST/orders?page=0&size=20"},
            "self":{"href":"HOST/orders{&sort}","templated":true},
            "last":{"href":"HOST/orders?page=1&size=20"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
    (
        "?size=3&page=2",
        3,
        r#"{"first":{"href":"HOST/orders?page=0&size=3"},
            "prev":{"href":"HOST/orders?page=1&size=3"},
            "self":{"href":"HOST/orders{&sort}","templated":true},
            "next":{"href":"HOST/orders?page=3&size=3"},
            "last":{"href":"HOST/orders?page=9&size=3"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
    (
        "?sort=item,desc&size=2",
        2,
        r#"{"first":{"href":"HOST/orders?page=0&size=2&sort=item,desc"},
            "self":{"href":"HOST/orders"},
            "next":{"href":"HOST/orders?page=1&size=2&sort=item,desc"},
            "last":{"href":"HOST/orders?page=13&size=2&sort=item,desc"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
    (
        "?page=99",
        0,
        r#"{"first":{"href":"HOST/orders?page=0&size=20"},
            "prev":{"href":"HOST/orders?page=98&size=20"},
            "self":{"href":"HOST/orders{&sort}","templated":true},
            "last":{"href":"HOST/orders?page=1&size=20"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
    (
        "?size=0",
        20,
        r#"{"first":{"href":"HOST/orders?page=0&size=20"},
            "self":{"href":"HOST/orders{?page,size,sort}","templated":true},
            "next":{"href":"HOST/orders?page=1&size=20"},
            "last":{"href":"HOST/orders?page=1&size=20"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
    (
        "?size=abc",
        20,
        r#"{"first":{"href":"HOST/orders?page=0&size=20"},
            "self":{"href":"HOST/orders{?page,size,sort}","templated":true},
            "next":{"href":"HOST/orders?page=1&size=20"},
            "last":{"href":"HOST/orders?page=1&size=20"},
            "profile":{"href":"HOST/profile/orders"}}"#,
    ),
];

#[tokio::test]
async fn every_recorded_page_has_the_recorded_links_in_the_recorded_order() {
    for (query, count, recorded) in PAGES {
        let answer = ask(service(&ORDERS, 28), &format!("GET /orders{query}")).await;
        assert_eq!(answer.list_links(), links(recorded), "{query}");
        assert_eq!(answer.json()["_embedded"]["orders"].as_array().unwrap().len(), *count, "{query}");
    }
}

#[tokio::test]
async fn the_numbers_of_a_page_beyond_the_end() {
    let answer = ask(service(&ORDERS, 28), "GET /orders?page=99").await;
    assert_eq!(
        answer.json()["page"],
        json!({"size": 20, "totalElements": 28, "totalPages": 2, "number": 99})
    );
}

#[tokio::test]
async fn a_collection_with_searches_says_so() {
    let answer = ask(service(&RENTS, 28), "GET /rents?size=2").await;
    let recorded = r#"{"first":{"href":"HOST/rents?page=0&size=2"},
        "self":{"href":"HOST/rents{&sort}","templated":true},
        "next":{"href":"HOST/rents?page=1&size=2"},
        "last":{"href":"HOST/rents?page=13&size=2"},
        "profile":{"href":"HOST/profile/rents"},
        "search":{"href":"HOST/rents/search"}}"#;
    assert_eq!(answer.list_links(), links(recorded));
}

#[tokio::test]
async fn a_collection_without_templates_links_to_what_was_asked() {
    let answer = ask(service(&MYPAGES, 1), "GET /mypages").await;
    let recorded = r#"{"self":{"href":"HOST/mypages"},"profile":{"href":"HOST/profile/mypages"},
        "search":{"href":"HOST/mypages/search"}}"#;
    assert_eq!(answer.list_links(), links(recorded));

    let answer = ask(service(&MYPAGES, 28), "GET /mypages?size=2").await;
    let paged = r#"{"first":{"href":"HOST/mypages?page=0&size=2"},
        "self":{"href":"HOST/mypages?size=2"},
        "next":{"href":"HOST/mypages?page=1&size=2"},
        "last":{"href":"HOST/mypages?page=13&size=2"},
        "profile":{"href":"HOST/profile/mypages"},
        "search":{"href":"HOST/mypages/search"}}"#;
    assert_eq!(answer.list_links(), links(paged));
}

#[tokio::test]
async fn what_fits_on_one_page_of_a_search_is_answered_as_recorded() {
    let answer = ask(service(&RENTS, 9), "GET /rents/search/findByOrderId?orderId=1").await;
    let recorded = r#"{"self":{"href":"HOST/rents/search/findByOrderId?orderId=1"}}"#;
    assert_eq!(answer.list_links(), links(recorded));
    assert_eq!(answer.json()["_embedded"]["rents"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_search_pages_with_what_it_searches_for() {
    let search = "/rents/search/findByOrderId?orderId=28&page=1&size=2&sort=id,desc";
    let answer = ask(service(&RENTS, 9), &format!("GET {search}")).await;
    let expected = format!(
        r#"{{"first":{{"href":"HOST/rents/search/findByOrderId?orderId=28&page=0&size=2&sort=id,desc"}},
            "prev":{{"href":"HOST/rents/search/findByOrderId?orderId=28&page=0&size=2&sort=id,desc"}},
            "self":{{"href":"HOST{search}"}},
            "next":{{"href":"HOST/rents/search/findByOrderId?orderId=28&page=2&size=2&sort=id,desc"}},
            "last":{{"href":"HOST/rents/search/findByOrderId?orderId=28&page=13&size=2&sort=id,desc"}}}}"#
    );
    assert_eq!(answer.list_links(), links(&expected));
}

#[tokio::test]
async fn what_a_client_writes_into_the_query_stays_inside_the_link() {
    let search = "/rents/search/findByOrderId?orderId=28&x=\\&y={%22}&size=2";
    let answer = ask(service(&RENTS, 9), &format!("GET {search}")).await;
    let links = &answer.json()["_links"];
    assert_eq!(links["self"]["href"], format!("http://localhost:8081{search}"));
    let next = "/rents/search/findByOrderId?orderId=28&x=\\&y={%22}&page=1&size=2";
    assert_eq!(links["next"]["href"], format!("http://localhost:8081{next}"));
}

#[tokio::test]
async fn the_documents_lead_from_the_root_to_every_address() {
    let root = ask(service(&ORDERS, 0), "GET /\nAccept: */*").await;
    assert_eq!(
        root.json(),
        json!({"_links": {
            "orders": {"href": "http://localhost:8081/orders{?page,size,sort}", "templated": true},
            "profile": {"href": "http://localhost:8081/profile"}}})
    );
    let root = ask(service(&MYPAGES, 0), "GET /").await;
    assert_eq!(root.json()["_links"]["mypages"], json!({"href": "http://localhost:8081/mypages"}));

    let profiles = ask(service(&ORDERS, 0), "GET /profile").await;
    assert_eq!(profiles.json()["_links"]["orders"], json!({"href": "http://localhost:8081/profile/orders"}));

    let searches = ask(service(&RENTS, 0), "GET /rents/search").await;
    assert_eq!(
        searches.json(),
        json!({"_links": {
            "findByOrderId": {
                "href": "http://localhost:8081/rents/search/findByOrderId{?orderId}", "templated": true},
            "self": {"href": "http://localhost:8081/rents/search"}}})
    );
    assert_eq!(ask(service(&ORDERS, 9), "GET /orders/search").await.status, 404);
}

#[tokio::test]
async fn a_profile_names_the_fields_and_what_can_be_done() {
    let answer = ask(service(&ORDERS, 0), "GET /profile/orders").await;
    assert_eq!(answer.header("content-type"), Some("application/alps+json"));
    let text = answer.body.as_str();
    for part in ["\"item\"", "order-representation", "create-orders", "patch-order"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!ask(service(&MYPAGES, 0), "GET /profile/mypages").await.body.contains("create-"));
}

#[tokio::test]
async fn a_field_that_cannot_be_sorted_by_is_a_400() {
    let answer = ask(service(&ORDERS, 9), "GET /orders?sort=password").await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["detail"].as_str().unwrap().contains("id, item, status"));
}
