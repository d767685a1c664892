//! 내 대여 현황 (mypage): what the customer sees, derived from events alone and rebuildable from them.
//!
//! There is no `domain/` here, on purpose: nothing is decided. [`projection`] turns facts into a row, [`query`] says
//! what can be asked of the rows and what keeps them, [`mod@rebuild`] makes them anew from the topic, and `adapters/`
//! speak HTTP, events and redb. See the README beside this crate for the words and the states.

pub mod adapters;
pub mod contract;
pub mod projection;
pub mod query;
pub mod rebuild;
pub mod record;
