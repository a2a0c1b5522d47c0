"""Ed25519 signatures beside a file, 64 raw bytes each, as `openssl pkeyutl -rawin` makes and checks them."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from loopwm_ros.config import outside
from loopwm_ros.errors import CertificateError

SUFFIX = ".sig"
SIZE = 64  # bytes of a signature
MAX_KEY = 4096  # bytes of a PEM file, many times what an Ed25519 key takes


def signature_path(path: Path) -> Path:
    """Where the signature of a file lies."""
    return path.with_name(path.name + SUFFIX)


def read_bounded(path: Path, limit: int) -> bytes:
    """Contents of a regular file of at most `limit` bytes.

    Raises:
        CertificateError: missing, longer, or no regular file.
    """
    try:
        return outside.read_bounded(path, limit)
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror}") from error


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The private key of a PEM file.

    Raises:
        CertificateError: no such file, no private key without a passphrase, or not one of Ed25519.
    """
    try:
        key = load_pem_private_key(read_bounded(path, MAX_KEY), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"{path} is no PEM file of a private key without passphrase; "
            "make one with: openssl genpkey -algorithm ed25519 -out KEY.pem"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CertificateError(f"{path} holds a {type(key).__name__}; expected an Ed25519 key")
    return key


def sign(path: Path, key: Ed25519PrivateKey) -> Path:
    """Sign a file; returns the signature's path."""
    target = signature_path(path)
    target.write_bytes(key.sign(path.read_bytes()))
    return target


def verify(path: Path, data: bytes, public_key: Path) -> None:
    """Check that the signature beside `path` is one of `data`, made with the private half of `public_key`.

    Raises:
        CertificateError: no signature, not one of this key and these bytes, or the key cannot be read.
    """
    key = _public_key(public_key)
    beside = signature_path(path)
    if not beside.is_file():
        raise CertificateError(
            f"{path} is not signed, but key {public_key} asks for a signature: {beside} is missing; "
            "sign it with: loopwm validate --sign KEY.pem"
        )
    try:
        key.verify(read_bounded(beside, SIZE), data)
    except InvalidSignature as error:
        raise CertificateError(
            f"{beside} is no signature of {path} by the owner of {public_key}: "
            "the file was altered after it was signed, or signed with another key"
        ) from error


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(read_bounded(path, MAX_KEY))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"{path} is no PEM file of a public key; "
            "make it with: openssl pkey -in KEY.pem -pubout -out PUBLIC.pem"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise CertificateError(f"{path} holds a {type(key).__name__}; expected an Ed25519 key")
    return key
