//! Property values as Envoy's wasm host encodes them (envoy-istio.md 3.3): a string as its bytes, a number as an f64, a
//! boolean as one byte, a list or map as a block of pairs without type tags.

use crate::filter::PropertyError;
use crate::json::has_control;
use crate::pairs::walk;
use crate::time::Timestamp;

/// The value of one property. Its type is only known by what is asked of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Value<'a>(Option<&'a [u8]>);

/// The host could not say the value, or it is not of the type that was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ValueError;

impl<'a> Value<'a> {
    /// What the host gave for a property.
    pub fn read(value: Result<Option<&'a [u8]>, PropertyError>) -> Result<Self, ValueError> {
        // Envoy gives a null as an empty string; the ABI cannot tell empty from absent.
        value.map(|bytes| Self(bytes.filter(|bytes| !bytes.is_empty()))).map_err(|_| ValueError)
    }

    /// Whether there is none.
    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// A boolean: one byte.
    pub fn into_bool(self) -> Result<Option<bool>, ValueError> {
        match self.0 {
            None => Ok(None),
            Some([0]) => Ok(Some(false)),
            Some([1]) => Ok(Some(true)),
            Some(_) => Err(ValueError),
        }
    }

    /// A number: an f64. Eight bytes that are a plain text too may be one, so they are not taken for a number.
    pub fn into_number(self) -> Result<Option<f64>, ValueError> {
        let Some(bytes) = self.0 else { return Ok(None) };
        let number = f64::from_le_bytes(bytes.try_into().map_err(|_| ValueError)?);
        if self.into_text().is_ok() || !number.is_finite() { Err(ValueError) } else { Ok(Some(number)) }
    }

    /// A date as in claims (RFC 7519 section 2, NumericDate): a number of seconds since the Unix epoch, down to a whole one.
    pub fn into_date(self) -> Result<Option<Timestamp>, ValueError> {
        // Neither below zero nor beyond what is counted in nanoseconds: `as` takes the nearest, which is what such a date means.
        let secs = |number: f64| Timestamp::from_secs(number as u64);
        Ok(self.into_number()?.map(secs))
    }

    /// A string: UTF-8 without control characters. So it cannot be taken for a block of pairs, which has NUL bytes.
    pub fn into_text(self) -> Result<Option<&'a str>, ValueError> {
        let Some(bytes) = self.0 else { return Ok(None) };
        let text = core::str::from_utf8(bytes).map_err(|_| ValueError)?;
        if has_control(text) { Err(ValueError) } else { Ok(Some(text)) }
    }

    /// A list of strings, or one string. The items of a list have empty values; a map is no list of its names.
    pub fn into_texts(self) -> Result<Vec<String>, ValueError> {
        match self.0 {
            None => Ok(Vec::new()),
            Some(bytes) if bytes.contains(&0) => pairs(bytes)?
                .into_iter()
                .map(|(item, value)| {
                    Value(Some(item).filter(|_| value.is_empty())).into_text()?.map(str::to_owned).ok_or(ValueError)
                })
                .collect(),
            Some(_) => Ok(self.into_text()?.map(str::to_owned).into_iter().collect()),
        }
    }

    /// A member of a map; absent where the map is absent or has no such member.
    pub fn member(&self, name: &str) -> Result<Self, ValueError> {
        let Some(bytes) = self.0 else { return Ok(Self(None)) };
        let found = pairs(bytes)?.into_iter().find(|(key, _)| *key == name.as_bytes());
        Ok(Self(found.map(|(_, value)| value).filter(|value| !value.is_empty())))
    }
}

type Pair<'a> = (&'a [u8], &'a [u8]);

/// The pairs of a map. Unlike a block of headers it is never empty: a value without bytes is none.
fn pairs(bytes: &[u8]) -> Result<Vec<Pair<'_>>, ValueError> {
    if bytes.is_empty() {
        return Err(ValueError);
    }
    let mut found = Vec::new();
    walk(bytes, &mut |name, value| found.push((name.of(bytes), value.of(bytes)))).map_err(|_| ValueError)?;
    Ok(found)
}

#[cfg(test)]
pub(super) fn block(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let size = |text: &[u8]| u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
    let mut out = u32::try_from(pairs.len()).unwrap_or(0).to_le_bytes().to_vec();
    for (key, value) in pairs {
        out.extend(size(key));
        out.extend(size(value));
    }
    for (key, value) in pairs {
        out.extend_from_slice(key);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> Value<'_> {
        Value(Some(bytes))
    }

    #[test]
    fn lists_and_single_strings_are_both_texts() {
        let list = block(&[(b"admins", b""), (b"writers", b"")]);
        assert_eq!(value(&list).into_texts(), Ok(vec!["admins".to_owned(), "writers".to_owned()]));
        assert_eq!(value(b"admins").into_texts(), Ok(vec!["admins".to_owned()]));
        assert_eq!(Value(None).into_texts(), Ok(vec![]));
        let map = block(&[(b"admins", &[0])]);
        assert_eq!(value(&map).into_texts(), Err(ValueError));
    }

    #[test]
    fn a_number_is_eight_bytes_that_are_no_text() {
        for number in [0.5, 3.0, -1.0, 1e300, 1_795_251_600.0] {
            assert_eq!(value(&f64::to_le_bytes(number)).into_number(), Ok(Some(number)));
        }
        for bytes in [&b"12345678"[..], b"1", &[0, 0, 0, 0], &f64::NAN.to_le_bytes()] {
            assert_eq!(value(bytes).into_number(), Err(ValueError), "{bytes:?}");
        }
        assert_eq!(Value(None).into_number(), Ok(None));
    }

    #[test]
    fn a_date_counts_whole_seconds() {
        for (number, secs) in [(1_795_251_600.9, 1_795_251_600), (-3.0, 0), (1e300, u64::MAX)] {
            assert_eq!(value(&f64::to_le_bytes(number)).into_date(), Ok(Some(Timestamp::from_secs(secs))));
        }
        assert_eq!(value(b"2026-11-21").into_date(), Err(ValueError));
        assert_eq!(Value(None).into_date(), Ok(None));
    }

    #[test]
    fn a_block_is_no_string_and_a_string_is_no_block() {
        let list = block(&[(b"a", b"")]);
        assert_eq!(value(&list).into_text(), Err(ValueError));
        assert_eq!(value(b"plain").member("sub"), Err(ValueError));
        assert_eq!(value(b"a\xff").into_text(), Err(ValueError));
        assert_eq!(value(b"a\nb").into_text(), Err(ValueError));
    }

    #[test]
    fn every_cut_and_every_extra_byte_of_a_block_is_an_error() {
        let list = block(&[(b"sub", b"alice"), (b"act", b"")]);
        assert!(pairs(&list).is_ok());
        for end in 0..list.len() {
            assert_eq!(pairs(&list[..end]), Err(ValueError));
        }
        let longer = [&list[..], b"x"].concat();
        assert_eq!(pairs(&longer), Err(ValueError));
        assert_eq!(pairs(&[0xff; 64]), Err(ValueError));
    }
}
