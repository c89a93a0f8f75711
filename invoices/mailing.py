"""What a worker does with an e-mail: takes it in hand, hands it to the mail server, and records what came of it.

Until `handed_at` is written nothing can have left, and a dead sender's e-mail is simply due again. After that it may
have left, and only the server's own refusal says that it did not: whatever else ends the conversation leaves the e-mail
UNKNOWN, for a person to look at. Knows no Celery.
"""

import logging
import smtplib
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.timezone import localtime

from connectors.services import live_connection
from invoices import paper, remindable, statements
from invoices.drafts import Refused
from invoices.models import Company, Event, Invoice, InvoiceMail
from invoices.standing import shown_number

log = logging.getLogger(__name__)

State = InvoiceMail.State
LEASE = timedelta(minutes=3) / settings.CLOCK_DIVISOR  # over all waits for the mail server, which are 10 s each
AGAIN = [timedelta(minutes=n) / settings.CLOCK_DIVISOR for n in (1, 5, 15, 60, 240)]  # then it is given up
SWEEP = 50
FOR_NOW = 500  # from here on a mail server's refusal is for good
Answers = dict[str, tuple[int, bytes]]  # what it said to each address that it refused

NOT_SET_UP = (
    "E-mail is not set up on this installation: whoever runs it sets EMAIL_URL. Until then, open the PDF and send it "
    "from your own mail program."
)
AWAY = "The mail server can't be reached, or broke off before it took the e-mail."
DIED = "Sending was interrupted before anything left."
MAY_HAVE_LEFT = (
    "The line to the mail server broke while it took the e-mail, so it may have gone out. Reflow does not send it "
    "again by itself: ask the client whether it came, and send it again if it did not."
)
SIGN_IN = (
    "The mail server does not accept Reflow's user name and password. Whoever runs this installation corrects "
    "EMAIL_URL; then send it again."
)


FORGOTTEN = (
    "This database was restored from a backup, and the e-mail may have gone out before that. Reflow does not send it "
    "again by itself: ask the client whether it came, and send it again if it did not."
)


def doubt_all(*, now: datetime) -> None:
    """In a restored copy nobody knows whether what waited there has gone out since: each is for a person."""
    waiting = InvoiceMail.objects.filter(state__in=[State.WAITING, State.SENDING])
    waiting.update(
        state=State.UNKNOWN, lease_until=None, handed_at=now, ended_at=now, trouble=FORGOTTEN, tries=F("tries") + 1
    )


def why_not(invoice: Invoice) -> str:
    """What keeps this invoice from being e-mailed, in words; empty where nothing does."""
    if invoice.status == Invoice.Status.DRAFT:
        return "A draft can't be e-mailed, as it may still change. Approve it first."
    if invoice.status == Invoice.Status.VOID:
        return "It is void, so there is nothing to ask the client for. Its PDF says so, and can still be opened."
    return ""


def work(mail_id: int) -> None:
    """Sends one e-mail if it is due; where a person has to do something, the row says what."""
    mail = _claim(mail_id, timezone.now())
    if mail is None:
        return
    try:
        message = _compose(mail)
    except (Refused, ValueError) as why:  # Django raises ValueError where a header can't be written
        _end(mail, State.FAILED, str(why))
        return
    try:
        refused = _converse(mail, message)
    except (OSError, smtplib.SMTPException) as error:
        _not_taken(mail, error)
    else:
        _taken(mail, refused)


def _claim(mail_id: int, now: datetime) -> InvoiceMail | None:
    """Takes it under a lease; its tries are the fence."""
    with transaction.atomic():
        due = InvoiceMail.objects.filter(pk=mail_id, state=State.WAITING, due_at__lte=now)
        rows = due.select_related("invoice__client", "invoice__site", "invoice__credits", "client", "requested_by")
        mail = rows.select_for_update(skip_locked=True, of=("self",)).first()
        if mail:
            mail.state, mail.tries, mail.lease_until = State.SENDING, mail.tries + 1, now + LEASE
            mail.save()
        return mail


def _compose(mail: InvoiceMail) -> EmailMessage:
    """The e-mail with what it is about as that stands at this moment."""
    name, attached = _attached(mail)
    asked = mail.requested_by
    answers_to = asked.email if asked else mail.copy_to
    address = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    message = EmailMessage(
        subject=mail.subject,
        body=mail.body,
        from_email=formataddr((" ".join(Company.ours().name.split()), address)),
        to=mail.to.split(", "),
        bcc=[mail.copy_to] if mail.copy_to else [],
        reply_to=[answers_to] if answers_to else None,
        headers={"Message-ID": f"<{mail.key}@{address.rpartition('@')[2]}>"},  # the same however often it is tried
    )
    message.attach(name, attached, "application/pdf")
    message.message()  # raises here, before anything leaves
    return message


def _attached(mail: InvoiceMail) -> tuple[str, bytes]:
    """The invoice, or the client's statement. Raises Refused where it is not to go any more."""
    connection, client, today = live_connection(), mail.client, timezone.localdate()
    if mail.invoice:
        if why := why_not(mail.invoice):
            raise Refused(why)
        name = paper.file_name(mail.invoice, shown_number(mail.invoice, connection))
        return name, paper.pdf(mail.invoice, connection)
    assert client  # noqa: S101  # a constraint says so
    if mail.kind == InvoiceMail.Kind.REMINDER and (
        why := remindable.changed_meanwhile(_reminded(mail), mail.requested_at)
    ):
        raise Refused(why)
    asked = statements.Asked(until=mail.until or today, since=mail.since)
    return statements.file_name(client, asked), statements.pdf(client, asked, connection, today=today)


def _reminded(mail: InvoiceMail) -> list[int]:
    return list(mail.reminders.values_list("invoice", flat=True))


