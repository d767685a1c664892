//! HTTP as the services speak it.
//!
//! A service describes its collection once, as a [`Resource`], and gets from it every answer in the shape
//! its clients know (HAL, as Spring Data REST wrote it): one item, a page, a search, the documents that
//! describe them. What a client got wrong is a [`Problem`]. [`Limits`] bounds what a service takes on, and
//! [`serve`] brings it to a port. Nothing here knows what the items mean.

mod actuator;
mod asked;
mod body;
#[cfg(feature = "client")]
pub mod client;
mod come_back;
mod conditional;
mod deadline;
mod documents;
mod failures;
mod hal;
mod limits;
mod links;
mod negotiate;
mod page;
mod patch;
mod peers;
mod problem;
mod request_id;
mod resource;
mod routes;
mod server;

pub use actuator::{About, Health, HealthCheck, Scrape, actuator};
pub use asked::Asked;
pub use body::{BodyLimit, DEFAULT_BODY_LIMIT, Object, RawBody, read_body};
pub use conditional::etag;
pub use deadline::{Deadline, REQUEST_DEADLINE};
pub use limits::{InFlight, Limited, Limits, Requests, Running};
pub use links::{LinkBase, TrustedProxy};
pub use negotiate::{Accept, Media};
pub use page::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, PageRequest, SortBy};
pub use patch::{ACCEPT_PATCH, FieldPatch, TRIES, parse_patch};
pub use peers::{Peer, PeersError, TrustedPeers};
pub use problem::Problem;
pub use request_id::{REQUEST_ID, RequestId};
pub use resource::{Methods, Representation, Resource, Search};
pub use routes::{Id, read_only, routes, with_methods};
pub use server::{BindError, Connections, ServerConfig, bind, serve};
