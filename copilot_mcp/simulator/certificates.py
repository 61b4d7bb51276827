"""TLS for a tenant on loopback: a private authority, and certificates that are good or wrong in one way each.

Keys exist in memory and, for the moment of loading them, in a file that only its owner may read; they die with the
tenant. Validity is counted by the machine's clock, since clients check it by that.
"""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Authority", "Certificate"]

Certificate = Literal["good", "untrusted", "expired", "wrong_name"]
"""`untrusted` comes from an authority that nobody knows; the others from the tenant's own."""

_NAMES: Final = ("login.copilot-mcp.test", "graph.copilot-mcp.test", "localhost")
_DAY: Final = timedelta(days=1)


class Authority:
    """A certificate authority of one tenant, made when it is first needed."""

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def _certificate(self) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = _certificate_of("Simulated authority", "Simulated authority", self._key.public_key(), _DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The authority's certificate, for a client that is to trust it."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def context(self, kind: Certificate) -> ssl.SSLContext:
        """What a server needs to show a certificate of this kind.

        Raises:
            ValueError: there is no such kind.
        """
        if kind not in get_args(Certificate):
            raise ValueError(f"certificate must be one of {', '.join(get_args(Certificate))}")
        if kind == "untrusted":
            return Authority()._issued(_NAMES, _DAY)
        if kind == "expired":
            return self._issued(_NAMES, -_DAY)
        return self._issued(_NAMES if kind == "good" else ("login.elsewhere.test",), _DAY)

    def _issued(self, names: tuple[str, ...], until: timedelta) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        known: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        if names is _NAMES:
            known.append(x509.IPAddress(ip_address("127.0.0.1")))
        builder = _certificate_of(names[0], "Simulated authority", key.public_key(), until)
        builder = builder.add_extension(x509.SubjectAlternativeName(known), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        return _loaded(signed, key)


def _certificate_of(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, until: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder()
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
    builder = builder.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
    builder = builder.public_key(key).serial_number(x509.random_serial_number())
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.not_valid_before(now - 2 * _DAY).not_valid_after(now + until)


def _loaded(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    """Python's TLS reads a key from a file only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory(prefix="copilot-mcp-tls-") as folder:
        file = Path(folder) / "server.pem"
        file.touch(mode=0o600)
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(file)
    return context
