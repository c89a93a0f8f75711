"""The next invoice as Settings shows it beforehand is what the books then hold, on both platforms."""

from collections.abc import Callable
from datetime import date, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils.timezone import localdate
from pytest_django import DjangoAssertNumQueries

from connectors.models import Connection
from connectors.services import set_sync_settings
from incrementors.models import Group
from invoices import push as worker
from invoices import services
from invoices.ahead import Ahead, choices_of, next_invoice
from invoices.models import Client, Invoice, Push, TaxRate
from settings_ui.next_invoice import rows, what_if
from tests.books import Sandbox
from tests.conftest import draft_for, line, set_up_intacct
from tests.journeys.intacct import condition, held, places, postings, taxes

pytestmark = pytest.mark.django_db
PREVIEW = "/settings/connector/preview/"
Send = Callable[[], Invoice]


@pytest.fixture
def send(client_of_ours: Client, staff: User, now: datetime) -> Send:
    """Raises the next invoice, with a line at each of our rates, and sends it as a worker does."""

    def sent() -> Invoice:
        lines = [line(tax_rate=rate) for rate in TaxRate.objects.all()]
        invoice = services.create_invoice(draft=draft_for(client_of_ours, *lines), actor=staff, now=now)
        push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
        worker.work(push.pk)
        push.refresh_from_db()
        assert push.state == Push.State.SENT, push.problems
        return invoice

    return sent


def ahead_of(connection: Connection) -> Ahead:
    connection.refresh_from_db()
    return next_invoice(choices_of(connection), today=date(2026, 11, 2))


def shown(connection: Connection, ahead: Ahead) -> dict[str, str]:
    return {row.label: row.text for row in rows(connection, ahead)}


ACCOUNTING: list[dict[str, str]] = [
    {},
    {"create_as": "DRAFT"},
    {"numbers": "PLATFORM"},
    {"create_as": "DRAFT", "numbers": "PLATFORM"},
]


@pytest.mark.parametrize("settings", ACCOUNTING, ids=str)
def test_on_accounting_what_was_shown_is_what_is_sent(
    connection: Connection, sandbox: Sandbox, send: Send, settings: dict[str, str]
) -> None:
    Group.objects.filter(pk=Group.INVOICES).update(prefix="HV-", next_value=43, digits=4)
    set_sync_settings(connection, settings)
    ahead = ahead_of(connection)
    words, document = shown(connection, ahead), ahead.document
    invoice = send()
    (held_,) = sandbox.invoices()
    assert held_["reference"] == invoice.number == ahead.number == document.reference == "HV-0043"
    assert held_["status_shown"] == words["In Sage as"]
    if not document.is_draft:
        assert (held_["number"] == "HV-0043") is bool(document.number)
    assert words["Number"] == ("HV-0043, then Sage's" if "numbers" in settings else "HV-0043")
    accounts = {f"{row['nominal_code']}" for row in held_["lines"]}
    assert accounts == {words["Lines on"].split()[0]}
    assert [row["tax_rate_id"] for row in held_["lines"]] == [row.tax_rate_id for row in document.lines]


INTACCT: list[dict[str, str]] = [
    {},
    {"numbers": "OURS"},
    {"create_as": "DRAFT"},
    {"location": "LDN-DOCK", "department": "PROP"},
    {"tax_solution": ""},
    {"account_labels": "ON", "tax_solution": ""},
]


@pytest.mark.parametrize("settings", INTACCT, ids=str)
def test_on_intacct_what_was_shown_is_what_is_sent(
    intacct: Connection, sandbox: Sandbox, send: Send, now: datetime, settings: dict[str, str]
) -> None:
    if settings.get("account_labels"):
        condition(sandbox, use_account_labels=True)
    set_up_intacct(intacct, now=now, **settings)
    ahead = ahead_of(intacct)
    document, words = ahead.document, shown(intacct, ahead)
    invoice = send()
    (theirs,) = held(sandbox)
    assert theirs["referenceNumber"] == invoice.number == ahead.number == document.reference
    assert (theirs["state"] == "draft") is document.is_draft is (words["In Sage as"] == "Draft")
    if document.number:
        assert theirs["invoiceNumber"] == document.prefix + document.number == words["Number"]
    ours = [row for row in postings(theirs) if row[1] == "170.00"]
    assert len(ours) == len(document.lines)
    assert {place for place in places(theirs)} == {(document.location_id, document.department_id)}
    if document.tax_solution_id:
        assert [detail for detail, _ in taxes(theirs)] == [row.tax_rate_id for row in document.lines]


