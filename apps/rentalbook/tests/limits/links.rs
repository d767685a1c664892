//! Links lead somewhere, at the services and through the door.

use std::collections::{BTreeSet, VecDeque};

use hyper::Method;
use rentalbook::cli::ServiceArg::{self, Delivery, Gateway, Mypage, Order, Rent};
use serde_json::Value;

use crate::harness::Scene;

/// The path of every link in a document, without what can be filled in.
fn links(document: &Value, found: &mut Vec<String>) {
    match document {
        Value::Object(members) => {
            if let Some(href) = members.get("href").and_then(Value::as_str) {
                let plain = href.split('{').next().unwrap_or_default();
                let path = plain.splitn(4, '/').nth(3).unwrap_or_default();
                found.push(format!("/{}", path.split('#').next().unwrap_or_default()));
            }
            members.values().for_each(|member| links(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| links(member, found)),
        _ => {}
    }
}

/// Follows every link from `/`.
async fn everywhere(scene: &Scene, service: ServiceArg) -> BTreeSet<String> {
    let (mut seen, mut next) = (BTreeSet::new(), VecDeque::from(["/".to_owned()]));
    while let Some(path) = next.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        // A search is linked without what is searched for.
        let asked = match path.rsplit_once('/') {
            Some((_, "findByOrderId")) => format!("{path}?orderId=1"),
            Some((_, "findByCustomer")) => format!("{path}?customer=kim"),
            _ => path.clone(),
        };
        let answer = scene.send(service, Method::GET, &asked, None).await;
        assert_eq!(answer.status, 200, "{service:?} {path}: {answer:?}");
        let mut found = Vec::new();
        links(&answer.json(), &mut found);
        next.extend(found);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_that_is_sent_leads_somewhere() {
    let scene = Scene::open().await;
    let order = scene.an_order("COSMOS").await;
    scene.until_shown(order, "Ship").await;
    let own = [(Order, "orders"), (Rent, "rents"), (Delivery, "deliveries"), (Mypage, "mypages")];
    let through_the_door = everywhere(&scene, Gateway).await;
    for (service, collection) in own {
        let seen = everywhere(&scene, service).await;
        for path in [format!("/{collection}"), format!("/{collection}/1"), format!("/profile/{collection}")] {
            assert!(seen.contains(&path), "{service:?} does not lead to {path}: {seen:?}");
            assert!(
                through_the_door.contains(&path),
                "the gateway does not lead to {path}: {through_the_door:?}"
            );
        }
    }
    scene.close().await;
}
