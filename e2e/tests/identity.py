"""Who is who: a certificate authority, client certificates with a SPIFFE id, and an identity provider's tokens."""

import ipaddress
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER = "https://idp.example.com/realms/agents"
AUDIENCE = "https://tools.example.com"
AGENTS = {name: f"spiffe://cluster.local/ns/agents/sa/{name}" for name in ("planner", "other", "stranger", "researcher", "reviewer", "writer", "assistant")}


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key, self._name = folder, ec.generate_private_key(ec.SECP256R1()), _name(name)
        certificate = (
            _unsigned(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self) -> Certificate:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return self._issue("server", names, ExtendedKeyUsageOID.SERVER_AUTH)

    def host(self, name: str) -> Certificate:
        return self._issue(name, [x509.DNSName(name)], ExtendedKeyUsageOID.SERVER_AUTH)

    def agent(self, name: str) -> Certificate:
        return self._issue(name, [x509.UniformResourceIdentifier(AGENTS[name])], ExtendedKeyUsageOID.CLIENT_AUTH)

    def workload(self, name: str, spiffe: str) -> Certificate:
        """In a mesh everybody is both ends."""
        return self._issue(name, [x509.UniformResourceIdentifier(spiffe)], ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)

    def _issue(self, name: str, alternatives: list[x509.GeneralName], *usages: x509.ObjectIdentifier) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _unsigned(_name(name), self._name, key)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        files = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        files.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        files.key.write_bytes(key.private_bytes(*pem))
        return files


class Provider:
    """Signs access tokens; what it publishes goes into the proxy's configuration."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> str:
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return json.dumps({"keys": [{**public, "kid": "e2e", "alg": "ES256", "use": "sig"}]})

    def token(self, *, user: str = "alice", scope: str = "tools:call", audience: str = AUDIENCE, client: str = "chat-ui", lives: int = 600) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": audience, "sub": user, "azp": client, "scope": scope}
        return jwt.encode({**claims, "iat": now, "exp": now + lives}, self._key, "ES256", headers={"kid": "e2e"})


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _unsigned(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(hours=1))


def _usage(*, signs: bool) -> x509.KeyUsage:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
    others = dict.fromkeys(names, False)
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **others)
