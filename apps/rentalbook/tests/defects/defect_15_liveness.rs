//! The original's liveness included Kafka: a broker outage restarted every replica.

use hyper::Method;
use rentalbook::cli::ServiceArg;

use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn defect_15_a_service_is_alive_whoever_else_is_away() {
    let library = Scene::open().await;
    let alive = async |services: &[ServiceArg], while_what: &str| {
        for service in services {
            let answer = library.send(*service, Method::GET, "/actuator/health/liveness", None).await;
            assert_eq!(
                (answer.status, answer.text("status")),
                (200, "UP".to_owned()),
                "{service:?} {while_what}"
            );
        }
    };
    let all =
        [ServiceArg::Order, ServiceArg::Rent, ServiceArg::Delivery, ServiceArg::Mypage, ServiceArg::Gateway];
    alive(&all, "while all is well").await;

    let away = library.hang("bus.db");
    let order = library.an_order("COSMOS").await;
    alive(&all, "while the topic is away").await;
    let ready = library.send(ServiceArg::Order, Method::GET, "/actuator/health", None).await;
    assert_eq!(ready.status, 200, "order takes requests without the topic");
    drop(away);

    library.stop(ServiceArg::Rent).await;
    let others = [ServiceArg::Order, ServiceArg::Delivery, ServiceArg::Mypage, ServiceArg::Gateway];
    alive(&others, "while rent is stopped").await;
    library.start(ServiceArg::Rent).await;
    library.settle().await;
    assert_eq!(library.status_in("mypages", order).await.as_deref(), Some("Ship"));
    library.close().await;
}
