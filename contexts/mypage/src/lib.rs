//! 내 대여 현황: what the customer sees.
