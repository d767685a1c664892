//! `rentalbook tools`, as somebody types them.

mod audit;
mod breaches;
mod dead_letters;
mod doubled;
mod faults;
pub(crate) mod home;
mod late_cancel;
mod patience;
mod rebuild_view;
mod services;
pub(crate) mod topic;

/// Whether it is one line that says what is wrong, not what went wrong inside.
pub(crate) fn is_one_sentence(text: &str) -> bool {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.len() > 20 && !line.contains('\n') && !line.contains("panicked") && !line.contains("Error(")
}
