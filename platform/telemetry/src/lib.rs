//! Log output for people and for machines.
