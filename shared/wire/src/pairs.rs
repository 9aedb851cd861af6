//! The ABI's form of maps, of headers as of properties: a count, the sizes of all names and values, then each of them with a NUL
//! behind it. Numbers are little-endian 32-bit.

use crate::http::Part;

/// A block that is not what the ABI says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

/// Gives where each name and its value stand, read strictly: every byte is accounted for. An empty block is an empty
/// map. A caller that gets an error uses none of it.
pub fn walk(block: &[u8], pair: &mut dyn FnMut(Part, Part)) -> Result<(), Malformed> {
    if block.is_empty() {
        return Ok(());
    }
    let (count, rest) = number(block)?;
    // Eight bytes of sizes a pair: a count that does not fit allocates nothing.
    let sizes_end = count.checked_mul(8).ok_or(Malformed)?;
    let mut sizes = rest.get(..sizes_end).ok_or(Malformed)?;
    let mut at = 4 + sizes_end;
    let mut part = |size: usize| {
        let part = Part { start: at, end: at.checked_add(size).ok_or(Malformed)? };
        at = part.end + 1;
        if block.get(part.end) == Some(&0) { Ok(part) } else { Err(Malformed) }
    };
    while !sizes.is_empty() {
        let (name, after) = number(sizes)?;
        let (value, after) = number(after)?;
        sizes = after;
        let name = part(name)?;
        pair(name, part(value)?);
    }
    if at == block.len() { Ok(()) } else { Err(Malformed) }
}

fn number(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(Malformed)?;
    Ok((usize::try_from(u32::from_le_bytes(*number)).map_err(|_| Malformed)?, rest))
}
