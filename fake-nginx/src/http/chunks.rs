//! Where a body in chunks ends.
//!
//! # Source
//! `ngx_http_parse_chunked` in `src/http/ngx_http_parse.c`, nginx 1.18 to 1.30.

/// Where in a body in chunks a reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    SizeStart,
    Size,
    Extension,
    Data,
    DataEnd,
    TrailerStart,
    Trailer,
    TrailerEnd,
    End,
}

/// A body in chunks, as far as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    place: Place,
    size: u64,
}

/// The bytes are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk;

impl Chunks {
    /// Whether the body has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.place == Place::End
    }

    /// Reads on; how many bytes were the body's.
    ///
    /// # Errors
    /// [`BadChunk`]: nginx answers 400 and closes.
    pub fn read(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at).filter(|_| !self.has_ended()) {
            if self.place == Place::Data {
                let left = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(self.size);
                at += usize::try_from(left).unwrap_or(usize::MAX);
                self.size -= left;
                if self.size == 0 {
                    self.place = Place::DataEnd;
                }
                continue;
            }
            self.step(byte)?;
            at += 1;
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<(), BadChunk> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        let after_line = if self.size == 0 { Place::TrailerStart } else { Place::Data };
        self.place = match (self.place, byte) {
            (Place::SizeStart, _) => {
                self.size = digit.ok_or(BadChunk)?;
                Place::Size
            }
            (Place::Size, _) if let Some(digit) = digit => {
                let size = self.size.checked_mul(16).and_then(|size| size.checked_add(digit));
                self.size = size.filter(|&size| i64::try_from(size).is_ok()).ok_or(BadChunk)?;
                Place::Size
            }
            (Place::Size | Place::Extension, b'\n') => after_line,
            (Place::Size, b'\r' | b';' | b' ' | b'\t') | (Place::Extension, _) => Place::Extension,
            (Place::DataEnd, b'\r') => Place::DataEnd,
            (Place::DataEnd, b'\n') => Place::SizeStart,
            (Place::TrailerStart, b'\r') => Place::TrailerEnd,
            (Place::TrailerStart | Place::TrailerEnd, b'\n') => Place::End,
            (Place::Trailer, b'\n') => Place::TrailerStart,
            (Place::TrailerStart | Place::Trailer, _) => Place::Trailer,
            (Place::Size | Place::DataEnd | Place::TrailerEnd, _) => return Err(BadChunk),
            (place @ (Place::Data | Place::End), _) => place,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_behind_its_trailers_however_it_comes() {
        let body = b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nA: b\r\n\r\n";
        let mut whole = Chunks::default();
        let more = [body.as_slice(), b"GET"].concat();
        assert_eq!(whole.read(&more), Ok(body.len()));
        assert!(whole.has_ended());
        let mut bit_by_bit = Chunks::default();
        for byte in body {
            assert!(!bit_by_bit.has_ended());
            assert_eq!(bit_by_bit.read(&[*byte]), Ok(1));
        }
        assert!(bit_by_bit.has_ended());
        for bad in ["x", "3\r\nabcd", "\r\n", "fffffffffffffffff\r\n"] {
            assert_eq!(Chunks::default().read(bad.as_bytes()), Err(BadChunk), "{bad}");
        }
    }

    proptest::proptest! {
        /// Whatever is sent, no more is taken than there is.
        #[test]
        fn any_bytes_are_taken_in_part_or_refused(bytes in proptest::collection::vec(0_u8.., 0..64)) {
            if let Ok(count) = Chunks::default().read(&bytes) {
                proptest::prop_assert!(count <= bytes.len());
            }
        }
    }
}
