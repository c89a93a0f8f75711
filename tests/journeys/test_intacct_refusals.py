"""Every refusal of Intacct's that a person can meet: made to happen there, told in plain words, mended, and sent."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection
from invoices.models import Client, Invoice, Push
from tests import books
from tests.books import COMPOSITE, Sandbox
from tests.conftest import set_up_intacct
from tests.journeys.intacct import authorise, condition, held, link, send

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]
PLACES = {"location": "LDN", "department": "OPS", "tax_solution": "United Kingdom - VAT"}


@pytest.fixture
def linked(intacct: Connection, client_of_ours: Client, now: datetime) -> Client:
    return link(client_of_ours, intacct, now)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What happens in Intacct and is undone there, what a person reads, and where it is mended by whom."""

    happens: dict[str, Any]
    undone: dict[str, Any]
    words: str
    said: str
    fix: str
    settings: dict[str, str] = field(default_factory=dict)
    by_admin: bool = True


CASES = {
    "a dimension that the account requires": Case(
        happens={"account": {"id": "4000", "requireDimensions": {"department": True}}},
        undone={"account": {"id": "4000", "requireDimensions": {"department": False}}},
        settings={"department": ""},
        words="Choose a default under Sync settings, or one for the property",
        said="missing the Department dimension for the Account 4000",
        fix="SYNC_SETTINGS",
    ),
    "a dimension that Reflow does not know": Case(
        happens={"account": {"id": "4000", "requireDimensions": {"project": True}}},
        undone={"account": {"id": "4000", "requireDimensions": {"project": False}}},
        words="wants more on a line's account than Reflow sends",
        said="missing the Project dimension",
        fix="SALES_ACCOUNT",
    ),
    "an account that nobody may post to": Case(
        happens={"account": {"id": "4000", "disallowDirectPosting": True}},
        undone={"account": {"id": "4000", "disallowDirectPosting": False}},
        words="lets nobody post to a line's account like this",
        said="Account 4000 does not allow direct posting.",
        fix="SALES_ACCOUNT",
    ),
    "an inactive account": Case(
        happens={"account": {"id": "4000", "status": "inactive"}},
        undone={"account": {"id": "4000", "status": "active"}},
        words="does not take the account of a line",
        said="Account 4000 is not valid.",
        fix="SALES_ACCOUNT",
    ),
    "a customer on hold": Case(
        happens={"customer": {"id": "CUST-001", "isOnHold": True}},
        undone={"customer": {"id": "CUST-001", "isOnHold": False}},
        words="Take it off hold there",
        said="is on hold.",
        fix="PLATFORM",
    ),
    "an inactive customer": Case(
        happens={"customer": {"id": "CUST-001", "status": "inactive"}},
        undone={"customer": {"id": "CUST-001", "status": "active"}},
        words="The customer is inactive in Intacct",
        said="It is inactive.",
        fix="CLIENT_LINK",
        by_admin=False,
    ),
    "closed books": Case(
        happens={"open_books_start": {"entity": None, "date": "2026-12-01"}},
        undone={"open_books_start": {"entity": None, "date": "2019-04-01"}},
        words="books are closed for this date",
        said="within a period that's been closed",
        fix="DATE",
        by_admin=False,
    ),
    "closed books of the entity": Case(
        happens={"open_books_start": {"entity": "LDN", "date": "2026-12-01"}},
        undone={"open_books_start": {"entity": "LDN", "date": "2019-04-01"}},
        words="books are closed for this date",
        said="within a period that's been closed",
        fix="DATE",
        by_admin=False,
    ),
    "account labels in place of accounts": Case(
        happens={"use_account_labels": True},
        undone={"use_account_labels": False},
        words="refuses lines that name a GL account. Choose Account labels under Post to",
        said="enable GL account override",
        fix="SYNC_SETTINGS",
    ),
    "a client ID that is not let in": Case(
        happens={"client_authorised": False},
        undone={"client_authorised": True},
        words="an administrator adds Reflow's client ID under Company, Security",
        said="Invalid Request",
        fix="CONNECTION",
    ),
}
LINKS = {
    "SYNC_SETTINGS": "connector-sync",
    "SALES_ACCOUNT": "connector",
    "CONNECTION": "connector",
    "PLATFORM": "connector",
    "TAX_RATES": "connector",
}


