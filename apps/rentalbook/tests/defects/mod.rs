//! What was wrong with the original: each of its 17 defects made to happen, and not happening here.

mod defect_01_status_after_shipping;
mod defect_02_events_of_rolled_back_changes;
mod defect_03_orphans_of_a_late_rent;
mod defect_04_lost_events;
mod defect_05_updates_before_their_row;
mod defect_06_redelivery;
mod defect_07_poison_records;
mod defect_08_no_record_key;
mod defect_09_rent_canceled_on_any_update;
mod defect_10_no_state_guard;
mod defect_11_lost_updates;
mod defect_12_lost_data;
mod defect_13_writable_view;
mod defect_14_held_resources;
mod defect_15_liveness;
mod defect_16_customer_and_cors;
mod defect_17_record_without_type;
