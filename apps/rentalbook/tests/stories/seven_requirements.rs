use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn the_seven_requirements_in_a_row() {
    let scene = Scene::open().await;

    // 1. The customer requests a book.
    let body = json!({ "item": "COSMOS", "customer": "kim" });
    let answer = scene.send(ServiceArg::Gateway, Method::POST, "/orders", Some(body)).await;
    assert_eq!(answer.status, 201);
    let order = answer.number("id");

    // 2. It is confirmed at once.
    assert_eq!(answer.text("status"), "Ordered");
    assert_eq!(scene.find("rents", order).await.expect("a rent")["status"], "Rent");

    // 3. The delivery is requested.
    let parcel = scene.a_parcel(order).await;

    // 4. The courier takes the parcel.
    assert_eq!(scene.hand_over(parcel).await.text("status"), "Shipped");

    // 5. A request can be cancelled.
    let other = scene.an_order("CONTACT").await;
    scene.until_shown(other, "Ship").await;
    assert_eq!(scene.cancel(other).await.text("status"), "Order Cancel");

    // 6. Then its delivery is cancelled, too.
    scene.until_shown(other, "Ship Canceled").await;
    assert_eq!(scene.find("deliveries", other).await.expect("a delivery")["status"], "Ship Canceled");
    scene.until_order(other, "Order Canceled").await;

    // 7. The customer sees at any moment where the book is.
    scene.until_shown(order, "Shipped").await;
    scene.until_order(order, "Shipped").await;
    let mine = scene
        .send(ServiceArg::Gateway, Method::GET, "/mypages/search/findByCustomer?customer=kim", None)
        .await;
    assert_eq!(mine.json()["_embedded"]["mypages"][0]["status"], "Shipped");
    scene.close().await;
}
