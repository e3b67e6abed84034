"""Plain mails to people, through the SMTP server that an Airflow connection names.

Promises: a mail is handed over whole or an error says why not; no text can add a header or an address; a
password never travels in clear text, and stands in no message and no error.
"""

import json
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from urllib.parse import parse_qsl, unquote, urlsplit

from pantau.errors import PantauError, TransientError

CONNECTION = "pantau_smtp"
_SECONDS = 30  # without an answer

Send = Callable[..., None]


@dataclass(frozen=True)
class _Server:
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str
    tls: bool  # from the first byte
    starttls: bool


def is_address(text: str) -> bool:
    """Whether the text is one mail address and nothing else."""
    try:
        parsed = Address(addr_spec=text)
    except (ValueError, MessageError, IndexError):
        return False
    return bool(parsed.username and parsed.domain) and text.isprintable() and not set(text) & set(" <>,;")


@contextmanager
def server(connection: str) -> Iterator[Send]:
    """Connect, secure the line and log in.

    Args:
        connection: an Airflow connection of type `smtp` as URI, with Airflow's own extras: `from_email`,
            `disable_ssl` (STARTTLS instead of TLS from the first byte), `disable_tls` (no STARTTLS either).

    Yields:
        `send(to, subject, text, reply_to="")`, which returns when the server has taken the mail over.

    Raises:
        TransientError: the server cannot be reached, or says that it may work later (4xx).
        PantauError: it refuses for good, or the connection does not hold.
    """
    at = _server(connection)
    where: dict[str, object] = {"connection": CONNECTION, "server": f"{at.host}:{at.port}"}
    with _told(where):
        link = (
            smtplib.SMTP_SSL(at.host, at.port, timeout=_SECONDS, context=ssl.create_default_context())
            if at.tls
            else smtplib.SMTP(at.host, at.port, timeout=_SECONDS)
        )
    with link:
        with _told(where):
            if at.starttls:
                link.starttls(context=ssl.create_default_context())
            if at.user:
                link.login(at.user, at.password)

        def send(to: str, subject: str, text: str, reply_to: str = "") -> None:
            message = _message(at.sender, to, subject, text, reply_to)
            with _told({**where, "to": to}):
                link.send_message(message, at.sender, [to])

        yield send


def _message(sender: str, to: str, subject: str, text: str, reply_to: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Pantau", addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    if reply_to:
        message["Reply-To"] = Address(addr_spec=reply_to)
    message["Subject"] = " ".join("".join(c if c.isprintable() else " " for c in subject).split())
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # no absence note answers it
    message.set_content(text)
    return message


def _server(connection: str) -> _Server:
    where = {"connection": CONNECTION}
    hint = "docs/how-to/get-told-of-late-feeds.md shows how the connection is written."
    try:
        parts = urlsplit(connection)
        extra = dict(parse_qsl(parts.query))
        if "__extra__" in extra:  # as Airflow writes extras that are not all text
            extra = json.loads(extra["__extra__"])
        port = parts.port
    except ValueError:
        raise PantauError("The connection is no address.", where=where, next_step=hint) from None
    tls = not _yes(extra.get("disable_ssl"))
    starttls = not tls and not _yes(extra.get("disable_tls"))
    sender, user = str(extra.get("from_email", "")), unquote(parts.username or "")
    if not parts.hostname:
        raise PantauError("The connection names no mail server.", where=where, next_step=hint)
    if not is_address(sender):
        raise PantauError(
            "The connection does not say from which address mails are sent.",
            where=where,
            next_step=f"Set its extra `from_email`. {hint}",
        )
    if user and not (tls or starttls):
        raise PantauError(
            "The connection would send its password in clear text.",
            where=where,
            next_step="Take `disable_tls` away, so that STARTTLS protects it.",
        )
    port = port or (465 if tls else 587 if starttls else 25)
    return _Server(parts.hostname, port, user, unquote(parts.password or ""), sender, tls, starttls)


def _yes(value: object) -> bool:
    return str(value).lower() in {"true", "1", "yes"}


@contextmanager
def _told(where: dict[str, object]) -> Iterator[None]:
    """Say to a person what the server or the line said. Nothing that it answers to a login is repeated."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise _refusal(
            error.smtp_code, "The mail server refuses the user or password", "Renew the connection.", where
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        raise _refusal(
            code,
            f"The mail server refuses the address ({_text(answer)})",
            "Compare it with its owner's.",
            where,
        ) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(
            error.smtp_code, f"The mail server refuses ({_text(error.smtp_error)})", "Ask its owner.", where
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise PantauError(
            f"The mail server cannot do what the connection asks for: {error}",
            where=where,
            next_step="Ask its owner which port offers TLS and login.",
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise PantauError(
            f"The mail server's certificate does not hold: {error.verify_message}.",
            where=where,
            next_step="Compare the server's name; an authority of your own is named by SSL_CERT_FILE.",
        ) from error
    except (OSError, smtplib.SMTPException) as error:
        raise TransientError(
            f"The mail server cannot be reached ({error or type(error).__name__}).",
            where=where,
            next_step="The mail was not sent; the next run tries again.",
        ) from error


def _refusal(code: int, what: str, next_step: str, where: dict[str, object]) -> PantauError:
    if 400 <= code < 500:
        return TransientError(
            f"{what}, for now: {code}.",
            where=where,
            next_step="The next run tries again; nothing is to be done.",
        )
    return PantauError(f"{what}: {code}.", where=where, next_step=next_step)


def _text(answer: bytes | str) -> str:
    return " ".join((answer.decode(errors="replace") if isinstance(answer, bytes) else answer).split())[:200]
