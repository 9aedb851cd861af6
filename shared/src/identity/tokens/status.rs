//! Lists of statuses: a bit or more for each token that an issuer has made (draft-ietf-oauth-status-list, OA-R-06).
//!
//! A list is itself a signed token of the issuer. It is fetched where the configuration says, never where a token says; a
//! token names a list, and only one that is configured counts.

use crate::base64::decode_url;
use crate::config::{Problems, record};
use crate::identity::{Content, Document, Fetching, RawFrom};
use crate::json::{self, Kind, Limits, Reader};
use crate::jws::{Issuer, Jws, KeySet, StatusRef, TokenError, Verifier};
use crate::time::{Duration, Timestamp};

record! {
    /// A list of statuses, and where it is fetched.
    pub struct RawStatusList {
        /// What `status.status_list.uri` of tokens calls it, and its own `sub`.
        uri: String = "uri";
        /// Where it is fetched.
        list: RawFrom = "list";
        /// How often; more often than its `ttl` says.
        poll: Duration = "poll", Duration::from_secs(60);
        /// How old the last good one may be. After that tokens that name it are refused.
        within: Duration = "within", Duration::from_secs(300);
    }
}

/// A list that tokens may name.
pub(super) struct StatusList {
    uri: String,
    pub(super) text: Document<StatusText>,
    /// What it says; which version of it says so, and under which version of the keys.
    read: Option<([u32; 2], Result<Statuses, TokenError>)>,
}

/// A list as it was fetched. Its signature is looked at when it is first needed.
#[derive(Debug, PartialEq)]
pub(super) struct StatusText(Vec<u8>);

/// A list that was verified, unpacked.
#[derive(Debug, Eq, PartialEq)]
pub struct Statuses {
    /// Bits of each status: 1, 2, 4 or 8.
    bits: usize,
    bytes: Vec<u8>,
    issued: Timestamp,
    expires: Option<Timestamp>,
    /// `ttl`: how long it may be used after it was fetched.
    life: Option<Duration>,
    /// `sub`: which list it is.
    uri: String,
}

/// Most bytes of a list as it is fetched.
const MAX_TEXT: usize = 512 * 1024;
/// Most bytes of a list when it is unpacked: 32 million statuses of one bit.
const MAX_BYTES: usize = 4 << 20;
/// The kind of such tokens (section 5.1 of the draft).
const KIND: &str = "statuslist+jwt";
const LIMITS: Limits = Limits { depth: 8, number: 32, nodes: 200 };

impl RawStatusList {
    /// What it means; only good if no problem was added.
    pub(super) fn compile(&self, issuer: &str, problems: &mut Problems) -> StatusList {
        if self.uri.is_empty() {
            problems.field("uri", |p| p.add("is empty. Write what tokens call it"));
        }
        let call = problems.field("list", |p| self.list.compile("application/statuslist+jwt", p));
        if self.poll < Duration::from_secs(1) {
            problems.field("poll", |p| p.add("is less than `1s`"));
        }
        if self.within < self.poll {
            problems.field("within", |p| p.add("is less than `poll`: there would be no list between two fetches"));
        }
        let name = self.list.name(issuer);
        let from = Fetching { call, refresh: self.poll, keep: self.within, cool_down: self.poll, name };
        StatusList { uri: self.uri.clone(), text: Document::fetched(from), read: None }
    }
}

impl Content for StatusText {
    const NAME: &'static str = "status";
    type Rule = ();

    fn read(text: &[u8], (): &(), _: Timestamp) -> Result<Self, &'static str> {
        let text = text.trim_ascii();
        let token = Jws::read_long(text, MAX_TEXT).map_err(|_| "unreadable")?;
        if token.kind.as_deref() == Some(KIND) { Ok(Self(text.to_vec())) } else { Err("unreadable") }
    }
}

impl StatusList {
    /// Whether a token calls it so.
    pub(super) fn is(&self, named: &StatusRef) -> bool {
        self.uri == named.list
    }

    /// What it says of a token. [`TokenError::RevocationUnknown`] where there is none that is good now.
    pub(super) fn judge(
        &mut self,
        named: &StatusRef,
        issuer: &Issuer,
        keys: &Document<KeySet>,
        now: Timestamp,
        verifier: &mut dyn Verifier,
    ) -> Result<(), TokenError> {
        let text = self.text.usable(now).ok_or(TokenError::RevocationUnknown)?;
        let version = [self.text.version(), keys.version()];
        let keys = keys.usable(now).ok_or(TokenError::KeysUnavailable)?;
        let read = match &self.read {
            Some((known, read)) if *known == version => read,
            _ => {
                let read = verified(&text.0, issuer, keys, verifier).filter(|list| list.uri == self.uri);
                &self.read.insert((version, read.ok_or(TokenError::RevocationUnknown))).1
            }
        };
        let list = read.as_ref().map_err(|error| *error)?;
        let old = list.expires.is_some_and(|expires| now >= expires) || list.life.is_some_and(|life| self.text.age(now) > life);
        if old || list.issued > now + issuer.skew() {
            return Err(TokenError::RevocationUnknown);
        }
        match list.get(named.index) {
            Some(0) => Ok(()),
            Some(_) => Err(TokenError::Revoked),
            None => Err(TokenError::RevocationUnknown),
        }
    }
}