def test_a_choice_on_the_form_shows_what_it_would_do_before_it_is_saved_and_asks_sage_nothing(
    client: Browser, admin: User, connection: Connection, sandbox: Sandbox
) -> None:
    client.force_login(admin)
    sandbox.clear_journal()
    typed = {"form": "sync", "create_as": "DRAFT", "numbers": "PLATFORM", "send_on_approval": "on", "sync_every": "60"}
    page = client.get(PREVIEW, typed).text
    for words in ("Draft", "INV-00001, then Sage&#x27;s", "When it is approved", "Nothing", "not saved yet"):
        assert words in page
    assert "As things are set now." in client.get(PREVIEW).text
    assert sandbox.calls() == []
    connection.refresh_from_db()
    assert connection.sync_settings == {}


@pytest.mark.parametrize(
    "typed",
    [
        {"create_as": "PAID"},
        {"sync_from": "31 February"},
        {"sync_from": "2026-02-31"},
        {"sync_every": "0"},
        {"numbers": "\x00"},
        {"account": "nowhere"},
        {"rate-STANDARD": "nowhere"},
        {"rate-": "GB_ZERO"},
    ],
)
def test_what_is_typed_wrongly_counts_as_not_typed(
    client: Browser, admin: User, connection: Connection, typed: dict[str, str]
) -> None:
    client.force_login(admin)
    before = {"form": "sync", "create_as": "CREATED", "numbers": "OURS", "read_back": "on"}
    answer = client.get(PREVIEW, {**before, **typed})
    assert answer.status_code == 200
    assert "Created" in answer.text


def test_a_choice_that_makes_sage_offer_another_list_says_what_is_to_be_chosen_anew(intacct: Connection) -> None:
    stored = {**intacct.sync_settings, "form": "sync", "read_back": "on"}
    choices = what_if(intacct, {**stored, "tax_solution": ""})
    assert choices.account is not None
    assert choices.rates == {}
    assert what_if(intacct, {**stored, "account_labels": "ON"}).account is None
    assert what_if(intacct, stored) == choices_of(intacct)


def test_another_account_or_rate_shows_by_its_name_and_percentage(connection: Connection) -> None:
    kept = connection.catalogues.get(kind="SALES_ACCOUNTS").read()
    services_account = next(entry for entry in kept if entry.code == "4010")
    choices = what_if(connection, {"account": services_account.id, "rate-STANDARD": "GB_LOWER"})
    words = shown(connection, next_invoice(choices, today=localdate()))
    assert words["Lines on"].startswith("4010 ")
    found = {row.label: row for row in rows(connection, next_invoice(choices, today=localdate()))}
    assert found["Standard 20 %"].is_missing
    assert found["Standard 20 %"].note == "5 % in Sage: it can't be sent with this rate."
    assert not found["Reduced 5 %"].is_missing


def test_before_anything_is_chosen_it_says_what_is_missing(connection: Connection) -> None:
    Connection.objects.update(sales_account_id="", sales_account_name="")
    connection.links.all().delete()
    found = rows(connection, ahead_of(connection))
    missing = {row.label for row in found if row.is_missing}
    assert missing == {"Lines on", "Standard 20 %", "Reduced 5 %", "Zero rated 0 %", "Exempt 0 %", "No VAT 0 %"}


@pytest.mark.parametrize("platform", ["connection", "intacct"])
def test_a_preview_asks_postgres_little(
    client: Browser,
    admin: User,
    request: pytest.FixtureRequest,
    platform: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    request.getfixturevalue(platform)
    client.force_login(admin)
    with django_assert_max_num_queries(20):
        client.get(PREVIEW, {"form": "sync", "create_as": "DRAFT"})
    client.get("/settings/connector/")
    with django_assert_max_num_queries(46):
        client.get("/settings/connector/")
