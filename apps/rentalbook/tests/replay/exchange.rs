use std::collections::BTreeSet;

use hyper::{HeaderMap, Method, body::Bytes, header::HeaderName};

use super::{
    compare::Comparison,
    deviations::{ADDED_KEYS, of_request, requests, table},
    recorded::{Answered, Asked, Body, exchanges},
};
use crate::harness::{Answer, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_exchange_with_the_original_is_reproduced_but_for_written_deviations() {
    println!("{}", table());
    let library = Scene::open().await;
    let (mut bugs, mut added, mut replayed) = (Vec::new(), BTreeSet::new(), 0);
    for (number, exchange) in exchanges() {
        let ours = ask(&library, &exchange.request).await;
        library.settle().await;
        let mut expected = exchange.response;
        of_request(number).for_each(|deviation| deviation.apply(&mut expected));
        let comparison = Comparison::of(&expected, &ours);
        added.extend(comparison.added);
        let Asked { service, method, path, .. } = exchange.request;
        bugs.extend(
            comparison.differences.iter().map(|what| format!("{number} {service} {method} {path}: {what}")),
        );
        replayed += 1;
    }
    assert!(bugs.is_empty(), "differences that no deviation explains:\n{}", bugs.join("\n"));
    assert_eq!(replayed, 103);
    assert!(requests().keys().all(|number| (1..=replayed).contains(number)), "a deviation of no request");
    assert_eq!(added, ADDED_KEYS.iter().map(|key| (*key).to_owned()).collect(), "keys that ours adds");
    library.close().await;
}

async fn ask(library: &Scene, asked: &Asked) -> Answer {
    let (service, host) = asked.place();
    let method: Method = asked.method.parse().expect("a method");
    let headers: Vec<_> = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    library.send_as(service, host, (method, &asked.path), &headers, asked.body.as_deref()).await
}

/// The original's answer as if it were ours.
fn of_the_original(recorded: &Answered) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in &recorded.headers {
        headers.insert(HeaderName::try_from(name).expect("a name"), value.parse().expect("a value"));
    }
    let body = match &recorded.body {
        Body::Json(body) => body.to_string().into(),
        Body::Empty | Body::Problem(_) => Bytes::new(),
    };
    Answer { status: recorded.status, headers, body }
}

#[test]
fn a_deviation_that_does_not_happen_any_more_fails() {
    for (number, exchange) in exchanges() {
        let original = of_the_original(&exchange.response);
        let comparison = Comparison::of(&exchange.response, &original);
        assert!(comparison.differences.is_empty() && comparison.added.is_empty(), "{number}: {comparison:?}");
        for deviation in of_request(number) {
            let mut expected = exchange.response.clone();
            deviation.apply(&mut expected);
            let comparison = Comparison::of(&expected, &original);
            assert!(!comparison.differences.is_empty(), "{number}: nothing would notice: {deviation}");
        }
    }
}
