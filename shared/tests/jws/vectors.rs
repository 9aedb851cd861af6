//! Vectors of the RFCs, and keys as another program writes them.

use sha2::{Digest as _, Sha256};
use wardpoint_core::filter::ServiceError;
use wardpoint_core::jws::{Algorithm, Family, HostVerifier, Jws, Offer, TokenError};

use crate::host::{ALL, Both, Host};
use crate::signers::{all_keys, bare, encode, set};

/// `{"iss":"joe",⏎ "exp":1300819380,⏎ "http://example.com/is_root":true}` with the line ends of the RFC.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const A2: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const A3: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

fn authentic(token: &str, family: Family) -> Result<Vec<u8>, TokenError> {
    let keys = set(&[bare(family)]);
    Jws::read(token.as_bytes())?.authenticate(&keys, &mut Both::default()).map(|(payload, _)| payload.to_vec())
}

#[test]
fn rfc_7515_appendix_a() {
    let joe = b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}".to_vec();
    let rs256 = format!("{}.{JOE}.{A2}", encode(r#"{"alg":"RS256"}"#));
    assert!(rs256.starts_with("eyJhbGciOiJSUzI1NiJ9."));
    assert_eq!(authentic(&rs256, Family::Rsa), Ok(joe.clone()));
    let es256 = format!("eyJhbGciOiJFUzI1NiJ9.{JOE}.{A3}");
    assert_eq!(authentic(&es256, Family::P256), Ok(joe));
    // A.5, unsecured, and A.1, HMAC.
    assert_eq!(authentic(&format!("eyJhbGciOiJub25lIn0.{JOE}."), Family::Rsa), Err(TokenError::AlgorithmRefused));
    let hs256 = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(authentic(&hs256, Family::Rsa), Err(TokenError::AlgorithmRefused));
}

#[test]
fn rfc_8037_appendix_a_4() {
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(authentic(token, Family::Ed25519), Ok(b"Example of Ed25519 signing".to_vec()));
}

/// The digests are those of what `openssl pkey -pubout -outform DER` writes for the same keys.
#[test]
fn keys_are_the_der_that_openssl_writes() {
    for (family, digest) in [
        (Family::Rsa, "6fd13c2435a361e7c588cd17f55f5ad3df0177a66c1727a6a200845f4d7ab88c"),
        (Family::P256, "2bd1bb0c44a897c30a7aa0991cde38d8062fe441de50da0f46825344f602e827"),
        (Family::P384, "2f95601fa82060b909bfc6b979dbd303d34d34e0afb27ea496beac362f242a4b"),
    ] {
        let found: String = Sha256::digest(set(&[bare(family)]).keys()[0].spki()).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(found, digest, "{family:?}");
    }
}

/// What the host cannot check is said to be that, and never taken for a bad signature.
#[test]
fn a_host_that_cannot_say_is_no_verdict() {
    let rs256 = format!("eyJhbGciOiJSUzI1NiJ9.{JOE}.{A2}");
    let mut host = Host::default();
    let keys = all_keys();
    let asked = |text: &str, host: &mut Host| {
        Jws::read(text.as_bytes())
            .and_then(|jws| jws.authenticate(&keys, &mut HostVerifier::new(host, ALL)).map(|(_, key)| key.family()))
    };
    assert_eq!(asked(&rs256, &mut host), Ok(Family::Rsa));
    assert_eq!(host.calls, 1);
    for (fault, error) in [(ServiceError::Failed, TokenError::HostFailed), (ServiceError::Unsupported, TokenError::Unsupported)] {
        host.fault = Some(fault);
        assert_eq!(asked(&rs256, &mut host), Err(error));
    }
    host.fault = None;
    for algorithm in [Algorithm::Ed25519, Algorithm::Ps256] {
        let token = crate::signers::sign(algorithm, &format!(r#"{{"alg":"{}"}}"#, crate::signers::name(algorithm)), "{}");
        assert_eq!(asked(&token, &mut host), Err(TokenError::Unsupported), "{algorithm:?}");
    }
    assert_eq!(host.calls, 3, "it is not asked for what it does not know");
}

/// A host is believed when it has told a good signature from a bad one, for each kind of key by itself.
#[test]
fn what_a_host_offers() {
    let none = Offer::default();
    for (host, offer) in [
        (Host::default(), ALL),
        (Host { lie: Some(true), ..Host::default() }, none),
        (Host { lie: Some(false), ..Host::default() }, none),
        (Host { fault: Some(ServiceError::Unsupported), ..Host::default() }, none),
        (Host { fault: Some(ServiceError::Failed), ..Host::default() }, none),
        (Host { only: Some(Family::Rsa), ..Host::default() }, Offer { rsa: true, ecdsa: false }),
        (Host { only: Some(Family::P256), ..Host::default() }, Offer { rsa: false, ecdsa: true }),
    ] {
        let mut host = host;
        assert_eq!(Offer::probe(&mut host), offer);
    }
    // What is not offered is not asked for.
    let (keys, mut host) = (all_keys(), Host::default());
    for (algorithm, offer, answer) in [
        (Algorithm::Rs512, Offer { rsa: true, ecdsa: false }, Ok(())),
        (Algorithm::Es384, Offer { rsa: true, ecdsa: false }, Err(TokenError::Unsupported)),
        (Algorithm::Es256, Offer { rsa: false, ecdsa: true }, Ok(())),
        (Algorithm::Rs256, Offer { rsa: false, ecdsa: true }, Err(TokenError::Unsupported)),
        (Algorithm::Rs256, none, Err(TokenError::Unsupported)),
    ] {
        let token = crate::signers::sign(algorithm, &format!(r#"{{"alg":"{}"}}"#, crate::signers::name(algorithm)), "{}");
        let found = Jws::read(token.as_bytes())
            .and_then(|jws| jws.authenticate(&keys, &mut HostVerifier::new(&mut host, offer)).map(drop));
        assert_eq!(found, answer, "{algorithm:?} {offer:?}");
    }
    assert_eq!(host.calls, 2);
}
