//! A service with a fixed collection, in two kinds, as it was recorded.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use http::header::HOST;
use platform_http::{
    Asked, Id, Methods, Object, Page, PageRequest, Problem, RawBody, Representation, Resource, Search,
    parse_patch, read_only, routes,
};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;

pub(crate) static ORDERS: Resource = Resource {
    collection: "orders",
    rel: "order",
    paged: true,
    fields: &["item", "status"],
    sortable: &["id", "item", "status"],
    searches: &[],
    collection_methods: Methods { allow: "OPTIONS,HEAD,POST,GET", instead: "Change an order with PATCH." },
    item_methods: Methods { allow: "PATCH,OPTIONS,HEAD,GET", instead: "Cancel it with PATCH." },
};

pub(crate) static RENTS: Resource = Resource {
    collection: "rents",
    rel: "rent",
    paged: true,
    fields: &["orderId", "status"],
    sortable: &["id", "orderId"],
    searches: SEARCHES,
    collection_methods: Methods { allow: "OPTIONS,HEAD,POST,GET", instead: "It follows the order." },
    item_methods: Methods { allow: "OPTIONS,HEAD,GET", instead: "It follows the order." },
};

pub(crate) static MYPAGES: Resource = Resource {
    collection: "mypages",
    rel: "mypage",
    paged: false,
    fields: &["orderId", "item", "status"],
    sortable: &["id", "orderId"],
    searches: SEARCHES,
    collection_methods: Methods { allow: "OPTIONS,HEAD,GET", instead: "It follows the order." },
    item_methods: Methods { allow: "OPTIONS,HEAD,GET", instead: "It follows the order." },
};

static SEARCHES: &[Search] = &[Search { name: "findByOrderId", parameters: &["orderId"] }];

#[derive(Clone, Serialize)]
pub(crate) struct Item {
    #[serde(skip)]
    id: i64,
    #[serde(skip)]
    version: i64,
    item: String,
    status: String,
}

impl Representation for Item {
    fn id(&self) -> i64 {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(Clone)]
pub(crate) struct Service {
    resource: &'static Resource,
    count: u64,
}

fn item(id: i64) -> Item {
    Item { id, version: 7, item: "COSMOS".to_owned(), status: "Ordered".to_owned() }
}

fn part(count: u64, request: &PageRequest) -> Page<Item> {
    let ids = (1..=count).skip(request.offset() as usize).take(request.limit() as usize);
    Page { items: ids.map(|id| item(id as i64)).collect(), total: count }
}

impl Service {
    fn find(&self, id: i64) -> Result<Item, Problem> {
        (id as u64 <= self.count).then(|| item(id)).ok_or_else(|| self.resource.not_found(id))
    }
}

async fn one(State(service): State<Service>, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    Ok(service.resource.item(&asked, &service.find(id)?))
}

async fn head(State(service): State<Service>, Id(id): Id, asked: Asked) -> Result<Response, Problem> {
    Ok(service.resource.item_head(&asked, &service.find(id)?))
}

async fn list(State(service): State<Service>, asked: Asked) -> Result<Response, Problem> {
    let request = service.resource.page_request(&asked)?;
    Ok(service.resource.page(&asked, &request, &part(service.count, &request)))
}

async fn search(State(service): State<Service>, asked: Asked) -> Result<Response, Problem> {
    let count = asked.id_parameter("orderId")? as u64;
    let request = service.resource.page_request(&asked)?;
    Ok(service.resource.found(&asked, &request, &part(count, &request)))
}

async fn create(State(service): State<Service>, asked: Asked, body: Object) -> Result<Response, Problem> {
    let mut new = item(service.count as i64 + 1);
    new.item = body.text("item", 1, 200)?.to_owned();
    Ok(service.resource.created(&asked, &new))
}

async fn change(
    State(service): State<Service>,
    Id(id): Id,
    asked: Asked,
    body: RawBody,
) -> Result<Response, Problem> {
    let patch = parse_patch(&body, "status")?;
    let required = asked.required_version()?;
    let mut item = service.find(id)?;
    if required.is_some_and(|required| required != item.version) {
        return Err(Problem::precondition_failed());
    }
    patch.check(&item.status)?;
    item.status = patch.value;
    Ok(service.resource.changed(&asked, &item))
}

/// `resource` with `count` items.
pub(crate) fn service(resource: &'static Resource, count: u64) -> Router {
    let name = resource.collection;
    routes(resource, get(list).post(create), get(one).head(head).patch(change))
        .route(&format!("/{name}/search/findByOrderId"), read_only(get(search)))
        .with_state(Service { resource, count })
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The text between `"_links":` and its end: the order of links is part of what clients see.
    pub(crate) fn list_links(&self) -> &str {
        let start = self.body.rfind("\"_links\":").unwrap() + "\"_links\":".len();
        let end = self.body.find(",\"page\":").unwrap();
        &self.body[start..end]
    }
}

/// `GET /orders/1` with headers as `Name: value`, and after an empty line the body.
pub(crate) async fn ask(app: Router, request: &str) -> Answer {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut lines = head.lines();
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut built = Request::builder().method(method).uri(uri).header(HOST, "localhost:8081");
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        built = built.header(name.trim(), value);
    }
    let response = app.oneshot(built.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}
