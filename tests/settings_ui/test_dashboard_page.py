"""The page one lands on: what it shows whom, what is left to set up in each state, and its charts as tables."""

import itertools
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from connectors.models import Connection, RemoteLink
from invoices import services
from invoices.models import Client, Company, Invoice, Push, RemoteInvoice, TaxRate
from settings_ui import first_steps
from tests.conftest import draft_for, line

pytestmark = pytest.mark.django_db
QUERIES = 34
TASKS = ["Connect to Sage", "Company details", "Numbering", "People", "First invoice", "First invoice in Sage"]


@pytest.fixture
def page(client: Browser) -> Callable[[User], str]:
    def opened(user: User) -> str:
        client.force_login(user)
        answer = client.get("/")
        assert answer.status_code == 200
        return answer.content.decode()

    return opened


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html))).strip()


def set_up_section(html: str) -> str:
    found = re.search(r'<section class="set-up".*?</section>', html, re.DOTALL)
    return found[0] if found else ""


def states(user: User, connection: Connection | None = None) -> dict[str, str]:
    return {task.title: task.state for task in first_steps.tasks(user, connection)}


@pytest.fixture
def wired(admin: User, now: datetime) -> Connection:
    """Connected and set up, in the database only."""
    connection = Connection.objects.create(
        platform="sage_accounting",
        state=Connection.State.ACTIVE,
        company_id="b-1",
        company_name="Harbour Estates",
        sales_account_id="4000",
        sales_account_name="4000 Sales",
        purchase_account_id="5000",
        purchase_account_name="5000 Purchases",
        authorised_at=now,
        authorised_by=admin,
    )
    for rate in TaxRate.objects.all():
        kept: dict[str, Any] = {"remote_id": rate.pk, "remote_name": rate.name, "percentage": rate.percentage}
        link = {"kind": RemoteLink.Kind.TAX_RATE, "local_key": rate.pk, "linked_at": now}
        RemoteLink.objects.create(connection=connection, **link, **kept)
    return connection


def complete_company() -> None:
    Company.objects.update_or_create(pk=1, defaults={"name": "Quayside", "address": "8 Harbour Street"})


def send(invoice: Invoice, connection: Connection, staff: User, now: datetime) -> None:
    """As if a worker had: the push is sent and the invoice with it."""
    services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    held = RemoteInvoice.objects.create(
        invoice=invoice, connection=connection, remote_id="t", number="SI-1", total=invoice.total, linked_at=now
    )
    given: dict[str, Any] = {"state": "SENT", "remote": held, "sent_at": now, "due_at": now, "requested_at": now}
    Push.objects.create(invoice=invoice, connection=connection, requested_by=staff, **given)
    Invoice.objects.filter(pk=invoice.pk).update(status="SENT")


# What is left to set up -----------------------------------------------------------------------------------------
def test_a_new_installation_begins_with_sage_and_only_numbering_is_done(admin: User) -> None:
    expected = ["next", "", "done", "", "", ""]
    assert states(admin) == dict(zip(TASKS, expected, strict=True))


def test_each_tick_comes_from_what_is_really_there(
    admin: User, wired: Connection, client_of_ours: Client, now: datetime, request: pytest.FixtureRequest
) -> None:
    steps: list[Callable[[], object]] = [
        complete_company,
        lambda: request.getfixturevalue("staff"),
        lambda: services.create_invoice(draft=draft_for(client_of_ours), actor=admin, now=now),
        lambda: send(Invoice.objects.get(), wired, admin, now),
    ]
    done = [{title for title, state in states(admin, wired).items() if state == "done"}]
    for step in steps:
        step()
        done.append({title for title, state in states(admin, wired).items() if state == "done"})
    assert done[0] == {"Connect to Sage", "Numbering"}
    new = [after - before for before, after in itertools.pairwise(done)]
    assert new == [{"Company details"}, {"People"}, {"First invoice"}, {"First invoice in Sage"}]


@pytest.mark.parametrize(
    ("given", "missing"), [({"name": ""}, "name and address. They stand"), ({}, "address. It stands")], ids=str
)
def test_what_is_missing_of_the_company_is_named(
    page: Callable[[User], str], admin: User, given: dict[str, Any], missing: str
) -> None:
    Company.objects.update_or_create(pk=1, defaults={"name": "Quayside", **given})
    assert f"Still missing: {missing} on every invoice; a logo is optional." in words(set_up_section(page(admin)))


