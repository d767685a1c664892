//! The documents by which a client finds its way: `/`, `/profile`, the profile of the items, the searches.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use serde_json::{Map, Value, json};

use crate::resource::{Resource, json as answer};
use crate::{Asked, Problem};

/// `/`: the collection and the profiles.
pub(crate) fn root(resource: &Resource, asked: &Asked) -> Response {
    let base = asked.base.as_str();
    let collection = format!("{base}/{}", resource.collection);
    let collection = match resource.paged {
        true => template(collection + "{?page,size,sort}"),
        false => link(collection),
    };
    links(asked, [(resource.collection, collection), ("profile", link(format!("{base}/profile")))])
}

/// `/profile`: which profiles there are.
pub(crate) fn profiles(resource: &Resource, asked: &Asked) -> Response {
    let own = format!("{}/profile", asked.base.as_str());
    let profile = link(format!("{own}/{}", resource.collection));
    links(asked, [("self", link(own)), (resource.collection, profile)])
}

/// `/{collection}/search`: which searches there are; a 404 if there are none.
pub(crate) fn searches(resource: &Resource, asked: &Asked) -> Response {
    if resource.searches.is_empty() {
        return Problem::no_such_address(asked.uri.path()).into_response();
    }
    let own = format!("{}/{}/search", asked.base.as_str(), resource.collection);
    let named = resource.searches.iter().map(|search| {
        let parameters = search.parameters.join(",");
        (search.name, template(format!("{own}/{}{{?{parameters}}}", search.name)))
    });
    links(asked, named.chain([("self", link(own.clone()))]))
}

/// `/profile/{collection}`: what an item consists of and what can be done, as ALPS.
pub(crate) fn profile(resource: &Resource, asked: &Asked) -> Response {
    let own = format!("{}/profile/{}", asked.base.as_str(), resource.collection);
    let representation = format!("{}-representation", resource.rel);
    let fields: Vec<Value> =
        resource.fields.iter().map(|name| json!({"name": name, "type": "SEMANTIC"})).collect();
    let mut descriptors = vec![json!({"id": representation, "href": own, "descriptor": fields})];
    let (collection, item) = (resource.collection, resource.rel);
    let transitions = [
        ("get", collection, "SAFE", resource.collection_methods.allow, "GET"),
        ("create", collection, "UNSAFE", resource.collection_methods.allow, "POST"),
        ("get", item, "SAFE", resource.item_methods.allow, "GET"),
        ("patch", item, "UNSAFE", resource.item_methods.allow, "PATCH"),
    ];
    for (verb, name, kind, allow, method) in transitions {
        if allow.contains(method) {
            let (id, rt) = (format!("{verb}-{name}"), format!("#{representation}"));
            descriptors.push(json!({"id": id, "name": name, "type": kind, "descriptor": [], "rt": rt}));
        }
    }
    for search in resource.searches {
        let parameters: Vec<Value> =
            search.parameters.iter().map(|name| json!({"name": name, "type": "SEMANTIC"})).collect();
        descriptors.push(json!({"name": search.name, "type": "SAFE", "descriptor": parameters}));
    }
    let document = json!({"alps": {"version": "1.0", "descriptor": descriptors}});
    answer(document.to_string().into_bytes(), HeaderValue::from_static("application/alps+json"))
}

fn link(href: String) -> Value {
    json!({"href": href})
}

fn template(href: String) -> Value {
    json!({"href": href, "templated": true})
}

fn links(asked: &Asked, named: impl IntoIterator<Item = (&'static str, Value)>) -> Response {
    let links: Map<String, Value> = named.into_iter().map(|(name, link)| (name.to_owned(), link)).collect();
    let body = json!({"_links": links}).to_string().into_bytes();
    answer(body, asked.accept.media.content_type())
}
