//! The JSON of items, pages and their links, written straight into one buffer.
//!
//! The order of the links is the one the clients have always seen.

use serde::Serialize;

use crate::page::{Page, PageRequest};
use crate::resource::{Representation, Resource};
use crate::{Asked, LinkBase};

/// How an item could not be written: its representation is no JSON object, which is a bug.
#[derive(Debug)]
pub(crate) struct NotAnObject;

pub(crate) fn push(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

pub(crate) fn push_number(out: &mut Vec<u8>, number: i64) {
    // The same as formatting it, without the machinery of that; a `Vec` takes everything.
    let _ = serde_json::to_writer(out, &number);
}

/// A text as JSON, quotes included: for what came from the client.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(out, text);
}

/// `http://host/collection/id`.
pub(crate) fn push_item_address(out: &mut Vec<u8>, base: &LinkBase, resource: &Resource, id: i64) {
    push(out, &[base.as_str(), "/", resource.collection, "/"]);
    push_number(out, id);
}

/// One item: its own fields and then its links.
pub(crate) fn write_item<T: Representation>(
    out: &mut Vec<u8>,
    resource: &Resource,
    base: &LinkBase,
    item: &T,
) -> Result<(), NotAnObject> {
    open_object(out, item)?;
    push(out, &["\"_links\":{\"self\":{\"href\":\""]);
    push_item_address(out, base, resource, item.id());
    push(out, &["\"},\"", resource.rel, "\":{\"href\":\""]);
    push_item_address(out, base, resource, item.id());
    push(out, &["\"}}}"]);
    Ok(())
}

/// Writes an object without its closing brace, ready for one more member.
fn open_object(out: &mut Vec<u8>, fields: &impl Serialize) -> Result<(), NotAnObject> {
    let start = out.len();
    serde_json::to_writer(&mut *out, fields).map_err(|_| NotAnObject)?;
    if out.get(start) != Some(&b'{') || out.pop() != Some(b'}') {
        return Err(NotAnObject);
    }
    if out.len() > start + 1 {
        out.push(b',');
    }
    Ok(())
}

/// What a list of items is, which decides on its links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// The collection itself.
    Collection,
    /// What a search found: no profile, no further searches.
    Search,
}

/// A page of items with its links and its numbers.
pub(crate) fn write_page<T: Representation>(
    out: &mut Vec<u8>,
    resource: &Resource,
    asked: &Asked,
    list: List,
    request: &PageRequest,
    page: &Page<T>,
) -> Result<(), NotAnObject> {
    push(out, &["{\"_embedded\":{\"", resource.collection, "\":["]);
    for (index, item) in page.items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_item(out, resource, &asked.base, item)?;
    }
    push(out, &["]},\"_links\":{"]);
    write_list_links(out, resource, asked, list, request, page.total);
    push(out, &["},\"page\":{\"size\":"]);
    let total_pages = request.total_pages(page.total);
    push_number(out, i64::from(request.size));
    push(out, &[",\"totalElements\":"]);
    push_number(out, page.total as i64);
    push(out, &[",\"totalPages\":"]);
    push_number(out, total_pages as i64);
    push(out, &[",\"number\":"]);
    push_number(out, i64::from(request.page));
    push(out, &["}}"]);
    Ok(())
}

/// `first`, `prev`, `self`, `next`, `last`, `profile`, `search`, each where it applies.
///
/// A page that is the only one has no links to others; one beyond the end has (`prev` is then the number
/// before it, which may be beyond the end as well).
fn write_list_links(
    out: &mut Vec<u8>,
    resource: &Resource,
    asked: &Asked,
    list: List,
    request: &PageRequest,
    total: u64,
) {
    let total_pages = request.total_pages(total);
    let number = u64::from(request.page);
    let (has_previous, has_next) = (number > 0, number + 1 < total_pages);
    let stem = Stem::of(resource, asked, list, request);

    if has_previous || has_next {
        stem.write(out, "first", 0);
        out.push(b',');
    }
    if has_previous {
        stem.write(out, "prev", number - 1);
        out.push(b',');
    }
    if list == List::Collection && resource.paged {
        write_quirky_self(out, resource, &asked.base, request);
    } else {
        write_own_self(out, asked);
    }
    if has_next {
        out.push(b',');
        stem.write(out, "next", number + 1);
    }
    if has_previous || has_next {
        out.push(b',');
        stem.write(out, "last", total_pages.saturating_sub(1));
    }
    if list == List::Collection {
        let base = asked.base.as_str();
        push(out, &[",\"profile\":{\"href\":\"", base, "/profile/", resource.collection, "\"}"]);
        if !resource.searches.is_empty() {
            push(out, &[",\"search\":{\"href\":\"", base, "/", resource.collection, "/search\"}"]);
        }
    }
}

/// A quirk that clients may rely on: the `self` of a paged collection is not the address that was asked. It
/// is a template of what was *not* chosen: everything on the plain first page, only `sort` once a page or a
/// size was chosen, nothing (and so no template) once a sort was.
fn write_quirky_self(out: &mut Vec<u8>, resource: &Resource, base: &LinkBase, request: &PageRequest) {
    let template = if *request == PageRequest::default() {
        "{?page,size,sort}"
    } else if request.sort.is_empty() {
        "{&sort}"
    } else {
        ""
    };
    push(out, &["\"self\":{\"href\":\"", base.as_str(), "/", resource.collection, template, "\""]);
    push(out, &[if template.is_empty() { "}" } else { ",\"templated\":true}" }]);
}

/// The address that was asked, as it was asked.
fn write_own_self(out: &mut Vec<u8>, asked: &Asked) {
    let own = asked.uri.path_and_query().map_or("/", |path| path.as_str());
    push(out, &["\"self\":{\"href\":"]);
    push_text(out, &[asked.base.as_str(), own].concat());
    out.push(b'}');
}

/// What the links to other pages have in common.
struct Stem {
    before: String,
    after: String,
}

impl Stem {
    fn of(resource: &Resource, asked: &Asked, list: List, request: &PageRequest) -> Self {
        let mut before = asked.base.as_str().to_owned();
        let mut kept = String::new();
        match list {
            List::Collection => {
                before.push('/');
                before.push_str(resource.collection);
            }
            // A search is one with what it searches for.
            List::Search => {
                before.push_str(asked.uri.path());
                kept = other_parameters(asked.uri.query().unwrap_or(""));
            }
        }
        before.push('?');
        before.push_str(&kept);
        let mut after = format!("&size={}", request.size);
        for sort in &request.sort {
            let direction = if sort.descending { "desc" } else { "asc" };
            after.extend(["&sort=", sort.field, ",", direction]);
        }
        Self { before, after }
    }

    fn write(&self, out: &mut Vec<u8>, rel: &str, page: u64) {
        push(out, &["\"", rel, "\":{\"href\":"]);
        push_text(out, &format!("{}page={page}{}", self.before, self.after));
        out.push(b'}');
    }
}

/// The query without the parameters that choose the page, each kept one with its `&`.
fn other_parameters(query: &str) -> String {
    let chooses = |pair: &str| matches!(pair.split('=').next(), Some("page" | "size" | "sort"));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !chooses(pair));
    kept.flat_map(|pair| [pair, "&"]).collect()
}
