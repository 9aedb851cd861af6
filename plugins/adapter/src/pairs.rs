//! The ABI's form of header maps: a count, the sizes of all names and values, then each of them with a NUL behind it.
//! Numbers are little-endian 32-bit.

use wardpoint_core::http::{Headers, Line};
pub use wardpoint_core::pairs::Malformed;
pub(crate) use wardpoint_core::pairs::walk;

/// Reads a block strictly: every byte is accounted for. An empty block is an empty map. The text stays where it is.
pub fn parse(block: Vec<u8>) -> Result<Headers, Malformed> {
    let mut lines = Vec::with_capacity(24);
    walk(&block, &mut |name, value| lines.push(Line::new(&block, name, value)))?;
    Ok(Headers::over(block, lines))
}

/// Writes a block. Sizes over 32 bits cannot come up in a 32-bit module.
pub fn encode<'a, I>(pairs: I) -> Vec<u8>
where
    I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
    I::IntoIter: Clone,
{
    let pairs = pairs.into_iter();
    let mut out = Vec::with_capacity(256);
    push_number(&mut out, pairs.clone().count());
    for (name, value) in pairs.clone() {
        push_number(&mut out, name.len());
        push_number(&mut out, value.len());
    }
    for (name, value) in pairs {
        for text in [name, value] {
            out.extend_from_slice(text);
            out.push(0);
        }
    }
    out
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"\x02\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0a\0\xff\0\0b\0\0";

    #[test]
    fn any_bytes_pass_both_ways() {
        let pairs: [(&[u8], &[u8]); 2] = [(b"a", b"\xff\0"), (b"b", b"")];
        assert_eq!(encode(pairs), TWO);
        let headers = parse(TWO.to_vec()).unwrap();
        assert!(headers.iter().eq(pairs));
    }

    #[test]
    fn an_empty_block_is_an_empty_map() {
        assert!(parse(Vec::new()).unwrap().is_empty());
        assert!(parse(encode([])).unwrap().is_empty());
    }

    #[test]
    fn every_cut_is_malformed() {
        for end in 1..TWO.len() {
            assert_eq!(parse(TWO[..end].to_vec()), Err(Malformed), "cut at {end}");
        }
    }

    #[test]
    fn what_does_not_add_up_is_malformed() {
        let mut more = TWO.to_vec();
        more.push(0);
        assert_eq!(parse(more), Err(Malformed), "a byte too many");
        for (at, byte) in [(0, 1), (0, 3), (3, 0xff), (4, 2), (8, 3), (21, 1), (27, 9)] {
            let mut block = TWO.to_vec();
            block[at] = byte;
            assert_eq!(parse(block), Err(Malformed), "byte {at} is {byte}");
        }
    }
}