fn verified(text: &[u8], issuer: &Issuer, keys: &KeySet, verifier: &mut dyn Verifier) -> Option<Statuses> {
    let token = Jws::read_long(text, MAX_TEXT).ok()?;
    if token.kind.as_deref() != Some(KIND) || !issuer.signs_with(token.algorithm) {
        return None;
    }
    let (payload, _) = token.authenticate(keys, verifier).ok()?;
    Statuses::read(payload).filter(|(_, named)| named.as_deref().is_none_or(|name| name == issuer.name())).map(|(list, _)| list)
}

impl Statuses {
    /// Reads the payload of a list, whose signature is another's to look at; with its `iss`, if it says one.
    pub fn read(payload: &[u8]) -> Option<(Self, Option<String>)> {
        let mut claims = Claims::default();
        let mut reader = Reader::new(payload, LIMITS);
        reader.object(|name, reader| claims.claim(&name.text(), reader)).ok()?;
        reader.finish().ok()?;
        let packed = decode_url(claims.list.as_ref()?.as_bytes())?;
        let bytes = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&packed, MAX_BYTES).ok()?;
        let bits = claims.bits.filter(|bits| matches!(bits, 1 | 2 | 4 | 8))?;
        let Claims { issuer, subject, issued, expires, life, wrong, .. } = claims;
        let list = Self { bits, bytes, issued: issued?, expires, life, uri: subject? };
        Some((list, issuer)).filter(|_| !wrong)
    }

    /// The status at an index; zero is good (section 7.1 of the draft).
    pub fn get(&self, index: u32) -> Option<u8> {
        let first = usize::try_from(index).ok()?.checked_mul(self.bits)?;
        let byte = *self.bytes.get(first / 8)?;
        let mask = u8::MAX >> (8 - self.bits);
        Some(byte >> (first % 8) & mask)
    }
}

#[derive(Default)]
struct Claims {
    issuer: Option<String>,
    subject: Option<String>,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    life: Option<Duration>,
    bits: Option<usize>,
    list: Option<String>,
    wrong: bool,
}

impl Claims {
    fn claim(&mut self, name: &str, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        match name {
            "iss" => self.issuer = self.text(reader)?,
            "sub" => self.subject = self.text(reader)?,
            "iat" => self.issued = self.number(reader)?.map(Timestamp::from_secs),
            "ttl" => self.life = self.number(reader)?.map(Duration::from_secs),
            "exp" => self.expires = self.number(reader)?.map(Timestamp::from_secs),
            "status_list" if reader.peek()? == Kind::Map => {
                reader.object(|name, reader| {
                    match &*name.text() {
                        "bits" => self.bits = self.number(reader)?.and_then(|bits| usize::try_from(bits).ok()),
                        "lst" => self.list = self.text(reader)?,
                        _ => {}
                    }
                    Ok(())
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, reader: &mut Reader<'_>) -> Result<Option<String>, json::Error> {
        let text = if reader.peek()? == Kind::String { Some(reader.string()?.text().into_owned()) } else { None };
        self.wrong |= text.is_none();
        Ok(text)
    }

    fn number(&mut self, reader: &mut Reader<'_>) -> Result<Option<u64>, json::Error> {
        let number = if reader.peek()? == Kind::Number { reader.number()?.parse().ok() } else { None };
        self.wrong |= number.is_none();
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn payload(bits: usize, packed: &str) -> String {
        format!(r#"{{"sub":"https://idp/statuslists/1","iat":1,"status_list":{{"bits":{bits},"lst":"{packed}"}}}}"#)
    }

    /// The examples of section 4 of the draft.
    #[test]
    fn the_examples_of_the_draft() {
        let (list, _) = Statuses::read(payload(1, "eNrbuRgAAhcBXQ").as_bytes()).unwrap();
        let want = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
        assert_eq!(core::array::from_fn(|index| list.get(index as u32).unwrap()), want);
        assert_eq!(list.get(16), None);
        let (list, _) = Statuses::read(payload(2, "eNo76fITAAPfAgc").as_bytes()).unwrap();
        let want = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
        assert_eq!(core::array::from_fn(|index| list.get(index as u32).unwrap()), want);
        assert_eq!((list.get(12), list.get(u32::MAX)), (None, None));
    }

    #[test]
    fn what_is_not_a_list_is_none() {
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; MAX_BYTES + 1], 9);
        let full = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; MAX_BYTES], 9);
        assert!(Statuses::read(payload(8, &URL_SAFE_NO_PAD.encode(&full)).as_bytes()).is_some());
        let good = payload(1, "eNrbuRgAAhcBXQ");
        for text in [
            payload(8, &URL_SAFE_NO_PAD.encode(&bomb)),
            payload(0, "eNrbuRgAAhcBXQ"),
            payload(3, "eNrbuRgAAhcBXQ"),
            payload(16, "eNrbuRgAAhcBXQ"),
            payload(1, "eNrbuRgAAhcBXR"),
            payload(1, "eNrbuRgAAhcBXQ=="),
            payload(1, "eNrbuRgAAhcBX"),
            payload(1, ""),
            good.replace("\"bits\":1", "\"bits\":\"1\""),
            good.replace("\"iat\":1", "\"iat\":\"1\""),
            good.replace("\"iat\":1,", ""),
            good.replace("\"sub\"", "\"uri\""),
            good.replace("status_list", "status"),
            good.replace("\"iat\":1", "\"iat\":1,\"iat\":1"),
            good.replace("\"iat\":1", "\"iat\":1,\"exp\":null"),
            format!("{good} x"),
        ] {
            assert_eq!(Statuses::read(text.as_bytes()), None, "{}", text.get(..120).unwrap_or(&text));
        }
    }
}
