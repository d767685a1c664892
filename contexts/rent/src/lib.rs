//! 대여: confirmation.
