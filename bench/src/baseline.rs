//! A bare axum server: it parses the same JSON, answers the same bytes, and keeps nothing.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use clap::Args;
use serde::Deserialize;

use crate::Result;

/// What it answers.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Where it listens.
    #[arg(long)]
    address: SocketAddr,
    /// Body of the answer to POST /orders.
    #[arg(long)]
    posted: String,
    /// Body of the answer to GET /orders/{id}.
    #[arg(long)]
    order: String,
    /// Body of the answer to GET /mypages/{id}.
    #[arg(long)]
    mypage: String,
    /// Answers every POST with this instead, and 503.
    #[arg(long)]
    refused: Option<String>,
}

#[derive(Deserialize)]
struct NewOrder {
    item: String,
}

#[derive(Clone)]
struct Bodies {
    posted: Bytes,
    order: Bytes,
    mypage: Bytes,
}

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json;charset=UTF-8");

const REFUSED: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "1")];

/// Serves until it is killed.
pub(crate) fn serve(options: Options) -> Result<()> {
    let bodies =
        Bodies { posted: options.posted.into(), order: options.order.into(), mypage: options.mypage.into() };
    let place = match options.refused.map(Bytes::from) {
        Some(refused) => {
            post(move || std::future::ready((StatusCode::SERVICE_UNAVAILABLE, REFUSED, refused)))
        }
        None => post(place),
    };
    let router = Router::new()
        .route("/orders", place)
        .route(
            "/orders/{id}",
            get(async |State(bodies): State<Bodies>, Path(_): Path<i64>| ([JSON], bodies.order)),
        )
        .route(
            "/mypages/{id}",
            get(async |State(bodies): State<Bodies>, Path(_): Path<i64>| ([JSON], bodies.mypage)),
        )
        .with_state(bodies);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(options.address).await?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn place(State(bodies): State<Bodies>, Json(order): Json<NewOrder>) -> impl IntoResponse {
    let status = if order.item.is_empty() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::CREATED };
    (status, [JSON], bodies.posted)
}
