//! What is fetched: read and held against what it must be, before it takes the place of the one before.

use std::rc::Rc;

use super::sealing;
use crate::identity::Content;
use crate::jws::{MAX_TOKEN, Signer, Stated};
use crate::seal::Sealer;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Longest secret in bytes.
pub const MAX_SECRET: usize = 4 * 1024;
/// Longest private key in bytes: one of RSA with 4096 bits takes three thousand in PEM.
pub const MAX_KEY: usize = 16 * 1024;

/// What it must be.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A JWT-SVID of this workload for this audience.
    Svid {
        /// Its `sub`.
        subject: Rc<str>,
        /// Its one `aud`.
        audience: Rc<str>,
    },
    /// A client secret: visible characters and blanks (RFC 6749 appendix A.2).
    Secret,
    /// A private key, as [`Wanted::key`] makes it.
    Key {
        /// What the token service knows it as.
        id: Option<String>,
        /// Reads it. Whoever never makes this has nothing in its module that could sign.
        read: ReadKey,
    },
    /// Keys that seal: a JWK Set of symmetric keys.
    Sealing,
}

type ReadKey = fn(&Secret<Vec<u8>>, Option<&str>) -> Option<Signer>;

/// A secret that may be used.
pub struct Fetched {
    /// The text; of keys none is kept.
    text: Secret<String>,
    pub(super) signer: Option<Rc<Signer>>,
    pub(super) sealer: Option<Rc<Sealer>>,
    ends: Option<Timestamp>,
}

impl Wanted {
    /// A private key that the token service knows as `id`.
    pub fn key(id: Option<&str>) -> Self {
        Self::Key { id: id.map(str::to_owned), read: |text, id| Signer::read(text, id).ok() }
    }

    /// Reads an answer. An error is a word for what it is not.
    pub fn read(&self, body: &[u8], now: Timestamp) -> Result<Fetched, &'static str> {
        let longest = match self {
            Self::Svid { .. } => MAX_TOKEN,
            Self::Secret => MAX_SECRET,
            Self::Key { .. } | Self::Sealing => MAX_KEY,
        };
        let text = without_line_end(body);
        if text.len() > longest {
            return Err("secret_too_large");
        }
        let text = core::str::from_utf8(text).map_err(|_| "secret_unreadable")?;
        match self {
            Self::Svid { subject, audience } => svid(text, subject, audience, now),
            Self::Secret if !text.is_empty() && text.bytes().all(|c| (b' '..=b'~').contains(&c)) => {
                Ok(Fetched { text: Secret::new(text.to_owned()), ..Fetched::empty() })
            }
            Self::Secret => Err("secret_unreadable"),
            Self::Key { id, read } => {
                let text = Secret::new(text.as_bytes().to_vec());
                let signer = read(&text, id.as_deref()).ok_or("secret_unreadable")?;
                Ok(Fetched { signer: Some(Rc::new(signer)), ..Fetched::empty() })
            }
            Self::Sealing => {
                let sealer = sealing::read(text).ok_or("secret_unreadable")?;
                Ok(Fetched { sealer: Some(Rc::new(sealer)), ..Fetched::empty() })
            }
        }
    }
}

/// A JWT-SVID is a JWS whose `typ`, where it has one, is `JWT` or `JOSE` (JWT-SVID section 2); for a token service it has the one
/// `aud` that is its issuer (draft-ietf-oauth-spiffe-client-auth): another that it names could use it at this one.
fn svid(text: &str, subject: &str, audience: &str, now: Timestamp) -> Result<Fetched, &'static str> {
    let stated = Stated::read(text.as_bytes()).map_err(|_| "secret_unreadable")?;
    if !matches!(stated.kind.as_deref(), None | Some("jwt" | "jose")) {
        return Err("svid_other_kind");
    }
    if stated.subject.as_deref() != Some(subject) {
        return Err("svid_other_subject");
    }
    if stated.audience != [audience] {
        return Err("svid_other_audience");
    }
    let ends = stated.expires.ok_or("svid_never_ends")?;
    if ends <= now {
        return Err("svid_expired");
    }
    if stated.begins.is_some_and(|begins| now < begins) {
        return Err("svid_not_yet_valid");
    }
    Ok(Fetched { text: Secret::new(text.to_owned()), ends: Some(ends), ..Fetched::empty() })
}

/// Files end with one; a secret does not.
fn without_line_end(body: &[u8]) -> &[u8] {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"\r").unwrap_or(body)
}

impl Fetched {
    const fn empty() -> Self {
        Self { text: Secret::new(String::new()), signer: None, sealer: None, ends: None }
    }

    /// The text, where it is one.
    pub fn text(&self) -> &Secret<String> {
        &self.text
    }
}

/// Nobody asks whether it is another one: what was made of the one before holds.
impl PartialEq for Fetched {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Content for Fetched {
    const NAME: &'static str = "secrets";
    const SHARED: bool = false;
    type Rule = Wanted;

    fn read(text: &[u8], rule: &Wanted, now: Timestamp) -> Result<Self, &'static str> {
        rule.read(text, now)
    }

    fn ends(&self) -> Option<Timestamp> {
        self.ends
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn token(header: &str, claims: &str) -> String {
        [header, claims, "signature"].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    }

    fn told(wanted: &Wanted, body: impl AsRef<[u8]>) -> Result<String, &'static str> {
        wanted.read(body.as_ref(), NOW).map(|fetched| fetched.text().reveal().clone())
    }

