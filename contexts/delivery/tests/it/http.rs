//! Delivery over HTTP: every answer that it can give.

use axum::Router;
use delivery::{
    adapters::{inbound::rest::router, outbound::memory::MemoryDeliveries},
    application::{
        Deliveries, Reaction,
        ReactionKind::{self, Ordered, RentCanceled, Rented},
    },
    domain::OrderId,
};
use platform_testkit::http::{self, ACCEPT, Answer, JSON};
use serde_json::{Value, json};

use crate::{ORDER, a_reaction, deliveries_on};

async fn ask(router: &Router, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    http::ask(router, "localhost:8083", line, headers, body).await
}

async fn get(router: &Router, path: &str) -> Answer {
    ask(router, &format!("GET {path}"), &[ACCEPT], "").await
}

const SHIPPED: &str = r#"{"status":"Shipped"}"#;

async fn patch(router: &Router, body: &str) -> Answer {
    ask(router, "PATCH /deliveries/1", &[ACCEPT, JSON], body).await
}

struct Library {
    store: MemoryDeliveries,
    deliveries: Deliveries,
    router: Router,
}

impl Library {
    async fn hears(&self, order_id: OrderId, kind: ReactionKind) {
        let reaction = Reaction { order_id, ..a_reaction(kind) };
        self.deliveries.on_events(vec![reaction]).await.expect("applied");
    }
}

/// A library that has heard these events about [`ORDER`].
async fn a_library(events: &[ReactionKind]) -> Library {
    let store = MemoryDeliveries::default();
    let deliveries = deliveries_on(store.clone());
    let library = Library { store, router: router(deliveries.clone()), deliveries };
    for event in events {
        library.hears(ORDER, *event).await;
    }
    library
}

async fn a_released_parcel() -> Library {
    a_library(&[Rented, Ordered]).await
}

fn links(id: i64) -> Value {
    let own = format!("http://localhost:8083/deliveries/{id}");
    json!({"self": {"href": own}, "delivery": {"href": own}})
}

#[tokio::test]
async fn a_parcel_is_handed_over() {
    let Library { store, router, .. } = a_released_parcel().await;
    let headers = [("accept", "application/json, */*;q=0.5"), JSON];
    let answer = ask(&router, "PATCH /deliveries/1", &headers, SHIPPED).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json;charset=UTF-8"));
    assert_eq!(answer.header("etag"), "\"3\"");
    assert!(answer.body.starts_with(
        r#"{"orderId":7,"status":"Shipped","id":1,"customer":"kim","createdAt":"2020-11-06T07:07:31.007Z","changedAt":"2020-11-06T07:07:31."#
    ));
    assert_eq!(answer.json()["_links"], links(1));

    let again = patch(&router, SHIPPED).await;
    assert_eq!((again.status, again.json()), (200, answer.json()), "a repeat is answered alike");
    assert_eq!(store.said().len(), 2, "prepared and handed over, each once");
}

#[tokio::test]
async fn a_hand_over_may_be_written_in_three_ways() {
    let json_patch = r#"[{"op":"test","path":"/status","value":"Ship"},
                         {"op":"replace","path":"/status","value":"Shipped"}]"#;
    for (content_type, body) in [
        ("application/json", SHIPPED),
        ("application/merge-patch+json", SHIPPED),
        ("application/json-patch+json", json_patch),
    ] {
        let library = a_released_parcel().await;
        let headers = [ACCEPT, ("content-type", content_type)];
        let answer = ask(&library.router, "PATCH /deliveries/1", &headers, body).await;
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("Shipped")), "{content_type}");
    }
}

#[tokio::test]
async fn without_accept_a_hand_over_is_answered_without_a_body() {
    let Library { router, .. } = a_released_parcel().await;
    let answer = ask(&router, "PATCH /deliveries/1", &[JSON], SHIPPED).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("etag")), (204, "", "\"3\""));
}

#[tokio::test]
async fn a_test_that_does_not_hold_stops_the_hand_over() {
    let Library { store, router, .. } = a_released_parcel().await;
    let headers = [ACCEPT, ("content-type", "application/json-patch+json")];
    let body = r#"[{"op":"test","path":"/status","value":"Shipped"},
                   {"op":"replace","path":"/status","value":"Shipped"}]"#;
    ask(&router, "PATCH /deliveries/1", &headers, body).await.problem(409, "test-failed");
    assert_eq!(store.said().len(), 1);
}

