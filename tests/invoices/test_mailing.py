"""An invoice is e-mailed once: the row before it leaves, refusals in words, and what a dead sender left behind."""

import email
import logging
import smtplib
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client as Browser
from kombu.exceptions import OperationalError

from invoices import mailing, paper, services, tasks
from invoices.models import Company, Event, Invoice, InvoiceMail
from invoices.services import Letter, Refused

pytestmark = pytest.mark.django_db
PASSWORD = "keep-this-to-yourself"


@pytest.fixture(autouse=True)
def mail_is_set_up(settings: Any) -> None:
    settings.MAIL_IS_SET_UP, settings.DEFAULT_FROM_EMAIL = True, "Reflow <billing@quayside.example>"
    Company.objects.create(pk=1, name="Quayside Property Care Ltd", payment_details="Account 12345678")


def letter(**changes: Any) -> Letter:
    given = {"key": uuid4(), "to": "accounts@bramley.example", "copy_to": "", "subject": "Invoice", "body": "Hello."}
    return Letter(**{**given, **changes})


@pytest.fixture
def mail(approved: Invoice, staff: User, now: datetime) -> InvoiceMail:
    return ask(approved, staff, now)


def ask(invoice: Invoice, actor: User, now: datetime, **changes: Any) -> InvoiceMail:
    return services.mail_invoice(invoice_id=invoice.pk, letter=letter(**changes), actor=actor, now=now)


def work(mail: InvoiceMail) -> InvoiceMail:
    """A worker's turn, when it is due."""
    InvoiceMail.objects.filter(pk=mail.pk, state="WAITING").update(due_at=mail.requested_at)
    mailing.work(mail.pk)
    mail.refresh_from_db()
    return mail


def history(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(invoice=invoice).order_by("pk").values_list("text", flat=True))


# What goes out --------------------------------------------------------------------------------------------------
def test_it_goes_out_once_with_the_invoice_as_it_is_then(approved: Invoice, staff: User, now: datetime) -> None:
    staff.email = "sam@quayside.example"
    staff.save()
    mail = ask(approved, staff, now, to="a@b.example, c@d.example", copy_to=staff.email, subject="Invoice INV-00001")
    assert (mail.state, len(outbox.outbox)) == ("WAITING", 0)
    for _ in range(2):
        work(mail)
    (sent,) = outbox.outbox
    assert (sent.subject, sent.body) == ("Invoice INV-00001", "Hello.")
    assert (sent.to, sent.bcc, sent.reply_to) == (["a@b.example", "c@d.example"], [staff.email], [staff.email])
    assert sent.from_email == "Quayside Property Care Ltd <billing@quayside.example>"
    assert sent.extra_headers == {"Message-ID": f"<{mail.key}@quayside.example>"}
    ((name, content, kind),) = sent.attachments
    assert (name, kind) == ("Invoice INV-00001 - Quayside Property Care Ltd.pdf", "application/pdf")
    assert content == paper.pdf(approved, None)
    assert (mail.state, mail.tries, mail.trouble) == ("SENT", 1, "") and mail.ended_at and mail.handed_at
    assert history(approved)[-1] == "E-mailed to a@b.example, c@d.example."
    assert Event.objects.latest("pk").actor == staff