def test_the_parts_of_connecting_are_those_of_the_connector_s_page(
    page: Callable[[User], str], admin: User, wired: Connection
) -> None:
    RemoteLink.objects.filter(local_key="ZERO").delete()
    shown = page(admin)
    parts = re.search(r'<ul class="parts">.*?</ul>', shown, re.DOTALL)
    assert parts
    told = re.findall(r"<li class=\"(\w*)\">.*?</svg>(?:<svg.*?</svg>)?([^<]+)<span", parts[0], re.DOTALL)
    titles = ["Authorise", "Organisation", "Default nominal code", "Default purchase ledger account"]
    assert told == [*(("done", title) for title in titles), ("next", "Tax")]
    assert "Tax. Not mapped yet: Zero rated." in words(shown)
    assert 'href="/settings/connector/#taxes"' in shown


def test_an_authorisation_that_sage_refuses_is_first_of_all(admin: User, wired: Connection) -> None:
    complete_company()
    wired.state = Connection.State.RECONNECT
    assert states(admin, wired)["Connect to Sage"] == "bad"


def test_an_admin_has_a_link_for_each(page: Callable[[User], str], admin: User) -> None:
    links = re.findall(r'<a class="btn[^>]*href="([^"]+)"', set_up_section(page(admin)))
    assert links == ["/settings/connector/#authorise", "/settings/company/", "/settings/people/new/", "/invoices/new/"]


def test_staff_are_told_whom_to_ask_and_have_links_for_what_is_theirs(
    page: Callable[[User], str], admin: User, staff: User, invoice: Invoice
) -> None:
    section = set_up_section(page(staff))
    assert re.findall(r'<a class="btn[^>]*href="([^"]+)"', section) == ["/invoices/"]
    assert words(section).count("Ask an admin.") == 2
    assert states(staff)["First invoice in Sage"] == "next"
    assert "/settings/" not in section


def test_a_viewer_is_told_whose_each_is_and_has_no_link(
    page: Callable[[User], str], viewer: User, invoice: Invoice
) -> None:
    section = set_up_section(page(viewer))
    assert "<a " not in section
    assert words(section).count("Staff do this.") == 1
    assert "next" not in states(viewer).values()


def test_once_all_is_done_it_is_gone_and_a_loss_brings_it_back(
    page: Callable[[User], str], admin: User, staff: User, wired: Connection, invoice: Invoice, now: datetime
) -> None:
    complete_company()
    send(invoice, wired, staff, now)
    shown = page(admin)
    assert set_up_section(shown) == ""
    assert "Show set-up" not in shown
    Connection.objects.update(state=Connection.State.DISCONNECTED, disconnected_at=now)
    assert "5 of 6 done" in words(set_up_section(page(admin)))


def test_it_can_be_hidden_by_each_person_and_shown_again(
    page: Callable[[User], str], client: Browser, admin: User, staff: User
) -> None:
    client.force_login(admin)
    assert client.post("/set-up/").headers["Location"] == "/"
    hidden = page(admin)
    assert set_up_section(hidden) == ""
    assert "Show set-up, 4 left" in words(hidden)
    assert set_up_section(page(staff)) != ""
    client.force_login(admin)
    client.post("/set-up/", {"show": "yes"})
    assert "2 of 6 done" in words(set_up_section(page(admin)))


# Figures --------------------------------------------------------------------------------------------------------
def test_with_no_invoice_the_page_says_what_will_stand_here_and_how_to_begin(
    page: Callable[[User], str], staff: User, viewer: User
) -> None:
    shown = page(staff)
    assert "No invoices yet" in words(shown)
    assert 'class="figures"' not in shown
    assert shown.count('href="/invoices/new/"') == 3
    assert 'href="/invoices/new/"' not in page(viewer)


