//! 배송: the parcel.
