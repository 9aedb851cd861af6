//! Header maps, and how the ABI writes pairs.

use super::Status;

/// A header or trailer block as Envoy keeps it: names in lower case, repeated names kept apart, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Map(Vec<(Vec<u8>, Vec<u8>)>);

/// Most bytes of a pairs block that a module may send (`include/proxy-wasm/limits.h`).
const MAX_BLOCK: usize = 1 << 20;
/// Most pairs of such a block.
const MAX_PAIRS: usize = 1024;

impl Map {
    /// From pairs in order.
    pub fn new(pairs: &[(Vec<u8>, Vec<u8>)]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect())
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The **first** value of a name: the ABI's single getter shows no other (`envoy-istio` 4.3, repeated headers).
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The number in `content-length`, if there is one.
    pub fn content_length(&self) -> Option<usize> {
        core::str::from_utf8(self.first(b"content-length")?).ok()?.trim().parse().ok()
    }

    /// Sets a name to one value; further values of it go, as with Envoy's `setCopy`.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let mut first = true;
        self.0.retain_mut(|(n, v)| {
            if !n.eq_ignore_ascii_case(name) {
                return true;
            }
            if std::mem::take(&mut first) {
                value.clone_into(v);
                return true;
            }
            false
        });
        if first {
            self.add(name, value);
        }
    }

    /// Adds a pair behind the others.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Removes all values of a name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// As the ABI writes it; an empty map is an empty block.
    pub fn to_block(&self) -> Vec<u8> {
        if self.0.is_empty() { Vec::new() } else { write_block(self.iter()) }
    }

    /// Reads a block that a module has sent; strict about every length.
    pub fn from_block(block: &[u8]) -> Result<Self, Status> {
        if block.is_empty() {
            return Ok(Self::default());
        }
        read_block(block).ok_or(Status::BAD_ARGUMENT)
    }
}

impl FromIterator<(Vec<u8>, Vec<u8>)> for Map {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
    }
}

/// A pairs block: count, lengths, then each name and value with a zero behind it; integers are u32 in little endian.
pub fn write_block<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let (mut count, mut size) = (0_u32, 4);
    for (name, value) in pairs.clone() {
        count += 1;
        size += 10 + name.len() + value.len();
    }
    let mut block = Vec::with_capacity(size);
    block.extend_from_slice(&count.to_le_bytes());
    for (name, value) in pairs.clone() {
        block.extend_from_slice(&(name.len() as u32).to_le_bytes());
        block.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        for part in [name, value] {
            block.extend_from_slice(part);
            block.push(0);
        }
    }
    block
}

fn read_block(block: &[u8]) -> Option<Map> {
    if block.len() > MAX_BLOCK {
        return None;
    }
    let word =
        |at: usize| -> Option<usize> { Some(u32::from_le_bytes(block.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize) };
    let count = word(0)?;
    if count > MAX_PAIRS {
        return None;
    }
    let mut at = 4 + count * 8;
    let mut part = |length: usize| -> Option<Vec<u8>> {
        let end = at.checked_add(length)?;
        let bytes = block.get(at..end)?.to_vec();
        if *block.get(end)? != 0 {
            return None;
        }
        at = end + 1;
        Some(bytes)
    };
    let mut pairs = Vec::with_capacity(count);
    for index in 0..count {
        let (name, value) = (part(word(4 + index * 8)?)?, part(word(8 + index * 8)?)?);
        pairs.push((name.to_ascii_lowercase(), value));
    }
    (at == block.len()).then_some(Map(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Map {
        pairs.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect()
    }

    #[test]
    fn the_single_getter_shows_the_first_of_repeated_headers() {
        let mut map = map(&[("X-Dup", "one"), ("x-other", ""), ("x-dup", "two")]);
        assert_eq!(map.first(b"x-dup"), Some(&b"one"[..]));
        map.set(b"x-dup", b"three");
        assert_eq!(map, self::map(&[("x-dup", "three"), ("x-other", "")]));
    }

    #[test]
    fn a_block_is_read_back_and_every_broken_one_is_refused() {
        let map = map(&[(":path", "/a"), ("x", "")]);
        let block = map.to_block();
        assert_eq!(Map::from_block(&block), Ok(map));
        for cut in 1..block.len() {
            assert_eq!(Map::from_block(&block[..cut]), Err(Status::BAD_ARGUMENT), "cut at {cut}");
        }
        assert_eq!(Map::from_block(&[&block[..], b"x"].concat()), Err(Status::BAD_ARGUMENT));
        assert_eq!(Map::from_block(&[255; 64]), Err(Status::BAD_ARGUMENT));
    }
}