def where(fix: str, invoice: Invoice) -> str:
    """The address that the invoice's page offers for it."""
    if fix == "CLIENT_LINK":
        return reverse("client-sage", args=[invoice.client.uuid])
    if fix == "DATE":
        return reverse("invoice-draft", args=[invoice.pk])
    return reverse(LINKS[fix])


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_is_told_with_where_to_mend_it_and_goes_once_it_is_mended(
    name: str,
    linked: Client,
    intacct: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    admin: User,
    client: Browser,
    now: datetime,
) -> None:
    case = CASES[name]
    set_up_intacct(intacct, now=now, **case.settings)
    condition(sandbox, **case.happens)
    push = send(invoice, staff, now)
    assert (push.state, push.cause, held(sandbox)) == (Push.State.ATTENTION, Push.Cause.REJECTED, [])
    assert (push.problems[0]["fix"], len(push.problems)) == (case.fix, 1)
    client.force_login(staff)
    page = client.get(reverse("invoice-detail", args=[invoice.pk])).content.decode().replace("&#x27;", "'")
    assert case.words in page
    assert case.said in page
    assert ("Ask an admin to do this." in page) == case.by_admin
    assert "help@reflow.example" in page
    client.force_login(admin)
    assert f'"{where(case.fix, invoice)}"' in client.get(reverse("invoice-detail", args=[invoice.pk])).text
    condition(sandbox, **case.undone)
    assert send(invoice, staff, now).state == Push.State.SENT
    assert len({attempt.key for attempt in push.attempts.all()}) == 2


@pytest.mark.parametrize("nesting", ["result", "bare", "error"])
@pytest.mark.parametrize("support_ids", ["off", "on"])
def test_wherever_intacct_puts_its_words_they_are_found_and_its_support_id_is_left_out(
    nesting: str,
    support_ids: str,
    linked: Client,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    now: datetime,
) -> None:
    sandbox.switch("error_nesting", nesting)
    sandbox.switch("support_ids", support_ids)
    condition(sandbox, customer={"id": "CUST-001", "isOnHold": True})
    push = send(invoice, staff, now)
    assert push.problems[0]["message"] == "Customer 'CUST-001' is on hold."


@pytest.mark.parametrize(
    ("message", "error_id", "words", "fix"),
    [
        ("The 3rd Party Application is not authorised.", "REST-1216", "let Reflow into this company", "CONNECTION"),
        ("Sign-in information is incorrect for this sender ID.", "XL03000006", "into this company", "CONNECTION"),
        ("Subtotal account labels are not valid for line items.", "AR-0148", "Choose another", "SALES_ACCOUNT"),
        ("Term 'Net 30' is not valid.", "BL01001973", "does not take the payment term", "SYNC_SETTINGS"),
        ("Location must be LDN. This value is auto-filled.", "BL01001973", "the location or the", "SYNC_SETTINGS"),
        ("Tax detail 'UK' is not valid.", "BL01001973", "its rate may have ended", "TAX_RATES"),
        ("An exchange rate is required for EUR.", "BL01001973", "no exchange rate", "PLATFORM"),
        ("The moon is in the wrong house.", "BL01001973", "did not accept", "SUPPORT"),
    ],
)
def test_what_intacct_says_stands_beneath_what_it_means(
    message: str,
    error_id: str,
    words: str,
    fix: str,
    linked: Client,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    client: Browser,
    now: datetime,
) -> None:
    sandbox.fault("refused", on=COMPOSITE, message=message, error_id=error_id)
    push = send(invoice, staff, now)
    assert words in push.problems[0]["meaning"]
    assert push.problems[0]["fix"] == fix
    client.force_login(staff)
    page = client.get(reverse("invoice-detail", args=[invoice.pk])).content.decode().replace("&#x27;", "'")
    assert message in page
    assert "Contact support" in page


def test_a_user_of_intacct_s_without_rights_to_receivables_is_told_so(
    linked: Client,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    admin: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(books.INTACCT_USER, "user_id", "clerk")
    authorise(sandbox, admin, now)
    push = send(invoice, staff, now)
    assert (push.state, push.problems[0]["fix"]) == (Push.State.ATTENTION, "PLATFORM")
    assert "permissions for Accounts Receivable" in push.problems[0]["meaning"]
    monkeypatch.undo()
    authorise(sandbox, admin, now)
    assert send(invoice, staff, now).state == Push.State.SENT
