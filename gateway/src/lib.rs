//! 게이트웨이 (gateway): one door to the four services. It has no domain rule: it finds the service by the path,
//! keeps strangers from speaking for a proxy, and answers for a service that is stopped.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use platform_http::{Asked, Problem, REQUEST_ID, RequestId, read_only};
use tower::ServiceExt as _;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// A service behind the gateway, in the same process: calling it needs no second connection.
#[derive(Clone)]
pub struct Upstream {
    /// The first segment of its paths, such as `orders`.
    pub collection: &'static str,
    /// The service.
    pub router: Router,
    /// Whether the service is started.
    pub is_open: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// A web origin that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a web origin; write scheme and host, such as https://library.example")]
pub struct OriginError(String);

/// Seconds after which a client may ask for a stopped service again.
const RETRY_AFTER: u32 = 2;

/// Headers by which a proxy speaks for its clients. Nobody before the gateway is believed.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
];

/// The gateway's router. Pages of `cors_origins` may call it; with none, no foreign page may.
///
/// # Errors
/// Where one of `cors_origins` is none.
pub fn router(upstreams: Vec<Upstream>, cors_origins: &[String]) -> Result<Router, OriginError> {
    let router = Router::new()
        .route("/", read_only(get(entry)))
        .route("/profile", read_only(get(profiles)))
        .fallback(forward)
        .with_state(Arc::<[Upstream]>::from(upstreams));
    if cors_origins.is_empty() {
        return Ok(router);
    }
    Ok(router.layer(cors(cors_origins)?))
}

fn cors(origins: &[String]) -> Result<CorsLayer, OriginError> {
    let origins = origins.iter().map(|origin| parse_origin(origin)).collect::<Result<Vec<_>, _>>()?;
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::OPTIONS])
        .allow_headers([
            header::ACCEPT,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("x-request-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            HeaderName::from_static("x-request-id"),
        ]))
}

/// Checks one of `cors_origins` before anything is started.
///
/// # Errors
/// Where it is none.
pub fn check_origin(origin: &str) -> Result<(), OriginError> {
    parse_origin(origin).map(|_| ())
}

/// `scheme://host[:port]`, nothing after it: with a path no browser would ever match it.
fn parse_origin(origin: &str) -> Result<HeaderValue, OriginError> {
    let unusable = || OriginError(origin.to_owned());
    let uri: axum::http::Uri = origin.parse().map_err(|_| unusable())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_web || uri.authority().is_none() || origin.ends_with('/') || uri.path() != "/" {
        return Err(unusable());
    }
    HeaderValue::from_str(origin).map_err(|_| unusable())
}

async fn forward(State(upstreams): State<Arc<[Upstream]>>, mut request: Request) -> Response {
    let path = request.uri().path();
    let collection = collection_of(path);
    let Some(upstream) = upstreams.iter().find(|upstream| upstream.collection == collection) else {
        return Problem::no_such_address(path).into_response();
    };
    if !(upstream.is_open)() {
        let what = format!("The service behind /{collection} is stopped.");
        return Problem::unavailable(&what, RETRY_AFTER).into_response();
    }
    let request_id = request.extensions().get::<RequestId>().map(RequestId::to_header);
    let headers = request.headers_mut();
    for name in FORWARDED {
        headers.remove(name);
    }
    if let Some(request_id) = request_id {
        headers.insert(REQUEST_ID, request_id);
    }
    // The Host that the client used stays, so the service's links name the gateway.
    match upstream.router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
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
