//! 대여요청: the customer's wish.
