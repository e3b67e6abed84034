"""What a failed verification says to people, by mail."""

from pantau import mail
from pantau.errors import PantauError
from pantau.settings import settings
from pantau.verify.failure import RUNBOOK


def tell(failures: list[str], connection_uri: str) -> None:
    """Mail the data engineer what does not hold, then fail: the run is to be seen as failed too.

    Args:
        failures: each as a text of its own.
        connection_uri: the SMTP server, as Airflow's connection `pantau_smtp` names it.

    Raises:
        PantauError: always, with what does not hold, once the mail is sent; or that nobody is named to be told.
    """
    told = PantauError(
        f"{len(failures)} thing(s) are not what the ledger vouches for:\n" + "\n".join(failures),
        next_step=f"Nothing is published until they are mended or accepted: {RUNBOOK}.",
    )
    if not settings.engineer_mail:
        raise PantauError(
            f"{told}\nNobody was told by mail.", next_step="Name an address: PANTAU_ENGINEER_MAIL."
        )
    with mail.server(connection_uri) as send:
        send(settings.engineer_mail, f"Pantau: verification fails ({len(failures)})", str(told))
    raise told
