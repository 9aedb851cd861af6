//! Who is who in a play: a test CA, certificates with SPIFFE ids, and signed tokens.

use std::sync::Arc;

use anyhow::Context as _;
use jwt_compact::alg::{Es256, SigningKey as _};
use jwt_compact::{Algorithm, AlgorithmExt as _, Claims, Header};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};

type Signer = <Es256 as Algorithm>::SigningKey;

/// `jwt_authn` takes it away, so a play's own `authorization` stays as it is.
pub(super) use crate::engine::TOKEN_HEADER;

/// The name in the proxy's certificate.
pub(super) const SERVER_NAME: &str = "proxy.test";

/// Keys and certificates of one engine.
pub(super) struct Identity {
    ca: CertifiedIssuer<'static, KeyPair>,
    server: Pair,
    signer: Signer,
}

/// A certificate and its key, as PEM.
pub(super) struct Pair {
    /// The certificate.
    pub(super) certificate: String,
    /// Its key.
    pub(super) key: String,
}

impl Identity {
    /// Makes new keys and certificates.
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name of its own: a certificate whose subject is its issuer's counts as self-signed.
        params.distinguished_name.push(DnType::CommonName, "Wardpoint test CA");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([SERVER_NAME.to_owned()])?.signed_by(&key, &ca)?;
        let server = Pair { certificate: certificate.pem(), key: key.serialize_pem() };
        // Any 32 bytes below the curve's order are a key; these come from the generator of certificate keys.
        let seed = KeyPair::generate()?.public_key_raw().get(1..33).context("a P-256 key has 65 bytes")?.to_vec();
        let signer = <Signer as jwt_compact::alg::SigningKey<Es256>>::from_slice(&seed)?;
        Ok(Self { ca, server, signer })
    }

    /// The certificate of the CA, as PEM.
    pub(super) fn ca_pem(&self) -> String {
        self.ca.pem()
    }

    /// The proxy's own certificate.
    pub(super) const fn server(&self) -> &Pair {
        &self.server
    }

    /// The key set that verifies [`Identity::token`].
    pub(super) fn jwks(&self) -> anyhow::Result<String> {
        let verifying = self.signer.to_verifying_key();
        let key = jwt_compact::jwk::JsonWebKey::from(&verifying);
        let mut key = serde_json::to_value(&key)?;
        if let Some(fields) = key.as_object_mut() {
            fields.insert("alg".to_owned(), "ES256".into());
        }
        Ok(serde_json::json!({ "keys": [key] }).to_string())
    }

    /// A token with exactly these claims.
    pub(super) fn token(&self, claims: &serde_json::Value) -> anyhow::Result<String> {
        let claims = Claims::new(claims.clone());
        Es256.token(&Header::empty().with_token_type("JWT"), &claims, &self.signer).context("the token cannot be signed")
    }

    /// A client that shows a certificate with this SPIFFE id.
    pub(super) fn client(&self, spiffe: &str, http2: bool) -> anyhow::Result<Arc<ClientConfig>> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(spiffe.try_into().with_context(|| format!("`{spiffe}` is no URI"))?)];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.ca)?;
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Ok(Arc::new(config))
    }
}
