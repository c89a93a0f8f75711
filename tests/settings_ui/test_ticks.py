"""The checklist's ticks on both platforms: each is computed from what is there, and goes with what it stood for."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection, RemoteLink
from incrementors.models import Group
from invoices import push as worker
from invoices import services
from invoices.models import Invoice
from settings_ui.checklist import is_ready, steps
from tests.books import Sandbox
from tests.conftest import set_up_intacct

pytestmark = pytest.mark.django_db
PAGE = "/settings/connector/"
SET_UP = ["authorise", "organisation", "sales", "purchase", "taxes", "numbering"]
Change = Callable[[Connection], object]


@pytest.fixture
def desk(client: Browser, admin: User) -> Browser:
    client.force_login(admin)
    return client


@pytest.fixture(params=["connection", "intacct"])
def joined(request: pytest.FixtureRequest) -> Connection:
    joined: Connection = request.getfixturevalue(request.param)
    return joined


def ticks(connection: Connection | None) -> dict[str, str]:
    if connection:
        connection = Connection.objects.get(pk=connection.pk)
    return {step.anchor: step.state for step in steps(connection)}


def text_of(connection: Connection, anchor: str) -> str:
    found = steps(Connection.objects.get(pk=connection.pk))
    return next(step.text for step in found if step.anchor == anchor)


def page_of(desk: Browser) -> str:
    return unescape(desk.get(PAGE).text)


def test_with_nothing_connected_only_numbering_is_done(db: None) -> None:
    assert ticks(None) == {**dict.fromkeys([*SET_UP, "sent"], ""), "authorise": "next", "numbering": "done"}
    assert not is_ready(steps(None))


def test_set_up_it_is_ready_and_leads_to_the_first_invoice(desk: Browser, joined: Connection) -> None:
    kept = [name for name in SET_UP if name != "purchase" or joined.platform == "sage_accounting"]
    assert ticks(joined) == {**dict.fromkeys(kept, "done"), "sent": "next"}
    page = page_of(desk)
    assert "<b>Ready:</b> the next approved invoice can be sent." in page
    assert re.search(r'class="ready">.*?<a class="btn btn-primary" href="/invoices/new/">', page, re.DOTALL)
    assert page.count("btn-primary") == 1 + page.count('value="yes"'), "one thing to do next"


def test_the_first_invoice_in_the_books_is_seen_and_named(
    joined: Connection, invoice: Invoice, staff: User, now: datetime
) -> None:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    assert ticks(joined)["sent"] == "next"
    worker.work(push.pk)
    push.refresh_from_db()
    assert push.remote
    assert ticks(joined)["sent"] == "done"
    theirs = "" if push.remote.number == "INV-00001" else f", as {push.remote.number}"
    assert text_of(joined, "sent") == f"Sage holds INV-00001{theirs}."


def _other_percentage(connection: Connection) -> object:
    return RemoteLink.objects.filter(local_key="STANDARD").update(percentage=Decimal("5"), remote_name="Lower Rate")


GONE: list[tuple[str, str, Change, str]] = [
    ("authorise", "bad", lambda c: Connection.objects.update(state="RECONNECT"), "no longer accepts our"),
    (
        "sales",
        "next",
        lambda c: Connection.objects.update(sales_account_id="", sales_account_name=""),
        "Not chosen yet",
    ),
    ("taxes", "next", lambda c: RemoteLink.objects.filter(local_key="ZERO").delete(), "Not mapped yet: Zero rated."),
    ("taxes", "next", _other_percentage, "Standard is 20 % here, but Lower Rate in Sage is 5 %."),
    ("numbering", "next", lambda c: Group.objects.update(prefix="P" * 12, suffix="S" * 12), "longer than the 25"),
]


@pytest.mark.parametrize(("anchor", "state", "take_away", "words"), GONE, ids=[row[3] for row in GONE])
def test_a_tick_is_gone_with_what_it_stood_for(
    desk: Browser, joined: Connection, anchor: str, state: str, take_away: Change, words: str
) -> None:
    take_away(joined)
    assert ticks(joined)[anchor] == state
    assert words in text_of(joined, anchor)
    page = page_of(desk)
    assert "Ready:" not in page
    assert "Needs you" in page or "Disconnected" in page


def test_a_longer_prefix_is_in_the_way_only_where_sage_takes_our_number(intacct: Connection, now: datetime) -> None:
    Group.objects.update(prefix="HARBOUR-EST-")
    assert ticks(intacct)["numbering"] == "done"
    set_up_intacct(intacct, now=now, numbers="OURS")
    assert ticks(intacct)["numbering"] == "done", "Intacct takes 20 characters"


def test_while_it_is_being_disconnected_nothing_is_ready(desk: Browser, joined: Connection) -> None:
    Connection.objects.update(state="DISCONNECTING")
    page = page_of(desk)
    assert "Ready:" not in page
    assert "What is under way ends first." in page


# What was chosen and could not be kept


def test_a_refused_tax_mapping_comes_back_as_it_was_chosen(desk: Browser, connection: Connection) -> None:
    chosen = {"STANDARD": "GB_ZERO", "REDUCED": "GB_NOWHERE", "ZERO": "GB_EXEMPT", "EXEMPT": "", "NO_VAT": "GB_NO_TAX"}
    answer = desk.post(f"{PAGE}taxes/", {f"rate-{code}": value for code, value in chosen.items()})
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert "What you chose is still below." in page
    kept = dict(re.findall(r'<select name="rate-(\w+)"(?:(?!</select>).)*value="(\w*)" selected', page, re.DOTALL))
    assert kept == {"STANDARD": "GB_ZERO", "ZERO": "GB_EXEMPT", "NO_VAT": "GB_NO_TAX"}
    assert re.search(r'<select name="rate-REDUCED"[^>]*><option value="">Choose</option>', page)
    assert RemoteLink.objects.get(local_key="STANDARD").remote_id == "GB_STANDARD"


def test_a_mapping_sent_while_sage_is_away_comes_back_as_it_was_chosen(
    desk: Browser, connection: Connection, sandbox: Sandbox, now: datetime
) -> None:
    connection.catalogues.update(read_at=now - timedelta(hours=1))
    sandbox.fault("unavailable", on="GET /accounting/v3.1", times=None)
    chosen = dict.fromkeys(("STANDARD", "REDUCED"), "GB_LOWER") | dict.fromkeys(("ZERO", "EXEMPT", "NO_VAT"), "GB_ZERO")
    answer = desk.post(f"{PAGE}taxes/", {f"rate-{code}": value for code, value in chosen.items()})
    page = unescape(answer.text)
    assert "Sage answered 503" in page
    kept = dict(re.findall(r'<select name="rate-(\w+)"(?:(?!</select>).)*value="(\w*)" selected', page, re.DOTALL))
    assert kept == chosen


def test_a_refused_account_keeps_the_search_and_the_choice(desk: Browser, connection: Connection) -> None:
    answer = desk.post(f"{PAGE}accounts/sales/", {"q": "fees", "account": "nowhere"})
    assert answer.status_code == 422
    assert re.findall(r'<span class="code">(\d+)</span>', answer.text) == ["4020", "4030"]
    assert 'value="fees"' in answer.text
