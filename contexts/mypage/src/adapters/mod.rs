//! The outside: events and requests come in, rows go out.

/// What calls mypage.
pub mod inbound {
    pub mod events;
    pub mod rest;
}

/// What mypage calls.
pub mod outbound {
    pub mod memory;
    pub mod redb;
    #[cfg(feature = "redis")]
    pub mod redis;
}