#[tokio::test]
async fn a_held_parcel_is_not_handed_over_yet() {
    let library = a_library(&[Rented]).await;
    assert_eq!(get(&library.router, "/deliveries/1").await.json()["status"], "Ship");
    let answer = patch(&library.router, SHIPPED).await;
    assert!(answer.problem(409, "not-confirmed-yet").contains("not confirmed yet, try again shortly"));
    assert_eq!(answer.header("retry-after"), "2");
    library.hears(ORDER, Ordered).await;
    assert_eq!(patch(&library.router, SHIPPED).await.status, 200);
}

#[tokio::test]
async fn a_cancelled_parcel_is_not_handed_over() {
    let Library { router, .. } = a_library(&[Rented, Ordered, RentCanceled]).await;
    assert_eq!(get(&router, "/deliveries/1").await.json()["status"], "Ship Canceled");
    let detail = patch(&router, SHIPPED).await.problem(409, "delivery-canceled");
    assert!(detail.contains("do not hand this parcel over"), "{detail}");
}

#[tokio::test]
async fn a_handed_over_parcel_stays_so() {
    let library = a_released_parcel().await;
    patch(&library.router, SHIPPED).await;
    library.hears(ORDER, RentCanceled).await;
    let shown = get(&library.router, "/deliveries/1").await;
    assert_eq!((&shown.json()["status"], shown.header("etag")), (&json!("Shipped"), "\"4\""));
    patch(&library.router, r#"{"status":"Ship"}"#).await.problem(409, "not-for-couriers");
}

#[tokio::test]
async fn tombstones_and_remembered_releases_are_nobodys_business() {
    for events in [&[RentCanceled][..], &[Ordered], &[Ordered, RentCanceled]] {
        let Library { router, .. } = a_library(events).await;
        get(&router, "/deliveries/1").await.problem(404, "not-found");
        patch(&router, SHIPPED).await.problem(404, "not-found");
        patch(&router, r#"{"status":"Ship Canceled"}"#).await.problem(404, "not-found");
        assert_eq!(ask(&router, "HEAD /deliveries/1", &[], "").await.status, 404);
        let page = get(&router, "/deliveries").await.json();
        assert_eq!(
            (&page["_embedded"]["deliveries"], &page["page"]["totalElements"]),
            (&json!([]), &json!(0))
        );
        let found = get(&router, "/deliveries/search/findByOrderId?orderId=7").await.json();
        assert_eq!(found["_embedded"]["deliveries"], json!([]));
    }
}

#[tokio::test]
async fn another_status_is_refused_with_what_can_be_done() {
    let Library { store, router, .. } = a_released_parcel().await;
    let detail = patch(&router, r#"{"status":"Ship Canceled"}"#).await.problem(409, "not-for-couriers");
    assert!(detail.contains("/orders/7"), "{detail}");
    patch(&router, r#"{"status":"Ship"}"#).await.problem(409, "not-for-couriers");
    for (body, field) in [
        (r#"{"status":"Lost"}"#, "status"),
        (r#"{"status":"Rent"}"#, "status"),
        (r#"{"status":null}"#, "status"),
        (r#"{"status":1}"#, "status"),
        ("{}", "status"),
        (r#"{"status":"Shipped","orderId":8}"#, "orderId"),
    ] {
        let answer = patch(&router, body).await;
        answer.problem(422, "invalid-field");
        assert_eq!(answer.json()["field"], field, "{body}");
    }
    patch(&router, "{").await.problem(400, "malformed-json");
    let text = [ACCEPT, ("content-type", "text/plain")];
    let answer = ask(&router, "PATCH /deliveries/1", &text, SHIPPED).await;
    answer.problem(415, "unsupported-media-type");
    assert!(answer.header("accept-patch").contains("application/merge-patch+json"));
    let image = [("accept", "image/png"), JSON];
    ask(&router, "PATCH /deliveries/1", &image, SHIPPED).await.problem(406, "not-acceptable");
    assert_eq!(store.said().len(), 1, "nothing of this was done");
}

#[tokio::test]
async fn a_hand_over_of_another_version_is_refused() {
    let Library { router, .. } = a_released_parcel().await;
    let stale = [ACCEPT, JSON, ("if-match", "\"1\"")];
    ask(&router, "PATCH /deliveries/1", &stale, SHIPPED).await.problem(412, "precondition-failed");
    let weak = [ACCEPT, JSON, ("if-match", "W/\"2\"")];
    ask(&router, "PATCH /deliveries/1", &weak, SHIPPED).await.problem(412, "precondition-failed");
    let current = [ACCEPT, JSON, ("if-match", "\"2\"")];
    assert_eq!(ask(&router, "PATCH /deliveries/1", &current, SHIPPED).await.status, 200);
}

#[tokio::test]
async fn deliveries_are_neither_made_nor_replaced_nor_deleted() {
    let Library { router, .. } = a_released_parcel().await;
    for method in ["POST", "PUT", "DELETE"] {
        let answer = ask(&router, &format!("{method} /deliveries/1"), &[ACCEPT, JSON], SHIPPED).await;
        assert!(answer.problem(405, "method-not-allowed").contains("PATCH"));
        assert_eq!(answer.header("allow"), "PATCH,OPTIONS,HEAD,GET");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = ask(&router, &format!("{method} /deliveries"), &[ACCEPT, JSON], "{}").await;
        assert!(answer.problem(405, "method-not-allowed").contains("POST /orders"));
        assert_eq!(answer.header("allow"), "OPTIONS,HEAD,GET");
    }
}

#[tokio::test]
async fn a_delivery_is_shown_and_shown_again_only_when_it_has_changed() {
    let library = a_library(&[Rented]).await;
    let router = &library.router;
    let first = get(router, "/deliveries/1").await;
    assert_eq!((first.status, first.header("etag")), (200, "\"1\""));
    assert_eq!(first.json()["_links"], links(1));
    let known = [ACCEPT, ("if-none-match", "\"1\"")];
    let same = ask(router, "GET /deliveries/1", &known, "").await;
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    library.hears(ORDER, Ordered).await;
    let changed = ask(router, "GET /deliveries/1", &known, "").await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));

    let head = ask(router, "HEAD /deliveries/1", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (204, ""));
    assert!(head.header("link").starts_with("<http://localhost:8083/deliveries/1>;rel=\"self\""));
    let options = ask(router, "OPTIONS /deliveries/1", &[], "").await;
    assert_eq!((options.status, options.header("allow")), (200, "PATCH,OPTIONS,HEAD,GET"));
    assert!(options.header("accept-patch").contains("application/json-patch+json"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let Library { router, .. } = a_released_parcel().await;
    get(&router, "/deliveries/99999").await.problem(404, "not-found");
    ask(&router, "PATCH /deliveries/99999", &[ACCEPT, JSON], SHIPPED).await.problem(404, "not-found");
    get(&router, "/deliveries/x").await.problem(404, "not-found");
    get(&router, "/nothing").await.problem(404, "no-such-address");
}

#[tokio::test]
async fn the_collection_is_paged_and_sorted() {
    let library = a_library(&[]).await;
    let router = &library.router;
    assert_eq!(
        get(router, "/deliveries").await.json(),
        json!({
            "_embedded": {"deliveries": []},
            "_links": {
                "self": {"href": "http://localhost:8083/deliveries{?page,size,sort}", "templated": true},
                "profile": {"href": "http://localhost:8083/profile/deliveries"},
                "search": {"href": "http://localhost:8083/deliveries/search"},
            },
            "page": {"size": 20, "totalElements": 0, "totalPages": 0, "number": 0},
        })
    );
    for order_id in [30, 10, 20] {
        library.hears(OrderId(order_id), Rented).await;
    }
    library.hears(OrderId(40), RentCanceled).await;
    let orders = async |query: &str| -> Vec<Value> {
        let page = get(router, &format!("/deliveries?{query}")).await.json();
        assert_eq!(page["page"]["totalElements"], 3);
        let items = page["_embedded"]["deliveries"].as_array().expect("items").clone();
        items.iter().map(|item| item["orderId"].clone()).collect()
    };
    assert_eq!(orders("").await, [30, 10, 20]);
    assert_eq!(orders("sort=orderId").await, [10, 20, 30]);
    assert_eq!(orders("sort=id,desc&size=2").await, [20, 10]);
    assert_eq!(orders("sort=id,desc&size=2&page=1").await, [30]);
    for field in ["orderId", "status", "id", "customer", "createdAt", "changedAt"] {
        assert_eq!(orders(&format!("sort={field},desc")).await.len(), 3, "{field}");
    }
    get(router, "/deliveries?sort=nothing").await.problem(400, "malformed-parameter");
    let head = ask(router, "HEAD /deliveries", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (204, ""));
    assert_eq!(ask(router, "OPTIONS /deliveries", &[], "").await.header("allow"), "OPTIONS,HEAD,GET");
}

#[tokio::test]
async fn a_delivery_is_found_by_its_order() {
    let Library { router, .. } = a_released_parcel().await;
    let path = "/deliveries/search/findByOrderId?orderId=7";
    let found = get(&router, path).await.json();
    assert_eq!(found["_embedded"]["deliveries"][0]["orderId"], 7);
    assert_eq!(found["_embedded"]["deliveries"][0]["_links"], links(1));
    assert_eq!(found["_links"], json!({"self": {"href": format!("http://localhost:8083{path}")}}));
    for none in ["orderId=99999", "orderId=7&page=1"] {
        let none = get(&router, &format!("/deliveries/search/findByOrderId?{none}")).await.json();
        assert_eq!(none["_embedded"]["deliveries"], json!([]));
    }
    for bad in ["", "?orderId=", "?orderId=x"] {
        let answer = get(&router, &format!("/deliveries/search/findByOrderId{bad}")).await;
        answer.problem(400, "malformed-parameter");
    }
    let write = ask(&router, "PATCH /deliveries/search/findByOrderId?orderId=7", &[], "").await;
    write.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn the_documents_lead_the_way() {
    let Library { router, .. } = a_library(&[]).await;
    assert_eq!(
        get(&router, "/").await.json(),
        json!({"_links": {
            "deliveries": {"href": "http://localhost:8083/deliveries{?page,size,sort}", "templated": true},
            "profile": {"href": "http://localhost:8083/profile"},
        }})
    );
    let search = get(&router, "/deliveries/search").await.json();
    let template = "http://localhost:8083/deliveries/search/findByOrderId{?orderId}";
    assert_eq!(search["_links"]["findByOrderId"], json!({"href": template, "templated": true}));
    for path in ["/profile", "/profile/deliveries"] {
        assert_eq!(get(&router, path).await.status, 200);
    }
}

#[tokio::test]
async fn while_the_store_is_away_clients_are_asked_to_come_back() {
    let Library { store, router, .. } = a_released_parcel().await;
    store.set_away(true);
    for line in [
        "GET /deliveries",
        "GET /deliveries/1",
        "GET /deliveries/search/findByOrderId?orderId=7",
        "PATCH /deliveries/1",
    ] {
        let answer = ask(&router, line, &[ACCEPT, JSON], SHIPPED).await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "2", "{line}");
    }
    store.set_away(false);
    assert_eq!(patch(&router, SHIPPED).await.status, 200);
}

#[tokio::test]
async fn who_hands_over_while_the_store_fails_is_told_to_look_and_a_repeat_hears_only_what_is_kept() {
    let Library { store, router, .. } = a_released_parcel().await;
    for _ in ["at first, when it is written all the same", "as a repeat, when there is nothing to write"] {
        store.set_in_doubt(true);
        let detail = patch(&router, SHIPPED).await.problem(504, "in-doubt");
        assert!(detail.contains("look before you repeat it"), "{detail}");
        store.set_in_doubt(false);
        assert_eq!(ask(&router, "GET /deliveries/1", &[ACCEPT], "").await.json()["status"], "Shipped");
    }
    assert_eq!(patch(&router, SHIPPED).await.status, 200);
}

#[tokio::test]
async fn the_id_of_a_request_goes_on_with_what_it_causes() {
    let Library { store, router, .. } = a_released_parcel().await;
    let router = router.layer(platform_http::Limits::default());
    let headers = [ACCEPT, JSON, ("x-request-id", "c-1")];
    ask(&router, "PATCH /deliveries/1", &headers, SHIPPED).await;
    let (_, said) = store.said().remove(1);
    assert_eq!(said.correlation_id.as_deref(), Some("c-1"));
}
