//! 게이트웨이 (gateway): one door to the four services. It has no domain rule: it finds the service by the path,
//! keeps strangers from speaking for a proxy, and answers for a service that is stopped.

mod cors;
#[cfg(feature = "http")]
mod remote;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use platform_http::{Asked, Problem, REQUEST_ID, RequestId, TrustedProxy, read_only};
use tower::ServiceExt as _;

pub use cors::{OriginError, check_origin, with_cors};

/// A service behind the gateway.
#[derive(Clone)]
pub struct Upstream {
    /// The first segment of its paths, such as `orders`.
    pub collection: &'static str,
    /// Where it is.
    pub service: Behind,
}

/// Where a service is.
#[derive(Clone)]
pub enum Behind {
    /// In the same process: calling it needs no second connection.
    Here {
        /// The service.
        router: Router,
        /// Whether it is started.
        is_open: Arc<dyn Fn() -> bool + Send + Sync>,
    },
    /// In other processes: all of its replicas.
    #[cfg(feature = "http")]
    There(platform_http::client::Client),
}

/// Headers by which a proxy speaks for its clients. Only a trusted one is believed.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
];

/// The gateway's router.
pub fn router(upstreams: Vec<Upstream>) -> Router {
    Router::new()
        .route("/", read_only(get(entry)))
        .route("/profile", read_only(get(profiles)))
        .fallback(forward)
        .with_state(Arc::<[Upstream]>::from(upstreams))
}

async fn forward(State(upstreams): State<Arc<[Upstream]>>, mut request: Request) -> Response {
    let path = request.uri().path();
    let collection = collection_of(path);
    let Some(upstream) = upstreams.iter().find(|upstream| upstream.collection == collection) else {
        return Problem::no_such_address(path).into_response();
    };
    let request_id = request.extensions().get::<RequestId>().map(RequestId::to_header);
    let is_believed = request.extensions().get::<TrustedProxy>().is_some();
    let headers = request.headers_mut();
    if !is_believed {
        for name in FORWARDED {
            headers.remove(name);
        }
    }
    if let Some(request_id) = request_id {
        headers.insert(REQUEST_ID, request_id);
    }
    match &upstream.service {
        Behind::Here { is_open, .. } if !is_open() => {
            let what = format!("The service behind /{} is stopped.", upstream.collection);
            Problem::unavailable(&what).into_response()
        }
        // The Host that the client used stays, so the service's links name the gateway.
        Behind::Here { router, .. } => match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        #[cfg(feature = "http")]
        Behind::There(client) => remote::forward(client, upstream.collection, request).await,
    }
}

/// The first segment; of a profile the second, since every service has its own below the same one.
fn collection_of(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    path.strip_prefix("profile/").unwrap_or(path).split('/').next().unwrap_or_default()
}

/// What is behind the door.
async fn entry(State(upstreams): State<Arc<[Upstream]>>, asked: Asked) -> Response {
    let base = asked.base.as_str();
    let profiles = ("profile".to_owned(), format!("{base}/profile"));
    links(&asked, of_collections(&upstreams, base).chain([profiles]))
}

/// Which profiles the services have.
async fn profiles(State(upstreams): State<Arc<[Upstream]>>, asked: Asked) -> Response {
    let own = format!("{}/profile", asked.base.as_str());
    links(&asked, [("self".to_owned(), own.clone())].into_iter().chain(of_collections(&upstreams, &own)))
}

fn of_collections(upstreams: &[Upstream], below: &str) -> impl Iterator<Item = (String, String)> {
    upstreams
        .iter()
        .map(move |Upstream { collection, .. }| (collection.to_string(), format!("{below}/{collection}")))
}

fn links(asked: &Asked, named: impl Iterator<Item = (String, String)>) -> Response {
    let links: serde_json::Map<_, _> =
        named.map(|(name, href)| (name, serde_json::json!({ "href": href }))).collect();
    let body = serde_json::json!({ "_links": links }).to_string();
    ([(header::CONTENT_TYPE, asked.accept.media.content_type())], body).into_response()
}
