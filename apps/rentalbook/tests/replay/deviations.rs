//! The deviations from the original: all of them, each with its reason.
//!
//! Each turns what the original answered into what ours answers, and everything is compared after that. So a deviation
//! that does not happen any more fails as surely as one that is not written here.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

use super::recorded::{Answered, Body};

/// A deviation.
pub(super) struct Deviation {
    /// The requests whose answers it concerns: lines of `original.jsonl`.
    pub(super) requests: &'static [u16],
    /// What differs.
    pub(super) what: Change,
    /// Why.
    pub(super) reason: &'static str,
}

/// What differs: what the original has, and what ours has.
pub(super) enum Change {
    /// Ours answers with a problem: status of theirs and of ours, and the end of the problem's type.
    Problem(u16, u16, &'static str),
    /// A header; `None` where there is none.
    Header(&'static str, Option<&'static str>, Option<&'static str>),
    /// The status word of an item, wherever the answer shows it; `None` is null.
    Status(&'static str, Option<&'static str>, &'static str),
    /// The start of all links and addresses.
    Links(&'static str, &'static str),
    /// How many items of a collection are sent.
    Items(&'static str, usize, usize),
    /// A key that is added to the body, and what is in it.
    Added(&'static str, &'static str),
}

use Change::{Header, Items, Links, Problem, Status};

/// All deviations.
pub(super) const DEVIATIONS: &[Deviation] = &[
    // The course of things.
    Deviation {
        requests: &[12, 16, 29],
        what: Status("/deliveries/1", Some("Rent"), "Ship"),
        reason: "a parcel that is being prepared has one word, in the row as in the event; the original announced \
                 Ship and stored Rent",
    },
    Deviation {
        requests: &[103],
        what: Status("/deliveries/30", Some("Rent"), "Ship"),
        reason: "the same word; the parcel of a rent that no order asked for is held and never handed over",
    },
    Deviation {
        requests: &[79, 80, 83, 85, 86, 94],
        what: Status("/orders/2", None, "Ordered"),
        reason: "an order has a status even where its customer sent none",
    },
    Deviation {
        requests: &[43, 79, 80, 85, 86, 89, 94, 97],
        what: Status("/orders/1", Some("Ordered"), "Shipped"),
        reason: "an order whose parcel is on its way says so; the original forgot to save it (requirement 7)",
    },
    Deviation {
        requests: &[49, 79, 80, 83, 85, 86, 94],
        what: Status("/orders/3", Some("Order Cancel"), "Order Canceled"),
        reason: "a cancellation ends, once delivery has confirmed it; the original's stayed a wish",
    },
    Deviation {
        requests: &[88],
        what: Items("mypages", 28, 2),
        reason: "mypages are paged like every collection: a view of a million rows is not sent at once",
    },
    // Errors.
    Deviation {
        requests: &[31],
        what: Problem(404, 404, "no-such-address"),
        reason: "an error says what was wrong: application/problem+json instead of nothing",
    },
    Deviation {
        requests: &[32, 33, 34, 35],
        what: Problem(404, 404, "not-found"),
        reason: "an unknown id is answered with a sentence instead of nothing",
    },
    Deviation {
        requests: &[36],
        what: Problem(500, 404, "not-found"),
        reason: "an id that is no number is the client's mistake, not the server's",
    },
    Deviation {
        requests: &[37, 38],
        what: Problem(400, 400, "malformed-json"),
        reason: "the same status; no Java class names in the answer",
    },
    Deviation {
        requests: &[39],
        what: Problem(400, 415, "unsupported-media-type"),
        reason: "that the type of the body is not read has a status of its own",
    },
    Deviation {
        requests: &[40, 41],
        what: Problem(404, 405, "method-not-allowed"),
        reason: "the address is there, the method is not",
    },
    Deviation {
        requests: &[40, 41],
        what: Header("allow", None, Some("OPTIONS,HEAD,POST,GET")),
        reason: "a 405 says what is possible",
    },
    Deviation {
        requests: &[93],
        what: Problem(404, 404, "no-such-address"),
        reason: "the gateway's errors are problems, too",
    },
    // What can be done.
    Deviation {
        requests: &[24],
        what: Header("allow", Some("PATCH,OPTIONS,HEAD,PUT,DELETE,GET"), Some("PATCH,OPTIONS,HEAD,GET")),
        reason: "PUT and DELETE orphaned what belonged to the order, and are gone",
    },
    Deviation {
        requests: &[24],
        what: Header(
            "accept-patch",
            Some("application/json"),
            Some("application/json, application/merge-patch+json, application/json-patch+json"),
        ),
        reason: "all types that are read are named",
    },
    // The gateway.
    Deviation {
        requests: &[89, 94, 95, 97],
        what: Links("http://localhost:8081", "http://localhost:8088"),
        reason: "links through the gateway name the gateway: its clients may not reach the services behind it",
    },
    Deviation {
        requests: &[90],
        what: Links("http://localhost:8082", "http://localhost:8088"),
        reason: "the same, for rents",
    },
    Deviation {
        requests: &[91],
        what: Links("http://localhost:8083", "http://localhost:8088"),
        reason: "the same, for deliveries",
    },
    Deviation {
        requests: &[92],
        what: Links("http://localhost:8084", "http://localhost:8088"),
        reason: "the same, for mypages",
    },
    Deviation {
        requests: &[96, 97],
        what: Header("access-control-allow-origin", Some("http://example.test"), None),
        reason: "no foreign page may call the gateway unless its origin is named in the settings",
    },
    Deviation {
        requests: &[96, 97],
        what: Header("access-control-allow-credentials", Some("true"), None),
        reason: "least of all with the user's credentials",
    },
    Deviation {
        requests: &[96, 97],
        what: Header("vary", Some("Access-Control-Request-Headers"), None),
        reason: "without these headers nothing varies with them",
    },
    Deviation {
        requests: &[96],
        what: Header("allow", None, Some("OPTIONS,HEAD,POST,GET")),
        reason: "what is left is a plain OPTIONS, and it is answered as one",
    },
    // What is running.
    Deviation { requests: &[99], what: Change::Added("app", "order"), reason: "info tells name and version" },
    Deviation { requests: &[101], what: Change::Added("app", "rent"), reason: "the same, for rent" },
];

/// The keys that ours adds to bodies, wherever they are. Clients of the original do not know them and pass over them.
pub(super) const ADDED_KEYS: &[&str] = &[
    "/_embedded/deliveries/changedAt",
    "/_embedded/deliveries/createdAt",
    "/_embedded/deliveries/id",
    "/_embedded/mypages/history",
    "/_embedded/orders/changedAt",
    "/_embedded/orders/id",
    "/_embedded/orders/placedAt",
    "/_embedded/rents/changedAt",
    "/_embedded/rents/createdAt",
    "/_embedded/rents/id",
    // Only mypages: the original did not page them.
    "/_links/first",
    "/_links/last",
    "/_links/next",
    "/app/commit",
    "/app/version",
    "/changedAt",
    "/createdAt",
    "/history",
    "/id",
    "/page",
    "/placedAt",
    // How order's breaker is, in its health.
    "/details",
];

impl Deviation {
    /// Turns the original's answer into ours. What the original must have for it is asserted.
    pub(super) fn apply(&self, answer: &mut Answered) {
        match self.what {
            Problem(theirs, ours, slug) => {
                assert_eq!(answer.status, theirs, "{self}");
                answer.status = ours;
                answer.headers.insert("content-type".to_owned(), "application/problem+json".to_owned());
                answer.body = Body::Problem(slug);
            }
            Header(name, theirs, ours) => {
                let found = answer.headers.remove(name);
                assert!(found.as_deref() == theirs && theirs != ours, "{self}: {found:?}");
                match ours {
                    Some(ours) => drop(answer.headers.insert(name.to_owned(), ours.to_owned())),
                    None => drop(answer.absent.insert(name.to_owned())),
                }
            }
            Status(address, theirs, ours) => {
                let mut changed = 0;
                items(answer.json(), &mut |path, item| {
                    if path == address {
                        assert_eq!(item["status"], theirs.map_or(Value::Null, Value::from), "{self}");
                        item["status"] = json!(ours);
                        changed += 1;
                    }
                });
                assert!(changed == 1, "the answer shows it {changed} times: {self}");
            }
            Links(theirs, ours) => {
                let body = answer.json().to_string();
                assert!(body.contains(theirs), "{self}");
                answer.body = Body::Json(serde_json::from_str(&body.replace(theirs, ours)).expect("JSON"));
                if let Some(location) = answer.headers.get_mut("location") {
                    *location = location.replace(theirs, ours);
                }
            }
            Items(collection, theirs, ours) => {
                let items = answer.json()["_embedded"][collection].as_array_mut().expect("a list");
                assert!(items.len() == theirs && ours < theirs, "{self}");
                items.truncate(ours);
            }
            Change::Added(key, name) => {
                assert!(answer.json().get(key).is_none(), "{self}");
                answer.json()[key] = json!({ "name": name });
            }
        }
    }
}

impl Answered {
    fn json(&mut self) -> &mut Value {
        match &mut self.body {
            Body::Json(body) => body,
            other => panic!("no JSON: {other:?}"),
        }
    }
}

/// All items of a body, with the path of their own link.
fn items(value: &mut Value, each: &mut impl FnMut(&str, &mut Value)) {
    let own = value["_links"]["self"]["href"].as_str().and_then(|href| href.splitn(4, '/').nth(3));
    if let Some(path) = own.map(|path| format!("/{path}"))
        && value.get("_embedded").is_none()
    {
        each(&path, value);
        return;
    }
    let embedded = value.get_mut("_embedded").and_then(Value::as_object_mut);
    for list in embedded.into_iter().flat_map(|embedded| embedded.values_mut()) {
        list.as_array_mut().into_iter().flatten().for_each(|item| items(item, each));
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = |text: Option<&'static str>| text.unwrap_or("none");
        match self.what {
            Problem(theirs, ours, slug) if theirs == ours => write!(f, "{ours}, now the problem {slug}"),
            Problem(theirs, ours, slug) => write!(f, "{theirs} -> {ours}, the problem {slug}"),
            Header(name, theirs, ours) => write!(f, "header {name}: {} -> {}", none(theirs), none(ours)),
            Status(address, theirs, ours) => {
                write!(f, "status of {address}: {} -> {ours}", theirs.unwrap_or("null"))
            }
            Links(theirs, ours) => write!(f, "links: {theirs} -> {ours}"),
            Items(collection, theirs, ours) => write!(f, "{collection}: {theirs} items -> {ours}"),
            Change::Added(key, name) => write!(f, "{key} added, of {name}"),
        }
    }
}

/// The whole table as text.
pub(super) fn table() -> String {
    let mut text = String::from("What ours answers otherwise than the original did, by request:\n");
    for deviation in DEVIATIONS {
        let requests: Vec<_> = deviation.requests.iter().map(u16::to_string).collect();
        text += &format!("\n{deviation}\n  requests {}\n  {}\n", requests.join(", "), deviation.reason);
    }
    text
}

/// The deviations of a request.
pub(super) fn of_request(number: u16) -> impl Iterator<Item = &'static Deviation> {
    DEVIATIONS.iter().filter(move |deviation| deviation.requests.contains(&number))
}

/// How often each request is named, to find numbers that no request has.
pub(super) fn requests() -> BTreeMap<u16, usize> {
    DEVIATIONS.iter().flat_map(|deviation| deviation.requests).fold(BTreeMap::new(), |mut counts, number| {
        *counts.entry(*number).or_default() += 1;
        counts
    })
}
