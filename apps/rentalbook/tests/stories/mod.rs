//! One story per file, in the words of the people who use the library; told of whatever library is around it.

use super::Scene;

mod cancel_after_the_hand_over;
mod cancel_before_the_hand_over;
mod deliver_a_book;
mod delivery_is_stopped;
mod look_at_my_page;
mod race_of_cancel_and_hand_over;
mod rent_is_stopped;
mod request_a_book;
mod restart_in_the_middle;
mod seven_requirements;
