//! The only binary.

fn main() {}
