"""A real SMTP server in the test's process: plain, by STARTTLS or by TLS from the first byte; with a login or without;
one that refuses addresses, for good or for now."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SENDER = "pantau@pantau.example"
USER, PASSWORD = "surat@pantau.example", "s3cret/:@word"


@dataclass
class Postbox:
    """What the server took over, and what it is to refuse: address → its answer, such as `550 no such user`."""

    port: int = 0
    refuses: dict[str, str] = field(default_factory=dict)
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)  # (address of the envelope, mail)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Answer to an address."""
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail over."""
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails += [(address, mail) for address in envelope.rcpt_tos]
        return "250 OK"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        """Let the one user in."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1] == (USER, PASSWORD), handled=False)

    def uri(self, *, user: str = "", password: str = "", host: str = "127.0.0.1", **extra: str) -> str:
        """The connection as Airflow writes it; without extras, one that asks for no TLS."""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        extra = {"from_email": SENDER, **(extra or {"disable_ssl": "true", "disable_tls": "true"})}
        return f"smtp://{login}{host}:{self.port}/?{urlencode(extra)}"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to an address."""
        return [mail for to, mail in self.mails if to == address]


@contextmanager
def postbox(
    certificate: ssl.SSLContext | None = None, *, starttls: bool = False, login: bool = False
) -> Iterator[Postbox]:
    """A server on loopback. With a certificate: TLS from the first byte, or by STARTTLS."""
    box = Postbox(_free_port())
    options: dict[str, Any] = {}
    if login:
        options |= {"authenticator": box.login, "auth_required": True, "auth_require_tls": starttls}
    if certificate and starttls:
        options |= {"tls_context": certificate, "require_starttls": True}
    elif certificate:
        options |= {"ssl_context": certificate}
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate for 127.0.0.1, signed by itself, and the file that a client trusts it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test mail server")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, both = folder / "public.pem", folder / "both.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(private + public.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, public