def _converse(mail: InvoiceMail, message: EmailMessage) -> Answers:
    """With no transaction open: signs in, puts on record that it is handed over, and hands it over."""
    server = get_connection()
    server.open()
    try:
        handed_at = timezone.now()
        ours = InvoiceMail.objects.filter(pk=mail.pk, tries=mail.tries, state=State.SENDING, lease_until__gt=handed_at)
        if not ours.update(handed_at=handed_at):
            raise TimeoutError("The lease is over.")
        mail.handed_at = handed_at
        return _hand_over(server, message)
    finally:
        server.close()


def _hand_over(server: BaseEmailBackend, message: EmailMessage) -> Answers:
    """Django keeps to itself which of several addresses were refused, so smtplib is asked directly where it is used."""
    line = getattr(server, "connection", None)
    if not isinstance(line, smtplib.SMTP):
        server.send_messages([message])
        return {}
    sender = sanitize_address(parseaddr(message.from_email)[1], "utf-8")
    to = [sanitize_address(one, "utf-8") for one in message.recipients()]
    return line.sendmail(sender, to, message.message().as_bytes(linesep="\r\n"))  # type: ignore[call-arg]  # Django's own


def _taken(mail: InvoiceMail, refused: Answers) -> None:
    """The server has it for some at least; a client that is not among them has not got it."""
    words = _refusals(refused)
    if refused.keys() >= {sanitize_address(one, "utf-8") for one in mail.to.split(", ")}:
        _end(mail, State.FAILED, f"{words} Only your own copy went out.")
    else:
        _end(mail, State.SENT, f"{words} The others have it." if refused else "")


def _refusals(refused: Answers) -> str:
    said = (f"{address}: “{_words(answer[1])}”" for address, answer in refused.items())
    return f"The mail server refused {'; '.join(said)}. Correct the address, then send it again."


def _words(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return " ".join(text.split())[:200]


def _not_taken(mail: InvoiceMail, error: Exception) -> None:
    code, words = _meaning(error)
    log.warning("Mail %s was not taken: %s %s", mail.pk, type(error).__name__, code or "")
    if code is None and mail.handed_at:
        _end(mail, State.UNKNOWN, MAY_HAVE_LEFT)
    elif code is None or code < FOR_NOW:
        _later(mail, words)
    else:
        _end(mail, State.FAILED, words)


def _meaning(error: Exception) -> tuple[int | None, str]:
    """The code with which the server refused, if it did, and what is to be done about it."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values()), _refusals(error.recipients)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return error.smtp_code, SIGN_IN
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return FOR_NOW, f"The mail server can't do what it was asked: {_words(str(error))}. Check the addresses."
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code, (
            f"The mail server does not let Reflow send as {parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}: "
            f"“{_words(error.smtp_error)}”. Whoever runs this installation corrects DEFAULT_FROM_EMAIL."
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, f"The mail server refused the e-mail: “{_words(error.smtp_error)}”."
    return None, AWAY


def _later(mail: InvoiceMail, words: str) -> None:
    """It is certain that nothing left: waiting for the next try, until there were enough."""
    if mail.tries > len(AGAIN):
        _end(mail, State.FAILED, f"{words} Reflow tried {mail.tries} times. Send it again once that is mended.")
        return
    due_at = timezone.now() + AGAIN[mail.tries - 1]
    _ours(mail).filter(state=State.SENDING).update(
        state=State.WAITING,
        due_at=due_at,
        lease_until=None,
        handed_at=None,
        trouble=f"{words} Next try at {localtime(due_at):%H:%M}."[:500],
    )


def _end(mail: InvoiceMail, state: InvoiceMail.State, trouble: str) -> None:
    """Settled, and in the invoice's history; only the latest sender's word counts."""
    now = timezone.now()
    with transaction.atomic():
        if _ours(mail).update(state=state, ended_at=now, lease_until=None, trouble=trouble[:500]):
            _tell(mail, state, now)
            if state == State.FAILED and mail.handed_at is None:  # nothing left: each of these may be reminded of again
                mail.reminders.all().delete()


def _tell(mail: InvoiceMail, state: InvoiceMail.State, now: datetime) -> None:
    """Puts it into the history of each invoice that it is about."""
    what = " with a reminder" if mail.kind == InvoiceMail.Kind.REMINDER else ""
    text = {
        State.SENT: f"E-mailed{what} to {mail.to}.",
        State.UNKNOWN: f"The e-mail{what} to {mail.to} may have gone out.",
        State.FAILED: f"Not e-mailed{what} to {mail.to}.",
    }[state]
    about = [mail.invoice_id] if mail.invoice_id else _reminded(mail)
    actor = mail.requested_by
    Event.objects.bulk_create(Event(invoice_id=pk, happened_at=now, actor=actor, text=text[:300]) for pk in about)


def _ours(mail: InvoiceMail) -> "QuerySet[InvoiceMail]":
    """Its row, as long as nobody took it after us; what was taken for lost may still be answered."""
    return InvoiceMail.objects.filter(pk=mail.pk, tries=mail.tries, state__in=[State.SENDING, State.UNKNOWN])


def sweep(*, now: datetime) -> list[int]:
    """Settles what dead senders left, and names what is due."""
    abandoned = InvoiceMail.objects.filter(state=State.SENDING, lease_until__lt=now).select_related("requested_by")
    for mail in abandoned[:SWEEP]:
        if mail.handed_at:
            _end(mail, State.UNKNOWN, MAY_HAVE_LEFT)
        else:
            _later(mail, DIED)
    due = InvoiceMail.objects.filter(state=State.WAITING, due_at__lte=now)
    return list(due.order_by("due_at", "pk").values_list("pk", flat=True)[:SWEEP])
