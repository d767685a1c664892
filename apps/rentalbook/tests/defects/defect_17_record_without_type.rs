//! The original took a record without `eventType` for every type at once: `{"a":1}` on the topic made a delivery of no
//! order.

use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn defect_17_a_record_without_a_type_or_of_an_unknown_one_is_nobodys_business() {
    let library = Scene::open().await;
    let order = library.an_order("COSMOS").await;
    library.settle().await;
    let before = library.find("mypages", order).await;
    let said = library.records().await.len();

    let strange = [
        r#"{"a":1}"#,
        "{}",
        r#"{"eventType":null,"id":1,"orderId":1,"status":"Rent Canceled"}"#,
        r#"{"id":1,"orderId":1,"status":"Shipped","item":"COSMOS","me":true}"#,
        r#"{"eventType":"Overdue","id":1,"orderId":1,"status":"Overdue"}"#,
        r#"{"eventType":"Shipped","id":1,"orderId":1,"status":"Lost"}"#,
        r#"{"eventType":"BookRegistered","id":"b-1","status":"new"}"#,
        r#"{"id":"b-1","orderId":[1]}"#,
    ];
    library.publish(strange.map(|value| (None, value))).await;
    library.publish(strange.map(|value| (Some(order), value))).await;
    library.settle().await;

    for collection in ["orders", "rents", "deliveries", "mypages"] {
        assert_eq!(library.count(collection).await, 1, "{collection}");
    }
    assert_eq!(library.find("mypages", order).await, before);
    assert_eq!(library.records().await.len(), said + 2 * strange.len(), "nobody says anything about them");
    assert!(library.dead_letters().await.is_empty());
    library.close().await;
}
