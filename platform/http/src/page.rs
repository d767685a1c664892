//! Which part of a collection is asked for.

use axum::extract::Query;
use http::Uri;

use crate::Problem;

/// So many items where the client names no size.
pub const DEFAULT_PAGE_SIZE: u32 = 20;

/// More are never sent at once: a larger size means this one.
pub const MAX_PAGE_SIZE: u32 = 1000;

/// A page of a collection, and how it is sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The number of the page, from 0.
    pub page: u32,
    /// How many items a page has: 1 to [`MAX_PAGE_SIZE`].
    pub size: u32,
    /// What to sort by, the most important first; empty: the collection's own order.
    pub sort: Vec<SortBy>,
}

/// A field to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortBy {
    /// One of the names that the collection gave as sortable.
    pub field: &'static str,
    /// From the largest to the smallest.
    pub descending: bool,
}

/// A part of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// How many the whole collection has.
    pub total: u64,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { page: 0, size: DEFAULT_PAGE_SIZE, sort: Vec::new() }
    }
}

impl PageRequest {
    /// Reads `page`, `size` and `sort` from the query.
    ///
    /// A page or size that is no number, or a size of 0, means the default (clients rely on it). A field that is
    /// not in `sortable` is a 400 that names the possible ones.
    pub fn of(uri: &Uri, sortable: &[&'static str]) -> Result<Self, Problem> {
        let mut request = Self::default();
        if uri.query().is_none_or(str::is_empty) {
            return Ok(request);
        }
        for (name, value) in parameters(uri)? {
            match name.as_str() {
                "page" => request.page = parse(&value).unwrap_or(0),
                "size" => request.size = parse_size(&value),
                "sort" => request.sort.extend(parse_sort(&value, sortable)?),
                _ => {}
            }
        }
        Ok(request)
    }

    /// How many items come before this page.
    pub fn offset(&self) -> u64 {
        u64::from(self.page) * u64::from(self.size)
    }

    /// How many items it has at most.
    pub fn limit(&self) -> u64 {
        u64::from(self.size)
    }

    pub(crate) fn total_pages(&self, total: u64) -> u64 {
        total.div_ceil(u64::from(self.size.max(1)))
    }
}

/// The decoded parameters of the query, in their order.
pub(crate) fn parameters(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    Query::try_from_uri(uri)
        .map(|Query(pairs)| pairs)
        .map_err(|_| Problem::malformed_parameter("query", "Send it as name=value pairs, joined by &."))
}

fn parse(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|number| *number <= i32::MAX as u32)
}

fn parse_size(text: &str) -> u32 {
    match text.trim().parse::<u64>() {
        Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
        Ok(size) => size.min(u64::from(MAX_PAGE_SIZE)) as u32,
    }
}

/// `field`, `field,desc`, or several fields with one direction at the end.
fn parse_sort(text: &str, sortable: &[&'static str]) -> Result<Vec<SortBy>, Problem> {
    let mut names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let descending = match names.last() {
        Some(last) if last.eq_ignore_ascii_case("desc") => names.pop().is_some(),
        Some(last) if last.eq_ignore_ascii_case("asc") => names.pop().is_none(),
        _ => false,
    };
    names.into_iter().map(|name| sort_by(name, descending, sortable)).collect()
}

fn sort_by(name: &str, descending: bool, sortable: &[&'static str]) -> Result<SortBy, Problem> {
    let field = sortable.iter().copied().find(|field| *field == name).ok_or_else(|| {
        let names = sortable.join(", ");
        Problem::malformed_parameter(
            "sort",
            format!("It cannot be sorted by `{name}`. Sort by one of: {names}; for example sort=id,desc."),
        )
    })?;
    Ok(SortBy { field, descending })
}

#[cfg(test)]
mod tests;
