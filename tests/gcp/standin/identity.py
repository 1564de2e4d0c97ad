"""Who is who: a certificate authority for *.googleapis.com, a service account's key, and the tokens that calls carry."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from google.auth import jwt

from tests.gcp.standin.refused import Refused

TOKEN_LIFE = 3600  # seconds, as Google's
_HOSTS = ["*.googleapis.com", "googleapis.com"]


class Identity:
    """The files that clients are pointed at, written into a folder when it is made, and what they prove later."""

    def __init__(self, folder: Path, project: str) -> None:
        self.authority, self.served, self.account = folder / "ca.pem", folder / "server.pem", folder / "account.json"
        self.email = f"mlspec@{project}.iam.gserviceaccount.com"
        self._tokens: dict[str, str] = {}
        _certify(self.authority, self.served)
        self._write_account(project)

    def _write_account(self, project: str) -> None:
        # Every client that is made anywhere checks its key: in 5 ms, and 37 ms where it has the 2,048 bits of Google's.
        key = rsa.generate_private_key(65537, 1024)
        self._public = key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
        self._key = {
            "type": "service_account", "project_id": project, "private_key_id": "k1", "private_key": _text(key),
            "client_id": "1", "token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com",
        }  # fmt: skip
        self._write_key(self.account, self.email)

    def _write_key(self, path: Path, email: str) -> None:
        """Write an account's file. The key is the same for all, which saves the time to make one; the name tells them apart."""
        _write_secret(path, json.dumps({**self._key, "client_email": email}))

    def __deepcopy__(self, memo: dict[int, Any]) -> Identity:
        """Return itself: whoever has a token is the same in a cloud's copy."""
        return self

    def account_file(self, email: str) -> Path:
        """Return the file that lets a client act as an account."""
        path = self.account.with_name(f"{email}.json")
        if not path.exists():
            self._write_key(path, email)
        return path

    def issue(self, assertion: str) -> dict[str, Any]:
        """Return an access token for a signed assertion, as https://oauth2.googleapis.com/token does. Raises Refused."""
        email = self._signed(assertion)
        if not email:
            raise Refused("INVALID_ARGUMENT", "Invalid JWT Signature.", reason="invalid_grant")
        token = f"standin-{secrets.token_urlsafe(24)}"
        self._tokens[token] = email
        return {"access_token": token, "expires_in": TOKEN_LIFE, "token_type": "Bearer"}

    def check(self, authorization: str) -> str:
        """Return who calls. Raises Refused where a call carries neither a token from here nor a JWT that an account signed."""
        token = authorization.removeprefix("Bearer ")
        email = self._tokens.get(token) or self._signed(token)
        if not email:
            raise Refused("UNAUTHENTICATED", "Request had invalid authentication credentials.")
        return email

    def _signed(self, token: str) -> str:
        """Return the account that signed a JWT; nothing where none of this stand-in's did."""
        try:
            claims = jwt.decode(token, certs=self._public)
        except ValueError:  # what google.auth raises for each of: no JWT, another key, expired
            return ""
        return str(claims.get("iss") or "")


def _certify(authority: Path, served: Path) -> None:
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own = _name("mlspec's stand-in for Google")
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    top = (
        _certificate(own, own, root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(root, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in _HOSTS])
    below = (
        _certificate(_name(_HOSTS[0]), own, leaf)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .add_extension(by, critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(root, hashes.SHA256())
    )
    authority.write_bytes(top.public_bytes(pem.Encoding.PEM))
    _write_secret(served, below.public_bytes(pem.Encoding.PEM).decode() + _text(leaf))


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)  # noqa: TID251  (certificates are valid by the machine's clock)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, words)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    off = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, crl_sign=signs, **off)


def _text(key: Any) -> str:
    return str(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()).decode())


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