def test_the_row_is_committed_before_anybody_is_told_and_a_broker_that_is_away_does_no_harm(
    approved: Invoice,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    told: list[int] = []
    monkeypatch.setattr(tasks.send_mail, "delay", lambda **sent: told.append(sent["mail_id"]))
    with django_capture_on_commit_callbacks(execute=True):
        mail = ask(approved, staff, now)
        assert told == []
    assert told == [mail.pk]

    def away(**_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.send_mail, "delay", away)
    tasks.hint_mail(mail.pk)
    assert mailing.sweep(now=now) == [mail.pk]
    tasks.sweep_mails()
    tasks.send_mail(mail_id=mail.pk)
    assert len(outbox.outbox) == 1 and mailing.sweep(now=now) == []


def test_a_second_click_is_the_same_e_mail(approved: Invoice, staff: User, now: datetime) -> None:
    key = uuid4()
    first, second = (ask(approved, staff, now, key=key) for _ in range(2))
    assert first == second
    assert work(first).state == "SENT" and len(outbox.outbox) == 1


def test_a_company_of_any_name_can_be_the_sender(mail: InvoiceMail) -> None:
    Company.objects.update(name="Łukasz, “Söhne”\r\nBcc: x@y.example")
    work(mail)
    line = outbox.outbox[0].message()["From"]
    assert "\n" not in str(line) and str(line).endswith("<billing@quayside.example>")
    assert outbox.outbox[0].recipients() == ["accounts@bramley.example"]


@pytest.mark.parametrize(("status", "why"), [("DRAFT", "Approve it first"), ("VOID", "It is void")])
def test_drafts_and_void_invoices_are_not_e_mailed_not_even_when_they_became_so_meanwhile(
    mail: InvoiceMail, staff: User, now: datetime, status: str, why: str
) -> None:
    changes: dict[str, Any] = {"frozen": None, "approved_at": None} if status == "DRAFT" else {}
    Invoice.objects.update(status=status, **changes)
    with pytest.raises(Refused, match=why):
        ask(mail.invoice, staff, now)
    work(mail)
    assert mail.state == "FAILED" and why in mail.trouble and outbox.outbox == []
    assert history(mail.invoice)[-1] == "Not e-mailed to accounts@bramley.example."


# What a dead sender leaves ---------------------------------------------------------------------------------------
class Killed(BaseException):
    """As `kill -9` ends a process, at one place."""


def die(*_: object, **__: object) -> None:
    raise Killed


def killed_at(step: str, mail: InvoiceMail, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(step, die)
        with pytest.raises(Killed):
            mailing.work(mail.pk)


def when_lost(mail: InvoiceMail) -> datetime:
    mail.refresh_from_db()
    assert mail.lease_until
    return mail.lease_until + timedelta(seconds=1)


@pytest.mark.parametrize("step", ["invoices.mailing._compose", "invoices.mailing.get_connection"])
def test_a_sender_that_died_before_handing_over_is_followed_by_another(
    mail: InvoiceMail, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    killed_at(step, mail, monkeypatch)
    mailing.work(mail.pk)  # the message comes again, while the first is still thought alive
    assert outbox.outbox == []
    mailing.sweep(now=when_lost(mail))
    mail.refresh_from_db()
    assert (mail.state, mail.trouble[:53]) == ("WAITING", "Sending was interrupted before anything left. Next tr")
    assert work(mail).state == "SENT" and len(outbox.outbox) == 1


@pytest.mark.parametrize("step", ["invoices.mailing._hand_over", "invoices.mailing._taken"])
def test_what_may_have_gone_out_is_never_sent_again_by_itself(
    mail: InvoiceMail, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    killed_at(step, mail, monkeypatch)
    gone_out = len(outbox.outbox)
    mailing.sweep(now=when_lost(mail))
    for _ in range(2):
        work(mail)
        assert mailing.sweep(now=now + timedelta(days=1)) == []
    assert mail.state == "UNKNOWN" and mail.trouble == mailing.MAY_HAVE_LEFT
    assert len(outbox.outbox) == gone_out
    assert history(mail.invoice)[-1] == "The e-mail to accounts@bramley.example may have gone out."
    assert work(ask(mail.invoice, staff, now)).state == "SENT", "a person may send it again"


def test_a_sender_that_was_taken_for_dead_may_still_say_that_it_went(
    mail: InvoiceMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(EmailBackend):
        def send_messages(self, messages: Any) -> int:
            mailing.sweep(now=when_lost(mail))
            return super().send_messages(messages)

    monkeypatch.setattr(mailing, "get_connection", Slow)
    assert work(mail).state == "SENT"


def test_a_sender_that_slept_past_its_lease_hands_nothing_over(
    mail: InvoiceMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asleep(EmailBackend):
        def open(self) -> None:
            mailing.sweep(now=when_lost(mail))

    monkeypatch.setattr(mailing, "get_connection", Asleep)
    assert work(mail).state == "WAITING" and outbox.outbox == []


def test_it_is_given_up_after_six_tries(mail: InvoiceMail, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(EmailBackend):
        def open(self) -> None:
            raise ConnectionRefusedError

    monkeypatch.setattr(mailing, "get_connection", Away)
    states = [work(mail).state for _ in range(7)]
    assert states == ["WAITING"] * 5 + ["FAILED"] * 2
    assert mail.trouble == f"{mailing.AWAY} Reflow tried 6 times. Send it again once that is mended."


# A real conversation ---------------------------------------------------------------------------------------------
class Server(socketserver.ThreadingTCPServer):
    """A mail server on 127.0.0.1 that answers as it is told to, and keeps what it took."""

    allow_reuse_address = daemon_threads = True
    answers: dict[str, str]
    taken: list[tuple[list[str], EmailMessage]]


class Conversation(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        recipients: list[str] = []
        self.say("220 ready")
        for said in self.rfile:
            line = said.decode().strip()
            verb = line.split()[0].upper()
            scripted = next(
                (text for begins, text in self.server.answers.items() if line.upper().startswith(begins.upper())), ""
            )
            if scripted == "hang up":
                return
            if verb == "RCPT" and not scripted:
                recipients.append(line.partition("<")[2].rstrip(">"))
            if verb == "EHLO":
                self.say("250-here\r\n250 AUTH PLAIN")
            elif verb == "DATA" and not scripted:
                self.say("354 go on")
                scripted = self.take(recipients)
                if scripted == "hang up":
                    return
                self.say(scripted)
            else:
                self.say(scripted or ("235 yes" if verb == "AUTH" else "250 fine"))

    def take(self, recipients: list[str]) -> str:
        lines = iter(self.rfile.readline, b".\r\n")
        whole = b"".join(line.removeprefix(b".") for line in lines)
        message = email.message_from_bytes(whole, policy=default)
        assert isinstance(message, EmailMessage)
        self.server.taken.append((recipients, message))
        return self.server.answers.get(".", "250 taken")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Conversation) as server:
        server.answers, server.taken = {}, []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address[:2]
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "billing", PASSWORD
        yield server
        server.shutdown()


def test_a_mail_server_gets_the_whole_e_mail(
    server: Server, approved: Invoice, staff: User, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    mail = ask(approved, staff, now, to="accounts@bramley.example, buero@x.example", body="£9\n.\n")
    with caplog.at_level(logging.DEBUG):
        assert work(mail).state == "SENT"
    ((recipients, message),) = server.taken
    assert recipients == ["accounts@bramley.example", "buero@x.example"]
    assert message["Message-ID"] == f"<{mail.key}@quayside.example>"
    text = message.get_body()
    assert text is not None and text.get_content().replace("\r", "") == "£9\n.\n"
    (attached,) = message.iter_attachments()
    assert attached.get_content() == paper.pdf(approved, None)
    assert PASSWORD not in caplog.text


BOTH = "accounts@bramley.example, gone@bramley.example"
REFUSALS = [
    # what the server says to what, the state it leads to, and what a person reads
    (
        {"RCPT TO:<gone": "550 No such user"},
        "SENT",
        "refused gone@bramley.example: “No such user”. Correct the address",
    ),
    ({"RCPT": "550 No such user"}, "FAILED", "Correct the address, then send it again."),
    ({"RCPT": "450 Try later"}, "WAITING", "“Try later”"),
    ({"AUTH": "535 Wrong password"}, "FAILED", "corrects EMAIL_URL"),
    ({"MAIL": "553 Not yours"}, "FAILED", "does not let Reflow send as billing@quayside.example: “Not yours”"),
    ({"DATA": "554 Looks like spam"}, "FAILED", "refused the e-mail: “Looks like spam”"),
    ({".": "552 Too large"}, "FAILED", "refused the e-mail: “Too large”"),
    ({".": "451 Full for now"}, "WAITING", "Next try at"),
    ({"ehlo": "hang up"}, "WAITING", "can't be reached"),
    ({".": "hang up"}, "UNKNOWN", "may have gone out"),
]


@pytest.mark.parametrize(("answers", "state", "words"), REFUSALS, ids=[str(row[0]) for row in REFUSALS])
def test_what_a_mail_server_refuses_is_said_with_what_to_do(
    server: Server, approved: Invoice, staff: User, now: datetime, answers: dict[str, str], state: str, words: str
) -> None:
    server.answers = answers
    mail = work(ask(approved, staff, now, to=BOTH))
    assert mail.state == state
    assert words in mail.trouble


def test_when_only_ones_own_copy_went_out_the_client_has_not_got_it(
    server: Server, approved: Invoice, staff: User, now: datetime
) -> None:
    server.answers = {"RCPT TO:<accounts": "550 No such user"}
    mail = work(ask(approved, staff, now, copy_to="sam@quayside.example"))
    assert (mail.state, len(server.taken)) == ("FAILED", 1)
    assert mail.trouble.endswith("Only your own copy went out.")


def test_every_way_to_be_refused_has_its_words() -> None:
    code, said = mailing._meaning(smtplib.SMTPNotSupportedError("SMTPUTF8"))
    assert code == 500 and "SMTPUTF8" in said
    assert mailing._meaning(smtplib.SMTPServerDisconnected("gone")) == (None, mailing.AWAY)


# The page --------------------------------------------------------------------------------------------------------
Typed = dict[str, Any]


def typed(**changes: Any) -> Typed:
    given = {"key": uuid4(), "to": "accounts@bramley.example", "subject": "Invoice", "message": "Hello."}
    return {**given, **changes}


def test_the_page_is_filled_in_and_what_was_changed_is_what_goes(desk: Browser, approved: Invoice, staff: User) -> None:
    User.objects.filter(pk=staff.pk).update(email="sam@quayside.example", last_name="Fenwick")
    page = desk.get(f"/invoices/{approved.pk}/mail/").text
    assert 'value="accounts@bramley.example"' in page
    assert 'value="Invoice INV-00001 from Quayside Property Care Ltd"' in page
    assert "Please find attached our invoice INV-00001 of 2 November 2026 for £204.00. It is due on 2 Dec" in page
    assert "How to pay:\nAccount 12345678\n\nKind regards\nSam Fenwick\nQuayside Property Care Ltd</textarea>" in page
    changed = typed(to="a@b.example;  c@d.example, a@b.example ,", subject="Two\nlines", copy_to_me="on")
    answer = desk.post(f"/invoices/{approved.pk}/mail/", changed)
    assert answer.headers["Location"] == f"/invoices/{approved.pk}/"
    mail = approved.mails.get()
    assert (mail.to, mail.copy_to, mail.subject) == ("a@b.example, c@d.example", "sam@quayside.example", "Two lines")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"to": ""}, "This field is required."),
        ({"to": " , "}, "Give at least one e-mail address."),
        ({"to": "accounts@bramley"}, "“accounts@bramley” is not an e-mail address. Write it as name@example.com."),
        ({"to": "a@b.example\nBcc: x@y.example"}, "is not an e-mail address"),
        ({"to": ",".join(f"a{n}@b.example" for n in range(11))}, "These are 11 addresses; 10 is the most."),
        ({"subject": "x" * 201}, "at most 200 characters"),
        ({"message": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_put_on_record(
    desk: Browser, approved: Invoice, wrong: Typed, said: str
) -> None:
    answer = desk.post(f"/invoices/{approved.pk}/mail/", typed(**wrong))
    assert answer.status_code == 422 and said in answer.text
    assert not InvoiceMail.objects.exists()


def test_where_mail_is_not_set_up_the_page_says_so_and_offers_the_pdf(
    desk: Browser, approved: Invoice, settings: Any
) -> None:
    settings.MAIL_IS_SET_UP = False
    page = desk.get(f"/invoices/{approved.pk}/mail/").text
    assert "Ask an admin: e-mail is not set up" in page and "EMAIL_URL" not in page
    assert approved.client.email in page and f'href="/invoices/{approved.pk}/pdf/"' in page
    assert "Send e-mail" not in page
    answer = desk.post(f"/invoices/{approved.pk}/mail/", typed())
    assert answer.status_code == 422 and not InvoiceMail.objects.exists()


def test_a_draft_says_why_it_is_not_e_mailed(desk: Browser, invoice: Invoice) -> None:
    assert "Approve it first." in desk.get(f"/invoices/{invoice.pk}/mail/").text


def test_an_e_mail_that_failed_is_written_again_from_itself(
    desk: Browser, approved: Invoice, staff: User, now: datetime
) -> None:
    mail = ask(approved, staff, now, to="a@b.example", subject="As I wrote", body="My own words.")
    page = desk.get(f"/invoices/{approved.pk}/mail/?again={mail.pk}").text
    assert 'value="a@b.example"' in page and 'value="As I wrote"' in page and "My own words.</textarea>" in page
    assert "Please find attached" in desk.get(f"/invoices/{approved.pk}/mail/?again=99999999999999999999").text


def test_the_invoice_page_tells_how_far_it_is_and_stops_asking_when_it_is_there(
    desk: Browser, mail: InvoiceMail
) -> None:
    page, asked = f"/invoices/{mail.invoice_id}/", f"/invoices/{mail.invoice_id}/mails/?seen="
    assert "E-mail waiting" in desk.get(page).text and f'hx-get="{asked}WAITING"' in desk.get(page).text
    assert desk.get(asked + "WAITING").status_code == 204
    work(mail)
    fragment = desk.get(asked + "WAITING").text
    assert "E-mailed" in fragment and "hx-get" not in fragment
    assert 'id="history" hx-swap-oob="true"' in fragment and "E-mailed to accounts@bramley.example." in fragment
    assert desk.get(asked + "SENT").status_code == 204
    InvoiceMail.objects.update(state="UNKNOWN", trouble=mailing.MAY_HAVE_LEFT)
    shown = desk.get(page).text
    assert "It may have gone out" in shown and f"/mail/?again={mail.pk}" in shown


NewPush = Callable[..., Any]


def test_after_it_is_sent_to_sage_e_mailing_is_the_one_thing_to_do(
    desk: Browser, new_push: NewPush, staff: User, now: datetime, settings: Any
) -> None:
    invoice = new_push("SENT").invoice
    page = desk.get(f"/invoices/{invoice.pk}/").text
    assert page.count("btn-primary") == 2 and f'class="btn btn-primary" href="/invoices/{invoice.pk}/mail/"' in page
    settings.MAIL_IS_SET_UP = False
    assert desk.get(f"/invoices/{invoice.pk}/").text.count("btn-primary") == 1, "that of the dialog, hidden"
    settings.MAIL_IS_SET_UP = True
    work(ask(invoice, staff, now))
    page = desk.get(f"/invoices/{invoice.pk}/").text
    assert page.count("btn-primary") == 1 and f'<a href="/invoices/{invoice.pk}/mail/"' in page


def test_the_invoice_page_asks_the_database_no_more_however_much_happened(
    desk: Browser, new_push: NewPush, staff: User, now: datetime, django_assert_max_num_queries: Any
) -> None:
    invoice = new_push("SENT").invoice
    for _ in range(20):
        work(ask(invoice, staff, now))
    with django_assert_max_num_queries(25):
        desk.get(f"/invoices/{invoice.pk}/")
    with django_assert_max_num_queries(8):
        desk.get(f"/invoices/{invoice.pk}/mails/?seen=SENT")
