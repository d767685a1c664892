//! The lending process of one order, checked in every sequence.
//!
//! [`stateright`] walks through all states that one order can get into: calls to rent that are lost, late or repeated,
//! crashes between any two commits, events in any sequence and any number of times, cancels and hand-overs at any
//! moment. What each step makes of a row is asked of the contexts' own `domain/` functions ([`contexts`]); what is
//! written here is only who may take which step when ([`actions`]), and what must hold ([`properties`]).
//!
//! See the README beside this crate for what is checked, what is not, and how to read a counterexample.

pub mod actions;
pub mod configurations;
pub mod contexts;
pub mod defect;
pub mod describe;
pub mod end;
pub mod lending;
pub mod properties;
pub mod run;
pub mod state;
pub mod table;
mod view;
