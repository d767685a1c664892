//! Order over HTTP.