    fn svid() -> Wanted {
        Wanted::Svid { subject: "spiffe://d/planner".into(), audience: "https://idp".into() }
    }

    #[test]
    fn an_svid_is_for_one_workload_one_audience_and_some_time() {
        let header = r#"{"alg":"ES256","typ":"JWT","kid":"k"}"#;
        let good = r#"{"sub":"spiffe://d/planner","aud":["https://idp"],"iat":1799999900,"exp":1800000001}"#;
        let text = token(header, good);
        for body in [text.clone(), format!("{text}\n"), format!("{text}\r\n")] {
            assert_eq!(told(&svid(), body).as_ref(), Ok(&text));
        }
        for header in [r#"{"alg":"RS256"}"#, r#"{"alg":"ES384","typ":"JOSE"}"#] {
            assert!(told(&svid(), token(header, good)).is_ok(), "{header}");
        }
        assert!(told(&svid(), token(header, &good.replace(r#"["https://idp"]"#, r#""https://idp""#))).is_ok());
        for (from, to, want) in [
            ("1800000001", "1800000000", "svid_expired"),
            (",\"exp\":1800000001", "", "svid_never_ends"),
            ("\"iat\":1799999900", "\"nbf\":1800000001", "svid_not_yet_valid"),
            ("planner", "writer", "svid_other_subject"),
            ("spiffe://d/planner", "spiffe://d/planner/", "svid_other_subject"),
            ("\"sub\":\"spiffe://d/planner\",", "", "svid_other_subject"),
            ("https://idp", "https://idp/", "svid_other_audience"),
            ("[\"https://idp\"]", "[\"https://idp\",\"https://other\"]", "svid_other_audience"),
            ("[\"https://idp\"]", "[]", "svid_other_audience"),
            ("{\"sub\"", "{\"sub\":\"x\",\"sub\"", "secret_unreadable"),
            ("1800000001", "\"soon\"", "secret_unreadable"),
        ] {
            assert!(good.contains(from), "{from}");
            assert_eq!(told(&svid(), token(header, &good.replacen(from, to, 1))), Err(want), "{to}");
        }
        assert_eq!(told(&svid(), token(&header.replace("JWT", "at+jwt"), good)), Err("svid_other_kind"));
        assert_eq!(told(&svid(), token(&header.replace("ES256", "none"), good)), Err("secret_unreadable"));
    }

    #[test]
    fn what_is_no_svid_at_all() {
        let text = token(r#"{"alg":"ES256"}"#, r#"{"sub":"spiffe://d/planner","aud":"https://idp","exp":1800000001}"#);
        let mut bodies = vec![String::new(), "\n".to_owned(), "{}".to_owned(), "<html>".to_owned(), format!("{text}.x")];
        bodies.extend([format!(" {text}"), format!("{text}\n\n"), format!("{text} "), format!("\"{text}\"")]);
        for body in bodies {
            assert_eq!(told(&svid(), &body), Err("secret_unreadable"), "{body}");
        }
        assert_eq!(told(&svid(), [0xff]), Err("secret_unreadable"));
        assert_eq!(told(&svid(), vec![b'a'; MAX_TOKEN + 1]), Err("secret_too_large"));
    }

    #[test]
    fn a_secret_is_one_line_of_visible_characters() {
        for (body, want) in [("s3cret", "s3cret"), ("a b~\r\n", "a b~"), (" x\n", " x")] {
            assert_eq!(told(&Wanted::Secret, body).as_deref(), Ok(want));
        }
        for body in ["", "\n", "a\nb", "a\n\n", "a\tb", "<html>\n<p>", "é", "a\0"] {
            assert_eq!(told(&Wanted::Secret, body), Err("secret_unreadable"), "{body:?}");
        }
        assert_eq!(told(&Wanted::Secret, vec![b'a'; MAX_SECRET + 1]), Err("secret_too_large"));
        assert!(told(&Wanted::Secret, vec![b'a'; MAX_SECRET]).is_ok());
    }

    #[test]
    fn a_key_is_read_and_its_text_not_kept() {
        // RFC 8037 appendix A.
        let key = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let fetched = Wanted::key(Some("k1")).read(format!("{key}\n").as_bytes(), NOW).unwrap_or_else(|e| panic!("{e}"));
        assert!(fetched.signer.is_some() && fetched.text().reveal().is_empty());
        assert_eq!(told(&Wanted::key(None), "{}"), Err("secret_unreadable"));
        assert_eq!(told(&Wanted::key(None), vec![b'a'; MAX_KEY + 1]), Err("secret_too_large"));
    }

    #[test]
    fn keys_that_seal_are_read_and_their_text_not_kept() {
        let set = r#"{"keys":[{"kty":"oct","kid":"k1","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#;
        let fetched = Wanted::Sealing.read(format!("{set}\n").as_bytes(), NOW).unwrap_or_else(|e| panic!("{e}"));
        assert!(fetched.sealer.is_some() && fetched.text().reveal().is_empty());
        assert_eq!(told(&Wanted::Sealing, r#"{"keys":[]}"#), Err("secret_unreadable"));
        assert_eq!(told(&Wanted::Sealing, vec![b'a'; MAX_KEY + 1]), Err("secret_too_large"));
    }
}
