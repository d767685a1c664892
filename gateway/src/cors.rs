//! Which web pages may call the gateway.

use std::convert::Infallible;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, Uri, header},
    middleware::{Next, from_fn, map_request},
    response::Response,
};
use platform_http::{REQUEST_ID, RequestId};
use tower::{Service, util::Either};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// A web origin that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a web origin; write scheme and host, such as https://library.example")]
pub struct OriginError(String);

/// `gateway` as pages of `origins` may call it; with none, no foreign page may. Around everything else, so that such
/// a page can read why its request was refused, too.
///
/// # Errors
/// Where one of `origins` is none.
pub fn with_cors<S>(gateway: S, origins: &[String]) -> Result<Either<S, Router>, OriginError>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    if origins.is_empty() {
        return Ok(Either::Left(gateway));
    }
    let router = Router::new()
        .fallback_service(gateway)
        .layer(map_request(show_options))
        .layer(cors(origins)?)
        .layer(from_fn(tell_preflights_apart));
    Ok(Either::Right(router))
}

/// Checks one of the origins before anything is started.
///
/// # Errors
/// Where it is none.
pub fn check_origin(origin: &str) -> Result<(), OriginError> {
    parse_origin(origin).map(|_| ())
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
            REQUEST_ID,
        ])
        .expose_headers([header::ETAG, header::LOCATION, header::RETRY_AFTER, REQUEST_ID]))
}

/// `scheme://host[:port]`, nothing before or after it, as browsers write it (RFC 6454, 6.2): in small letters, without the
/// port that the scheme has anyway. Otherwise no browser would ever match it.
fn parse_origin(origin: &str) -> Result<HeaderValue, OriginError> {
    let unusable = || OriginError(origin.to_owned());
    let uri: Uri = origin.parse().map_err(|_| unusable())?;
    let (scheme, usual_port) = match uri.scheme_str() {
        Some("http") => ("http", 80),
        Some("https") => ("https", 443),
        _ => return Err(unusable()),
    };
    let authority =
        uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(unusable)?;
    let host = authority.host();
    // A fragment is dropped by the parser.
    let is_more = uri.path() != "/" || uri.query().is_some() || origin.ends_with('/') || origin.contains('#');
    if host.is_empty() || is_more {
        return Err(unusable());
    }
    let port = match (authority.as_str().strip_prefix(host), authority.port_u16()) {
        (Some(""), _) => None,
        (Some(_colon_and_port), Some(port)) => Some(port).filter(|port| *port != usual_port),
        // A port that is none.
        _ => return Err(unusable()),
    };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    HeaderValue::try_from(format!("{scheme}://{}{port}", host.to_ascii_lowercase())).map_err(|_| unusable())
}

/// On an OPTIONS that is meant for a service, while it passes the layer that takes every OPTIONS for a preflight.
#[derive(Clone, Copy)]
struct Options;

async fn tell_preflights_apart(mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_preflight =
        headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() != Method::OPTIONS {
        return next.run(request).await;
    }
    if !is_preflight {
        request.extensions_mut().insert(Options);
        *request.method_mut() = Method::GET;
        return next.run(request).await;
    }
    let id = RequestId::of(headers);
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(REQUEST_ID, id.to_header());
    answer
}

async fn show_options(mut request: Request) -> Request {
    if request.extensions_mut().remove::<Options>().is_some() {
        *request.method_mut() = Method::OPTIONS;
    }
    request
}
