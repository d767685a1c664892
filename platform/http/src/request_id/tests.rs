use http::{HeaderMap, HeaderValue};

use super::{REQUEST_ID, RequestId};

fn taken(value: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
    RequestId::of(&headers).to_header().as_bytes() == value
}

#[test]
fn the_clients_own_id_is_kept_if_it_is_usable() {
    assert!(taken(b"a-1") && taken(&[b'x'; 128]));
    assert!(!taken(b"") && !taken(&[b'x'; 129]) && !taken(b"a b") && !taken("책".as_bytes()));
}

#[test]
fn new_ids_are_all_different() {
    let ids: std::collections::HashSet<_> =
        (0..100_000).map(|_| RequestId::new().as_str().to_owned()).collect();
    assert_eq!(ids.len(), 100_000);
    assert!(ids.iter().all(|id| id.len() >= 21 && id.is_ascii()));
}
