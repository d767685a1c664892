//! The outside: requests and events come in, rows and events go out.

/// What calls rent.
pub mod inbound {
    pub mod events;
    pub mod rest;
}

/// What rent calls.
pub mod outbound {
    pub mod clock;
    mod columns;
    pub mod memory;
    #[cfg(feature = "postgres")]
    pub mod postgres;
    pub mod sqlite;
    mod wire;
}
