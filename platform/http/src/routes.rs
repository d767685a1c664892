//! The addresses of a service.

use axum::Router;
use axum::extract::FromRequestParts;
use axum::routing::{MethodRouter, get};
use http::request::Parts;
use http::{Method, Uri};

use crate::asked::parse_id;
use crate::resource::{Methods, Resource};
use crate::{Asked, Problem, documents};

/// The id at the end of the path; a 404 if it is none: nothing has such an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub i64);

impl<S: Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let last = parts.uri.path().rsplit('/').next().unwrap_or("");
        parse_id(last).map(Self).ok_or_else(|| Problem::no_such_id(last))
    }
}

/// All addresses of `resource`: the handlers of the collection and of an item, and what follows from the
/// description alone (HEAD of the collection, OPTIONS, refused methods, the documents, 404 for the rest).
///
/// Searches are added with `.route("/{collection}/search/{name}", read_only(get(handler)))`.
pub fn routes<S>(resource: &'static Resource, collection: MethodRouter<S>, item: MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let name = resource.collection;
    let collection = collection.head(move |asked: Asked| async move { resource.collection_head(&asked) });
    Router::new()
        .route(&format!("/{name}"), with_methods(collection, &resource.collection_methods))
        .route(&format!("/{name}/{{id}}"), with_methods(item, &resource.item_methods))
        .route(&format!("/{name}/search"), document(resource, documents::searches))
        .route("/", document(resource, documents::root))
        .route("/profile", document(resource, documents::profiles))
        .route(&format!("/profile/{name}"), document(resource, documents::profile))
        .fallback(no_such_address)
}

/// An address that can only be read: OPTIONS says so, and writing is refused.
pub fn read_only<S>(handlers: MethodRouter<S>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    static METHODS: Methods =
        Methods { allow: "OPTIONS,HEAD,GET", instead: "This address can only be read, with GET." };
    with_methods(handlers, &METHODS)
}

/// An address with these methods: OPTIONS names them, and every other is refused.
pub fn with_methods<S>(handlers: MethodRouter<S>, methods: &'static Methods) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    handlers
        .options(move || async move { methods.options() })
        .fallback(move |method: Method| async move { methods.refuse(&method) })
}

type Document = fn(&Resource, &Asked) -> axum::response::Response;

fn document<S>(resource: &'static Resource, write: Document) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    read_only(get(move |asked: Asked| async move { write(resource, &asked) }))
}

async fn no_such_address(uri: Uri) -> Problem {
    Problem::no_such_address(uri.path())
}
