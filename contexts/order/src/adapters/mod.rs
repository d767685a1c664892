//! The outside: requests and events come in, rows, events and calls go out.

/// What calls order.
pub mod inbound {
    pub mod events;
    pub mod rest;
}

/// What order calls.
pub mod outbound {
    pub mod clock;
    mod columns;
    pub mod guarded_desk;
    #[cfg(feature = "http")]
    pub mod http_rent;
    pub mod memory;
    #[cfg(feature = "postgres")]
    pub mod postgres;
    pub mod sqlite;
    mod wire;
}
