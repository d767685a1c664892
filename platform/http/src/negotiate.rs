//! Which of the two types of the same body the client gets.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};

use crate::Problem;

/// The types in which items and collections are sent. The body is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/hal+json`, unless something else is wanted.
    Hal,
    /// `application/json`.
    Json,
}

impl Media {
    /// The `Content-Type` header.
    pub fn content_type(self) -> HeaderValue {
        match self {
            Self::Hal => HeaderValue::from_static("application/hal+json;charset=UTF-8"),
            Self::Json => HeaderValue::from_static("application/json;charset=UTF-8"),
        }
    }
}

/// What the client's `Accept` comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The type it gets.
    pub media: Media,
    /// Whether it sent the header: without it, a write is answered without a body.
    pub sent: bool,
}

impl Accept {
    /// Chooses the type; a 406 if neither is accepted.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut lines = headers.get_all(ACCEPT).iter();
        let Some(first) = lines.next() else {
            return Ok(Self { media: Media::Hal, sent: false });
        };
        let is_only = lines.next().is_none();
        // What curl, our own clients and most libraries send needs no parsing.
        match first.as_bytes() {
            b"*/*" | b"application/hal+json" if is_only => Ok(Self { media: Media::Hal, sent: true }),
            b"application/json" if is_only => Ok(Self { media: Media::Json, sent: true }),
            _ => choose(headers),
        }
    }
}

/// How well a type is accepted: the weight of the most specific range that covers it.
#[derive(Clone, Copy, Default)]
struct Match {
    /// 0: no range covers it; 1: `*/*`; 2: `application/*`; 3: its own name.
    specific: u8,
    /// The weight in thousandths.
    weight: u16,
}

impl Match {
    fn take(&mut self, specific: u8, weight: u16) {
        if specific > self.specific || (specific == self.specific && weight > self.weight) {
            *self = Self { specific, weight };
        }
    }
}

fn choose(headers: &HeaderMap) -> Result<Accept, Problem> {
    let (mut hal, mut json, mut any) = (Match::default(), Match::default(), false);
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    for range in lines.flat_map(|line| line.split(',')).map(str::trim).filter(|range| !range.is_empty()) {
        any = true;
        let Some((name, weight)) = parse_range(range) else { continue };
        match name.to_ascii_lowercase().as_str() {
            "*/*" => both(&mut hal, &mut json, 1, weight),
            "application/*" => both(&mut hal, &mut json, 2, weight),
            "application/hal+json" => hal.take(3, weight),
            "application/json" => json.take(3, weight),
            _ => {}
        }
    }
    if !any {
        // An empty header says nothing, just as none.
        return Ok(Accept { media: Media::Hal, sent: false });
    }
    if hal.weight == 0 && json.weight == 0 {
        return Err(Problem::not_acceptable());
    }
    // Equally welcome: the one that is named more exactly, else HAL.
    let json_wins = (json.weight, json.specific) > (hal.weight, hal.specific);
    Ok(Accept { media: if json_wins { Media::Json } else { Media::Hal }, sent: true })
}

fn both(hal: &mut Match, json: &mut Match, specific: u8, weight: u16) {
    hal.take(specific, weight);
    json.take(specific, weight);
}

/// `application/json;q=0.5` as its name and its weight; `None` if the weight is not one.
fn parse_range(range: &str) -> Option<(&str, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    for parameter in parts {
        if let Some((key, value)) = parameter.split_once('=')
            && key.trim().eq_ignore_ascii_case("q")
        {
            return Some((name, parse_weight(value.trim())?));
        }
    }
    Some((name, 1000))
}

fn parse_weight(text: &str) -> Option<u16> {
    let weight: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&weight).then(|| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests;
