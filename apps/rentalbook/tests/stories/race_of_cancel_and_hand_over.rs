use super::Scene;

/// Races that are run however they end, and races after which it is given up.
const RACES: u32 = 30;
const GIVEN_UP: u32 = 300;

/// Requests by which the head start is changed after each race.
const STEP: u32 = 4;

/// Who was first.
enum Winner {
    Courier,
    Customer,
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_customer_cancels_while_the_courier_takes_the_parcel_exactly_one_of_them_wins() {
    let scene = Scene::open().await;
    let (mut shipped, mut canceled, mut races) = (0, 0, 0);
    // The cancel needs two events to reach the parcel. How many requests that takes is the machine's affair, so its
    // head start is as many as let both win: more after the courier, less after the customer, and some scatter.
    let mut head_start = 0_u32;
    while races < RACES || shipped == 0 || canceled == 0 {
        assert!(races < GIVEN_UP, "only one of them ever wins: {shipped} shipped, {canceled} canceled");
        match race(&scene, races, head_start + races % 3).await {
            Winner::Courier => {
                shipped += 1;
                head_start += STEP;
            }
            Winner::Customer => {
                canceled += 1;
                head_start = head_start.saturating_sub(STEP);
            }
        }
        races += 1;
    }
    scene.close().await;
}

/// A cancel against a hand-over that waits for some requests.
async fn race(scene: &Scene, number: u32, head_start: u32) -> Winner {
    let order = scene.an_order(&format!("book {number}")).await;
    let parcel = scene.a_parcel(order).await;
    let hand_over = async {
        for _ in 0..head_start {
            scene.order_status(order).await;
        }
        scene.hand_over(parcel).await
    };
    let (cancelled, handed_over) = tokio::join!(scene.cancel(order), hand_over);

    scene
        .until("the order is decided", async || {
            matches!(scene.order_status(order).await.as_str(), "Shipped" | "Order Canceled")
        })
        .await;
    if scene.order_status(order).await == "Shipped" {
        assert_eq!(handed_over.status, 200, "{handed_over:?}");
        scene.until_shown(order, "Shipped").await;
        Winner::Courier
    } else {
        assert_eq!((cancelled.status, handed_over.status), (200, 409), "{handed_over:?}");
        scene.until_shown(order, "Ship Canceled").await;
        Winner::Customer
    }
}
