"""Throw-away certificates: an authority, a server for 127.0.0.1, a client, and a stranger nobody trusts."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files."""

    ca: Path
    server: Path
    server_key: Path
    other_host: Path
    """For the name other.example, with the key of the server."""

    client: Path
    client_key: Path
    encrypted_key: Path
    """The client's key under a pass phrase."""

    stranger_ca: Path

    def server_context(
        self, *, asks_for_client: bool = False, certificate: Path | None = None
    ) -> ssl.SSLContext:
        """Return the TLS side of a server; it may insist on a certificate of the client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate or self.server, self.server_key)
        if asks_for_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context


def make_certificates(folder: Path) -> Certificates:
    """Write all of them into a folder."""
    ca_key, server_key, client_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    ca = _authority("Outrider test authority", ca_key)
    stranger_key = ec.generate_private_key(ec.SECP256R1())
    local = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    )
    other = x509.SubjectAlternativeName([x509.DNSName("other.example")])
    paths = Certificates(
        *(
            folder / f"{name}.pem" for name in Certificates.__dataclass_fields__
        )  # the name of the field is enough
    )
    purpose = ExtendedKeyUsageOID.SERVER_AUTH
    paths.ca.write_bytes(_pem(ca))
    paths.stranger_ca.write_bytes(_pem(_authority("A stranger", stranger_key)))
    paths.server.write_bytes(_pem(_signed(server_key, local, ca, ca_key, purpose)))
    paths.other_host.write_bytes(_pem(_signed(server_key, other, ca, ca_key, purpose)))
    paths.client.write_bytes(_pem(_signed(client_key, other, ca, ca_key, ExtendedKeyUsageOID.CLIENT_AUTH)))
    paths.server_key.write_bytes(_key(server_key, serialization.NoEncryption()))
    paths.client_key.write_bytes(_key(client_key, serialization.NoEncryption()))
    paths.encrypted_key.write_bytes(_key(client_key, serialization.BestAvailableEncryption(b"secret")))
    return paths


def _authority(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
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
    return (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _signed(
    key: ec.EllipticCurvePrivateKey,
    names: x509.SubjectAlternativeName,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    purpose: x509.ObjectIdentifier,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "outrider")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _builder(subject, ca.subject, key)
        .add_extension(names, critical=False)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
