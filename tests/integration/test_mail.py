"""Mails against a real SMTP server: TLS, login, refusals; what no text may do to a header."""

import json
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pantau import mail
from pantau.errors import PantauError, TransientError
from tests.integration.postbox import PASSWORD, SENDER, USER, certificate, postbox

OWNER = "owner@ministry.example"
pytestmark = pytest.mark.filterwarnings(
    "ignore:Requiring AUTH"
)  # over TLS from the first byte, which it does not see
Certificate = tuple[ssl.SSLContext, Path]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate and the file by which it is trusted."""
    return certificate(tmp_path_factory.mktemp("certificate"))


def send(
    uri: str, subject: str = "Terlambat: é", text: str = "Yth. Ibu,\n\n.\nselesai\n", to: str = OWNER
) -> None:
    """One mail."""
    with mail.server(uri) as send:
        send(to, subject, text)


def test_a_plain_mail_arrives_whole() -> None:
    with postbox() as box:
        send(box.uri())
        with mail.server(box.uri()) as again:
            again(OWNER, "x", "y\n", reply_to="engineer@pantau.example")
    first, second = box.to(OWNER)
    assert first["Subject"] == "Terlambat: é"
    assert (
        first.get_content().replace("\r\n", "\n") == "Yth. Ibu,\n\n.\nselesai\n"
    )  # a line with a dot alone ends no mail
    assert (first["From"].addresses[0].addr_spec, first["To"]) == (SENDER, OWNER)
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"]
    assert str(first["Message-ID"]).endswith("@pantau.example>")
    assert (first["Reply-To"], second["Reply-To"]) == (None, "engineer@pantau.example")


@pytest.mark.parametrize("starttls", [True, False])
def test_tls_and_login(starttls: bool, signed: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(signed[1]))
    extra = {"disable_ssl": "true"} if starttls else {"from_email": SENDER}
    with postbox(signed[0], starttls=starttls, login=True) as box:
        send(box.uri(user=USER, password=PASSWORD, **extra))
        assert box.logins == [(USER, PASSWORD)]
        assert len(box.to(OWNER)) == 1
        with pytest.raises(PantauError, match="refuses the user or password") as wrong:
            send(box.uri(user=USER, password="guessed-it", **extra))
        assert not isinstance(wrong.value, TransientError)
        assert "guessed-it" not in str(wrong.value)
        with pytest.raises(PantauError, match="refuses"):  # without a login
            send(box.uri(**extra))
    assert len(box.mails) == 1


def test_a_certificate_that_nobody_signed_is_refused(signed: Certificate) -> None:
    with postbox(signed[0], starttls=True) as box:
        with pytest.raises(PantauError, match="certificate does not hold"):
            send(box.uri(disable_ssl="true"))
        assert box.mails == []


def test_a_password_never_goes_in_clear_text(signed: Certificate) -> None:
    with postbox(login=True) as box:
        with pytest.raises(PantauError, match="clear text"):
            send(box.uri(user=USER, password=PASSWORD))
        with pytest.raises(PantauError, match="cannot do"):  # a server without STARTTLS
            send(box.uri(user=USER, password=PASSWORD, disable_ssl="true"))
        assert (box.logins, box.mails) == ([], [])


@pytest.mark.parametrize(("answer", "transient"), [("450 greylisted", True), ("550 no such user", False)])
def test_a_refusal_for_now_is_told_from_one_for_good(answer: str, transient: bool) -> None:
    with postbox() as box:
        box.refuses[OWNER] = answer
        with pytest.raises(PantauError, match=answer[4:]) as refused:
            send(box.uri())
        assert isinstance(refused.value, TransientError) is transient
        assert OWNER in str(refused.value)


def test_a_server_that_is_down_may_come_back() -> None:
    with postbox() as box:
        uri = box.uri()
    with pytest.raises(TransientError, match="cannot be reached"):
        send(uri)


def test_extras_as_airflow_writes_them_when_they_are_not_all_text() -> None:
    with postbox() as box:
        extra = {"from_email": SENDER, "disable_ssl": True, "disable_tls": True, "timeout": 3}
        send(f"smtp://127.0.0.1:{box.port}/?__extra__={quote(json.dumps(extra))}")
        assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("", "names no mail server"),
        ("smtp://host:port/", "no address"),
        ("smtp://mail.example:25/?disable_ssl=true", "from which address"),
        ("smtp://mail.example:25/?from_email=a%40b.c%0ABcc:d%40e.f", "from which address"),
        ("smtp://u:hunter-two@mail.example/?from_email=a@b.id&disable_ssl=1&disable_tls=1", "clear text"),
    ],
)
def test_a_connection_that_does_not_hold_says_what_to_set(uri: str, told: str) -> None:
    with pytest.raises(PantauError, match=told) as caught:
        send(uri)
    assert "pantau_smtp" in str(caught.value)
    assert "hunter-two" not in str(caught.value)


def test_no_subject_adds_a_header_and_no_text_ends_a_mail() -> None:
    hostile = "Late\r\nBcc: thief@evil.example\r\n\r\nbody\x00\x1b[31m\u2028x"
    with postbox() as box:
        send(box.uri(), subject=hostile, text=f"{hostile}\r\n.\r\nQUIT\r\nMAIL FROM:<a@b.c>\r\n")
    assert [to for to, _ in box.mails] == [OWNER]
    arrived = box.mails[0][1]
    assert arrived["Bcc"] is None
    assert arrived["Subject"] == "Late Bcc: thief@evil.example body [31m x"
    assert "MAIL FROM:<a@b.c>" in arrived.get_content()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b",
        "a@b\nBcc: c@d",
        "a@b\r\n",
        "A <a@b.id>",
        "a@b.id, c@d.id",
        "a@b.id;c@d.id",
        "a b@c.id",
        "a@b.id\x00",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert not mail.is_address(text)


@given(st.text(max_size=20).map(lambda text: f"a{text}@b.id"))
def test_an_address_stays_on_its_line(text: str) -> None:
    if mail.is_address(text):
        built = mail._message(SENDER, text, "x", "y", text)
        assert built["To"].addresses[0].addr_spec == text
        assert len(built["To"].addresses) == 1
        assert built.as_bytes().split(b"\r\n\r\n")[0].count(b"\r\nTo: ") == 1
