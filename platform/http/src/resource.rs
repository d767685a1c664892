//! A collection of items, and every answer about it.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderName, LINK, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::conditional::{etag, has_version};
use crate::hal::{self, List, NotAnObject, push, push_item_address};
use crate::page::{Page, PageRequest};
use crate::patch::ACCEPT_PATCH;
use crate::{Asked, Problem};

/// What HTTP has to know of a collection. A service has one, as a `static`.
#[derive(Debug)]
pub struct Resource {
    /// Its name in addresses and in `_embedded`; only characters that need no escaping.
    pub collection: &'static str,
    /// What one item is called, in its link and in sentences.
    pub rel: &'static str,
    /// Whether its links are templates for `page`, `size` and `sort`. Every collection is paged; the links of
    /// some have never said so.
    pub paged: bool,
    /// The fields of an item, for its profile.
    pub fields: &'static [&'static str],
    /// The fields it can be sorted by.
    pub sortable: &'static [&'static str],
    /// The searches it has.
    pub searches: &'static [Search],
    /// What can be done with the collection.
    pub collection_methods: Methods,
    /// What can be done with an item.
    pub item_methods: Methods,
}

/// A search in a collection, at `/{collection}/search/{name}`.
#[derive(Debug)]
pub struct Search {
    /// Its name.
    pub name: &'static str,
    /// The parameters of its query.
    pub parameters: &'static [&'static str],
}

/// The methods of an address.
#[derive(Debug)]
pub struct Methods {
    /// The `Allow` header: `GET,HEAD,OPTIONS`.
    pub allow: &'static str,
    /// What to do instead of the others: one sentence.
    pub instead: &'static str,
}

/// An item as clients see it: its fields are what it serializes to, which has to be a JSON object.
pub trait Representation: Serialize {
    /// Its id, for its address.
    fn id(&self) -> i64;
    /// Its version, for its entity tag. Skip it when serializing unless it is a field as well.
    fn version(&self) -> i64;
}

/// Most items with their links fit, so that the buffer is allocated once.
const ITEM_CAPACITY: usize = 640;

impl Resource {
    /// GET of an item: 200, or 304 where the client says that it has this version.
    pub fn item(&self, asked: &Asked, item: &impl Representation) -> Response {
        if has_version(asked.if_none_match.as_ref(), item.version()) {
            return not_modified(item.version());
        }
        self.with_item(StatusCode::OK, asked, item)
    }

    /// POST that made an item: 201 with its address, and the item where the client accepts an answer.
    pub fn created(&self, asked: &Asked, item: &impl Representation) -> Response {
        let mut response = if asked.accept.sent {
            self.with_item(StatusCode::CREATED, asked, item)
        } else {
            empty(StatusCode::CREATED, item.version())
        };
        let mut address = Vec::with_capacity(64);
        push_item_address(&mut address, &asked.base, self, item.id());
        insert(response.headers_mut(), LOCATION, address);
        response
    }

    /// POST or PATCH of an item that exists: 200 and the item, or 204 where the client accepts no answer.
    pub fn changed(&self, asked: &Asked, item: &impl Representation) -> Response {
        if asked.accept.sent {
            self.with_item(StatusCode::OK, asked, item)
        } else {
            empty(StatusCode::NO_CONTENT, item.version())
        }
    }

    /// HEAD of an item: its links, without a body.
    pub fn item_head(&self, asked: &Asked, item: &impl Representation) -> Response {
        let mut response = empty(StatusCode::NO_CONTENT, item.version());
        let mut address = Vec::with_capacity(64);
        push_item_address(&mut address, &asked.base, self, item.id());
        let mut links = link(&[&address], "self");
        links.push(b',');
        links.extend(link(&[&address], self.rel));
        insert(response.headers_mut(), LINK, links);
        response
    }

