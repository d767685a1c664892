//! The recorded exchange of the original (Java) services, replayed against ours.
//!
//! `original.jsonl` has 103 requests with their answers, in order, from a fresh start; `original-events.jsonl` what was
//! on the topic meanwhile.

mod compare;
mod deviations;
mod events;
mod exchange;
mod recorded;
