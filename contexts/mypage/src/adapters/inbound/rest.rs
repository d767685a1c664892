//! Mypage over HTTP.
