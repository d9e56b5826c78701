"""Email by SMTP; the changes of one incident share a thread."""

import contextlib
import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from alerts.http import Unanswered
from alerts.notice import Notice, Updates
from alerts.plain import body, subject_line
from alerts.receivers.scope import ReceiverSettings
from alerts.receivers.secret import read_secret
from domain.errors import NotifyError


class EmailSettings(ReceiverSettings):
    """A mail server and who gets the mail."""

    host: str = Field(min_length=1, max_length=255, description="Name of the SMTP server.")
    port: int = Field(default=587, ge=1, le=65_535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="`none` only for a server on this machine or network."
    )
    username: str | None = Field(default=None, description="Name to sign in with, if any.")
    password: SecretStr | None = Field(
        default=None, description="Only from the environment: ANALYST_ALERTS__EMAIL__PASSWORD."
    )
    password_env: str | None = Field(default=None, description="Another variable that holds the password.")
    password_file: Path | None = Field(default=None, description="A file that holds the password.")
    sender: str = Field(description="Address in From.")
    recipients: tuple[str, ...] = Field(min_length=1, max_length=100, description="Addresses in To.")

    @field_validator("sender", "recipients")
    @classmethod
    def _addresses_are_plain(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for one in (value,) if isinstance(value, str) else value:
            if "@" not in one or any(mark in one for mark in " \r\n,;<>"):
                raise ValueError("addresses must look like desk@example.com")
        return value


class Email:
    """One mail per notice."""

    name = "email"
    updates: Updates = "important"
    pace_s = 1.0

    def __init__(self, settings: EmailSettings, timeout_s: float) -> None:
        self._settings = settings
        self._password = read_secret(
            "alerts.email.password",
            value=settings.password,
            file=settings.password_file,
            env=settings.password_env,
        )
        self._timeout_s = timeout_s

    def notify(self, notice: Notice) -> str | None:
        """Send one mail; a lost answer to its last line may double it, which the next one then says."""
        with _outcomes(), self._session() as session:
            refused = session.send_message(self._mail(notice))
        if len(refused) == len(self._settings.recipients):
            raise NotifyError(self.name, "the server refused every recipient", permanent=True)
        return None

    def check(self) -> str:
        """Sign in and say goodbye."""
        with _outcomes(), self._session() as session:
            session.noop()
        return f"the server {self._settings.host} takes mail"

    def close(self) -> None:
        """Nothing is kept open between mails."""

    @contextlib.contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        host, port = self._settings.host, self._settings.port
        tls = ssl.create_default_context()
        session: smtplib.SMTP
        if self._settings.security == "tls":
            session = smtplib.SMTP_SSL(host, port, timeout=self._timeout_s, context=tls)
        else:
            session = smtplib.SMTP(host, port, timeout=self._timeout_s)
        try:
            if self._settings.security == "starttls":
                session.starttls(context=tls)
            if self._settings.username and self._password:
                session.login(self._settings.username, self._password.get_secret_value())
            yield session
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                session.quit()

    def _mail(self, notice: Notice) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.recipients)
        mail["Subject"] = subject_line(notice)
        mail["Date"] = format_datetime(notice.now)
        domain = self._settings.sender.rpartition("@")[2]
        thread = f"<{_digest(notice.key)}@{domain}>"
        text = body(notice, marked=notice.uncertain)
        mail["Message-ID"] = f"<{_digest(notice.key + text)}@{domain}>"
        mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        return mail


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextlib.contextmanager
def _outcomes() -> Iterator[None]:
    """Say of each way in which SMTP fails whether trying again can help; answers may hold what was sent."""
    name = Email.name
    try:
        yield
    except smtplib.SMTPAuthenticationError:
        raise NotifyError(
            name, "the server does not accept the user name and password", permanent=True
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise NotifyError(
            name, "the server lacks STARTTLS or sign-in; see `security`", permanent=True
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        raise NotifyError(name, "the server refused every recipient", permanent=min(codes) >= 500) from None
    except smtplib.SMTPResponseException as error:
        raise NotifyError(name, f"SMTP {error.smtp_code}", permanent=error.smtp_code >= 550) from None
    except ssl.SSLCertVerificationError:
        raise NotifyError(name, "the server's certificate cannot be verified", permanent=True) from None
    except ConnectionRefusedError:
        raise NotifyError(name, "the server cannot be reached") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unanswered(name, f"no answer ({type(error).__name__})") from None
