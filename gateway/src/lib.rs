//! 게이트웨이: one door.
