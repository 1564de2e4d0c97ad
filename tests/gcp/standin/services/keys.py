"""Cloud KMS: keys that really encrypt, so that what was changed on the way is noticed."""

from __future__ import annotations

import os
from typing import Any

import google_crc32c
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.cloud.kms_v1.types import CryptoKeyVersion

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rpcs import Rpc

_ENABLED = CryptoKeyVersion.CryptoKeyVersionState.ENABLED
_NONCE = 12  # bytes in front of each ciphertext


class Keys:
    """The secret part of each key; the keys themselves are among the cloud's resources."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._secret: dict[str, AESGCM] = {}

    def _key(self, name: str) -> AESGCM:
        self._cloud.get(name)
        return self._secret.setdefault(name, AESGCM(AESGCM.generate_key(256)))

    def create_crypto_key(self, rpc: Rpc, request: Any) -> Any:
        """Make a key, with a first version that is enabled unless the caller wants none."""
        found = standard.create(self._cloud, rpc, request)
        if not request.skip_initial_version_creation:
            kept = self._cloud.get(found.name)
            kept.primary.name, kept.primary.state = f"{found.name}/cryptoKeyVersions/1", _ENABLED
        return self._cloud.get(found.name)

    def create_crypto_key_version(self, rpc: Rpc, request: Any) -> Any:
        """Make a version, which comes to be the primary one where there was none."""
        kept = self._cloud.get(request.parent)
        found = rpc.response(name=f"{request.parent}/cryptoKeyVersions/1", state=_ENABLED)
        if not kept.primary.name:
            kept.primary.CopyFrom(found)
        return found

    def encrypt(self, rpc: Rpc, request: Any) -> Any:
        """Encrypt under a key that exists."""
        nonce = os.urandom(_NONCE)
        sealed = self._key(request.name).encrypt(nonce, request.plaintext, request.additional_authenticated_data)
        answer = rpc.response(name=f"{request.name}/cryptoKeyVersions/1", ciphertext=nonce + sealed)
        answer.ciphertext_crc32c.value = google_crc32c.value(answer.ciphertext)
        return answer

    def decrypt(self, rpc: Rpc, request: Any) -> Any:
        """Decrypt what the same key encrypted with the same additional data. Raises Refused."""
        nonce, sealed = request.ciphertext[:_NONCE], request.ciphertext[_NONCE:]
        try:
            plain = self._key(request.name).decrypt(nonce, sealed, request.additional_authenticated_data)
        except (InvalidTag, ValueError):
            raise invalid("Decryption failed: the ciphertext is invalid.") from None
        answer = rpc.response(plaintext=plain)
        answer.plaintext_crc32c.value = google_crc32c.value(plain)
        return answer
