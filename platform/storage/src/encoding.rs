//! Messages and records as bytes, many of them in one value: each piece is its length and what it announces.

use bytes::{Buf as _, BufMut as _, Bytes};

/// The value ends in the middle of a piece: nobody has written it so.
#[derive(Debug, thiserror::Error)]
#[error("a value of several messages is cut short")]
pub(crate) struct CutShort;

impl From<CutShort> for rusqlite::Error {
    fn from(error: CutShort) -> Self {
        Self::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
    }
}

/// The length of a piece that is not there, which is another thing than an empty one.
const NONE: u32 = u32::MAX;

pub(crate) fn put(to: &mut Vec<u8>, piece: &[u8]) {
    // Nothing here is longer: the largest of it came in through a request.
    to.put_u32(u32::try_from(piece.len()).unwrap_or(NONE));
    to.put_slice(piece);
}

pub(crate) fn put_optional(to: &mut Vec<u8>, piece: Option<&[u8]>) {
    match piece {
        Some(piece) => put(to, piece),
        None => to.put_u32(NONE),
    }
}

pub(crate) fn put_number(to: &mut Vec<u8>, number: u32) {
    to.put_u32(number);
}

pub(crate) fn take_number(from: &mut Bytes) -> Result<u32, CutShort> {
    from.try_get_u32().map_err(|_| CutShort)
}

/// The piece shares its bytes with `from`.
pub(crate) fn take(from: &mut Bytes) -> Result<Bytes, CutShort> {
    take_optional(from)?.ok_or(CutShort)
}

pub(crate) fn take_optional(from: &mut Bytes) -> Result<Option<Bytes>, CutShort> {
    let length = take_number(from)?;
    if length == NONE {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| CutShort)?;
    if from.len() < length {
        return Err(CutShort);
    }
    Ok(Some(from.split_to(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_taken_in_the_same_order() {
        let mut bytes = Vec::new();
        put(&mut bytes, b"one");
        put_optional(&mut bytes, None);
        put_optional(&mut bytes, Some(b""));
        put_number(&mut bytes, 7);
        let mut bytes = Bytes::from(bytes);
        assert_eq!(take(&mut bytes).expect("a piece"), "one");
        assert_eq!(take_optional(&mut bytes).expect("a place"), None);
        assert_eq!(take_optional(&mut bytes).expect("a place"), Some(Bytes::new()));
        assert_eq!(take_number(&mut bytes).expect("a number"), 7);
        assert!(take(&mut bytes).is_err(), "nothing is left");
    }

    #[test]
    fn a_value_that_is_cut_short_is_an_error() {
        let mut bytes = Vec::new();
        put(&mut bytes, b"one");
        for length in 0..bytes.len() {
            assert!(take(&mut Bytes::copy_from_slice(&bytes[..length])).is_err());
        }
    }
}