def test_each_tile_leads_to_the_list_of_what_it_counts(
    page: Callable[[User], str], staff: User, wired: Connection, invoice: Invoice, now: datetime
) -> None:
    send(invoice, wired, staff, now)
    Invoice.objects.update(issue_date="2026-01-01", due_date="2026-01-31")
    tiles = re.findall(r'<a href="/invoices/([^"]*)"><span class="label">(.*?)</a>', page(staff), re.DOTALL)
    assert [(unescape(address), words(tile)) for address, tile in tiles] == [
        ("?status=AWAITING", "Outstanding £204.00 1 invoice"),
        ("?overdue=1", "Overdue £204.00 1 invoice"),
        ("?status=APPROVED&sage=NOT_SENT", "Ready to send 0 approved, not sent"),
        ("?sage=MOVING", "Waiting 0 nothing under way"),
        ("?sage=ATTENTION", "Needs attention 0 nothing is stuck"),
        ("?sage=SENT", f"Sent this month 1 since 1 {now:%B}"),
    ]


def test_several_currencies_have_a_link_and_charts_each_the_most_used_first(
    page: Callable[[User], str], client_of_ours: Client, staff: User, wired: Connection, now: datetime
) -> None:
    for currency in ("EUR", "GBP", "GBP"):
        draft = draft_for(client_of_ours, line(unit_price=Decimal(100)), issue_date=now.date(), due_date=now.date())
        one = services.create_invoice(draft=draft, actor=staff, now=now)
        services.approve(invoice_id=one.pk, actor=staff, now=now)
        Invoice.objects.filter(pk=one.pk).update(status="SENT", currency=currency)
    shown = page(staff)
    assert re.findall(r"status=AWAITING&amp;currency=(\w+)", shown) == ["GBP", "EUR"]
    headings = ["By month, GBP", "By month, EUR", "Ageing, GBP", "Ageing, EUR", "Latest activity"]
    assert [words(found) for found in re.findall(r"<h2 id=.*?</h2>", shown)][1:-2] == headings
    assert "€240.00" in words(shown)


def test_each_chart_has_a_name_a_story_and_a_table_with_the_same_figures(
    page: Callable[[User], str], staff: User, wired: Connection, invoice: Invoice, now: datetime
) -> None:
    send(invoice, wired, staff, now)
    Invoice.objects.update(issue_date=now.date(), due_date=now.date())
    sections = re.findall(r"<section[^>]*>.*?</section>", page(staff), re.DOTALL)
    charts = [section for section in sections if "<svg viewBox" in section]
    assert len(charts) == 2
    for chart in charts:
        label = re.search(r'role="img" aria-labelledby="(\S+) (\S+)"', chart)
        assert label
        assert all(f'id="{name}"' in chart for name in label.groups())
        table = chart.partition("<table")[2]
        assert 'scope="row"' in table
        assert words(table).count("£204.00") >= 2
        assert "style=" not in chart
    months, ages = map(words, charts)
    assert f"{now:%b %Y} 1 £204.00 £204.00" in months
    assert "Not due yet 1 £204.00" in ages


def test_the_page_asks_the_database_a_fixed_number_of_times(
    page: Callable[[User], str],
    client: Browser,
    admin: User,
    staff: User,
    wired: Connection,
    client_of_ours: Client,
    now: datetime,
) -> None:
    counts = []
    for _ in range(2):
        for _ in range(6):
            one = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
            services.approve(invoice_id=one.pk, actor=staff, now=now)
        page(admin)
        with CaptureQueriesContext(database) as asked:
            assert client.get("/").status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= QUERIES


# Where nothing is yet --------------------------------------------------------------------------------------------
def test_who_is_alone_is_invited_to_invite(client: Browser, admin: User) -> None:
    client.force_login(admin)
    assert "Only you so far" in words(client.get("/settings/people/").content.decode())
    User.objects.create_user("second")
    assert "Only you so far" not in words(client.get("/settings/people/").content.decode())


def test_before_the_first_number_one_is_told_to_choose_it(
    client: Browser, admin: User, client_of_ours: Client, now: datetime
) -> None:
    client.force_login(admin)
    assert "No number has been given yet" in words(client.get("/settings/incrementors/").content.decode())
    services.create_invoice(draft=draft_for(client_of_ours), actor=admin, now=now)
    assert "No number has been given yet" not in words(client.get("/settings/incrementors/").content.decode())