    /// HEAD of the collection: its links, without a body.
    pub fn collection_head(&self, asked: &Asked) -> Response {
        let base = asked.base.as_str();
        let mut links = link(&[base, "/", self.collection], "self");
        links.push(b',');
        links.extend(link(&[base, "/profile/", self.collection], "profile"));
        if !self.searches.is_empty() {
            links.push(b',');
            links.extend(link(&[base, "/", self.collection, "/search"], "search"));
        }
        let mut response = StatusCode::NO_CONTENT.into_response();
        insert(response.headers_mut(), LINK, links);
        response
    }

    /// The page of the collection that `asked` asks for; a 400 if it cannot be sorted like that.
    pub fn page_request(&self, asked: &Asked) -> Result<PageRequest, Problem> {
        PageRequest::of(&asked.uri, self.sortable)
    }

    /// GET of the collection.
    pub fn page<T: Representation>(&self, asked: &Asked, request: &PageRequest, page: &Page<T>) -> Response {
        self.list(asked, List::Collection, request, page)
    }

    /// GET of a search in the collection.
    pub fn found<T: Representation>(&self, asked: &Asked, request: &PageRequest, page: &Page<T>) -> Response {
        self.list(asked, List::Search, request, page)
    }

    /// There is no item with this id.
    pub fn not_found(&self, id: i64) -> Problem {
        Problem::not_found(self.rel, id)
    }

    fn with_item(&self, status: StatusCode, asked: &Asked, item: &impl Representation) -> Response {
        let mut body = Vec::with_capacity(ITEM_CAPACITY);
        let written = hal::write_item(&mut body, self, &asked.base, item);
        let mut response = self.answer(asked, body, written);
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
            response.headers_mut().insert(ETAG, etag(item.version()));
        }
        response
    }

    fn list<T: Representation>(
        &self,
        asked: &Asked,
        list: List,
        request: &PageRequest,
        page: &Page<T>,
    ) -> Response {
        let mut body = Vec::with_capacity(ITEM_CAPACITY * (page.items.len() + 2));
        let written = hal::write_page(&mut body, self, asked, list, request, page);
        self.answer(asked, body, written)
    }

    fn answer(&self, asked: &Asked, body: Vec<u8>, written: Result<(), NotAnObject>) -> Response {
        match written {
            Ok(()) => json(body, asked.accept.media.content_type()),
            Err(NotAnObject) => {
                tracing::error!(collection = self.collection, "an item is no JSON object");
                Problem::internal().into_response()
            }
        }
    }
}

impl Methods {
    /// OPTIONS.
    pub(crate) fn options(&self) -> Response {
        let mut response = StatusCode::OK.into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(self.allow));
        if self.allow.contains("PATCH") {
            let types = HeaderValue::from_static(ACCEPT_PATCH);
            response.headers_mut().insert(HeaderName::from_static("accept-patch"), types);
        }
        response
    }

    /// Any method that is not among them.
    pub(crate) fn refuse(&self, method: &http::Method) -> Problem {
        Problem::method_not_allowed(method, self.allow, self.instead)
    }
}

pub(crate) fn json(body: Vec<u8>, content_type: HeaderValue) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn empty(status: StatusCode, version: i64) -> Response {
    let mut response = status.into_response();
    response.headers_mut().insert(ETAG, etag(version));
    response
}

fn not_modified(version: i64) -> Response {
    empty(StatusCode::NOT_MODIFIED, version)
}

/// `<address>;rel="rel"`.
fn link<T: AsRef<[u8]> + ?Sized>(address: &[&T], rel: &str) -> Vec<u8> {
    let mut out = vec![b'<'];
    for part in address {
        out.extend_from_slice(part.as_ref());
    }
    push(&mut out, &[">;rel=\"", rel, "\""]);
    out
}

/// Addresses are made of characters that are allowed in headers: [`crate::LinkBase`] sees to it.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: Vec<u8>) {
    if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(value)) {
        headers.insert(name, value);
    }
}
