//! Whether everything that was requested can be seen.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Result, load};

/// After so long nobody waits any more.
const GIVEN_UP: Duration = Duration::from_secs(120);

/// How often is asked whether more can be seen.
const PAUSE: Duration = Duration::from_millis(5);

/// Rows that are looked at before all of them are.
const LAST: usize = 200;

/// Waits until mypage has `orders` rows and each shows `Ship`; the seconds until it said so.
pub(crate) async fn until_visible(mypage: SocketAddr, orders: u64) -> Result<f64> {
    let start = Instant::now();
    loop {
        let missing = match what_is_missing(mypage, orders).await? {
            None => return Ok(start.elapsed().as_secs_f64()),
            Some(missing) => missing,
        };
        if start.elapsed() > GIVEN_UP {
            return Err(format!("not everything becomes visible: {missing}").into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The first thing that is not yet as it will be: the number of rows, one of the last ones, any one.
async fn what_is_missing(mypage: SocketAddr, orders: u64) -> Result<Option<String>> {
    let (total, rows) = page(mypage, "size=1").await?;
    if total > orders {
        return Err(format!("mypage shows {total} orders of {orders}: {rows:?}").into());
    }
    if total < orders {
        return Ok(Some(format!("{total} of {orders} orders are shown")));
    }
    let (_, last) = page(mypage, &format!("size={LAST}&sort=orderId,desc")).await?;
    if let Some(row) = last.into_iter().find(|row| !is_shipped(row)) {
        return Ok(Some(row.to_string()));
    }
    // Sorted by their status, all rows lie between the first and the last: two requests tell of all of them.
    for sort in ["status,asc", "status,desc"] {
        let (_, rows) = page(mypage, &format!("size=1&sort={sort}")).await?;
        if let Some(row) = rows.into_iter().find(|row| !is_shipped(row)) {
            return Ok(Some(row.to_string()));
        }
    }
    Ok(None)
}

fn is_shipped(row: &Value) -> bool {
    row["status"] == "Ship"
}

/// How many rows there are, and those of a page.
async fn page(mypage: SocketAddr, query: &str) -> Result<(u64, Vec<Value>)> {
    let (status, body) = load::get(mypage, &format!("/mypages?{query}")).await?;
    let page: Value = serde_json::from_str(&body)?;
    let total = page["page"]["totalElements"].as_u64();
    let rows = page["_embedded"]["mypages"].as_array().cloned();
    match (status, total, rows) {
        (200, Some(total), Some(rows)) => Ok((total, rows)),
        _ => Err(format!("mypage answers {status}: {body}").into()),
    }
}

#[cfg(test)]
mod tests;
