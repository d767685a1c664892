//! The online library that lends books to the door.
