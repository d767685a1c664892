//! Record headers: names with arbitrary bytes.

use bytes::{BufMut, Bytes, BytesMut};

/// The headers of a record, in the order they were added; a name may occur more than once.
///
/// Kept as one encoded piece (`u16` name length, name, `u32` value length, value, …), because a record is
/// stored, cached and handed to several groups far more often than a header is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

impl Headers {
    /// Headers from names and values.
    ///
    /// Names longer than 65,535 bytes are cut: no broker takes them.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut encoded = BytesMut::with_capacity(64);
        for (name, value) in pairs {
            let name_len = u16::try_from(name.len()).unwrap_or(u16::MAX);
            encoded.put_u16(name_len);
            encoded.put_slice(&name.as_bytes()[..usize::from(name_len)]);
            encoded.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
            encoded.put_slice(value);
        }
        Self(encoded.freeze())
    }

    /// The headers as an adapter has stored them with [`Headers::as_encoded`].
    #[must_use]
    pub fn from_encoded(encoded: Bytes) -> Self {
        Self(encoded)
    }

    /// One piece that an adapter can store.
    #[must_use]
    pub fn as_encoded(&self) -> &Bytes {
        &self.0
    }

    /// The first value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// The first value of `name`, where it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All headers; a name is given as bytes, since other producers may write any.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let name = split_prefixed::<2>(&mut rest)?;
            let value = split_prefixed::<4>(&mut rest)?;
            Some((name, value))
        })
    }
}

/// Takes a length of `N` bytes and what it announces; `None` at the end or where the piece is cut short.
fn split_prefixed<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<N>()?;
    let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let (piece, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_order_duplicates_and_any_bytes() {
        let headers =
            Headers::new([("a", &b"1"[..]), ("b", &[0xff, 0][..]), ("a", &b"2"[..]), ("", &b""[..])]);
        let again = Headers::from_encoded(headers.as_encoded().clone());
        assert_eq!(again.text("a"), Some("1"));
        assert_eq!(again.get("b"), Some(&[0xff, 0][..]));
        assert_eq!(again.text("b"), None);
        assert_eq!(again.iter().count(), 4);
    }

    #[test]
    fn a_piece_that_is_cut_short_ends_the_headers() {
        let headers = Headers::new([("a", &b"1"[..]), ("b", &b"2"[..])]);
        let cut = headers.as_encoded().slice(..headers.as_encoded().len() - 1);
        assert_eq!(Headers::from_encoded(cut).iter().count(), 1);
    }
}
