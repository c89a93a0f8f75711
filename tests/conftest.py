"""What every test may ask for: people, a connected sandbox, an invoice, and what the sandbox's books hold."""

import gc
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from connectors.authorising import begin, choose_company, complete
from connectors.models import Connection
from connectors.options import Kind
from connectors.services import catalogue, choose_account, map_tax_rates, set_sync_settings
from invoices import services
from invoices.icons import icon
from invoices.models import Client, Invoice, Item, TaxRate
from invoices.services import InvoiceDraft, LineDraft
from tests.authorised import Authorised
from tests.books import Sandbox

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # sign-ins are not what is slow here
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True  # nothing needs to be gathered first
TURNS = ((0, "installation"), (2, "walk"), (3, "browser"))  # those of no such kind come second
CALLBACK = "http://127.0.0.1:8000/settings/connector/callback/"


def pytest_configure(config: pytest.Config) -> None:
    """Workers of pytest-xdist get a few tests at a time, so that none is left with many when the others have ended."""
    if getattr(config.option, "maxschedchunk", 0) is None:
        config.option.maxschedchunk = 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A quick run leaves out, and counts, what other targets of `make` are for.

    Whole installations go first; last go those that share a browser, the walks through all pages before the others.
    """
    left_out = [marker for marker in ("thorough", "prove", "crash") if not os.environ.get(marker.upper())]
    later = [item for item in items if any(map(item.get_closest_marker, left_out))]
    if later:
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if item not in later]
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, marker in TURNS if item.get_closest_marker(marker)), 1)


def pytest_collection_finish() -> None:
    """What is there now stays: the collector of garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def as_served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Static files named by hash and compressed, once for this worker, and the settings that serve them."""
    storage = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    changed: dict[str, Any] = {
        "STORAGES": {**settings.STORAGES, "staticfiles": storage},
        "STATIC_ROOT": tmp_path_factory.mktemp("static"),
        "WHITENOISE_USE_FINDERS": False,
        "WHITENOISE_AUTOREFRESH": False,
    }
    with override_settings(**changed):
        call_command("collectstatic", interactive=False, verbosity=0)
    return changed


@pytest.fixture
def gathered(as_served: dict[str, Any]) -> Iterator[None]:
    """Static files as `make run` and the image serve them."""
    _forget_addresses()
    with override_settings(**as_served):
        yield
    _forget_addresses()


def _forget_addresses() -> None:
    """Of static files, which are others now: in icons, and in fragments of pages."""
    icon.cache_clear()
    cache.clear()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def person(username: str, role: str) -> User:
    user = User.objects.create_user(username, password=f"{username}-password", first_name=username.title())
    user.groups.add(Role.objects.get(name=role))
    return user


@pytest.fixture
def admin(db: None) -> User:
    return person("ada", "Admin")


@pytest.fixture
def staff(db: None) -> User:
    return person("sam", "Staff")


@pytest.fixture
def viewer(db: None) -> User:
    return person("vera", "Viewer")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """This worker's pretend Sage, with fresh books."""
    pretend = Sandbox(os.environ["SANDBOX_URL"])
    pretend.reset()
    yield pretend
    pretend.clear_faults()


@pytest.fixture(scope="session")
def authorised_before() -> dict[str, Authorised]:
    """What this worker can put back, by platform."""
    return {}


Connect = Callable[[Sandbox, User, datetime], Connection]


@pytest.fixture
def connected(
    sandbox: Sandbox, admin: User, now: datetime, authorised_before: dict[str, Authorised]
) -> Callable[[str, Connect], Connection]:
    """Authorised through the sandbox's real pages and set up from its live lists, within a minute: ready to send."""

    def connected_to(platform: str, connect: Connect) -> Connection:
        before = authorised_before.get(platform)
        if before and before.is_young():
            return before.put_back(sandbox, actor=admin, now=now)
        connection = connect(sandbox, admin, now)
        authorised_before[platform] = Authorised.keep(platform, sandbox, now)
        return connection

    return connected_to


@pytest.fixture
def connection(connected: Callable[[str, Connect], Connection]) -> Connection:
    return connected("sage_accounting", authorise)


@pytest.fixture
def intacct(connected: Callable[[str, Connect], Connection]) -> Connection:
    """Intacct's entity LDN."""
    return connected("sage_intacct", authorise_intacct)


def authorise(sandbox: Sandbox, admin: User, now: datetime) -> Connection:
    journey = begin("sage_accounting", redirect_uri=CALLBACK)
    answer = sandbox.allow(journey.url)
    connected = complete(journey, answer, redirect_uri=CALLBACK, actor=admin, now=now)
    if connected.state == Connection.State.CHOOSING:
        choose_company(connected, sandbox.company_id())
        connected.refresh_from_db()
    by_code = {entry.code: entry.id for entry in catalogue(connected, Kind.SALES_ACCOUNTS, now=now)}
    choose_account(connected, Kind.SALES_ACCOUNTS, by_code["4000"], now=now)
    purchases = catalogue(connected, Kind.PURCHASE_ACCOUNTS, now=now)
    choose_account(connected, Kind.PURCHASE_ACCOUNTS, purchases[0].id, now=now)
    rates = {
        "STANDARD": "GB_STANDARD",
        "REDUCED": "GB_LOWER",
        "ZERO": "GB_ZERO",
        "EXEMPT": "GB_EXEMPT",
        "NO_VAT": "GB_NO_TAX",
    }
    map_tax_rates(connected, rates, now=now)
    connected.refresh_from_db()
    sandbox.clear_journal()
    return connected


def authorise_intacct(sandbox: Sandbox, admin: User, now: datetime) -> Connection:
    journey = begin("sage_intacct", redirect_uri=CALLBACK)
    answer = sandbox.allow(journey.url)
    connected = complete(journey, answer, redirect_uri=CALLBACK, actor=admin, now=now)
    connected = choose_company(connected, "HARBOUR|LDN")
    set_up_intacct(connected, now=now)
    sandbox.clear_journal()
    return connected


def set_up_intacct(connected: Connection, *, now: datetime, **settings: str) -> None:
    """The default account, places, and each of our rates on its tax detail or its tax account."""
    given = {"location": "LDN", "department": "OPS", "tax_solution": "United Kingdom - VAT"}
    set_sync_settings(connected, {**given, **settings})
    connected.refresh_from_db()
    accounts = catalogue(connected, Kind.SALES_ACCOUNTS, now=now)
    wanted = "Services" if connected.options.account_labels else "4000"
    chosen = next(entry.id for entry in accounts if entry.code == wanted)
    choose_account(connected, Kind.SALES_ACCOUNTS, chosen, now=now)
    rates = catalogue(connected, Kind.TAX_RATES, now=now)
    by_words = {"STANDARD": "Standard", "REDUCED": "Reduced", "ZERO": "Zero"}
    mapped = {}
    for ours in TaxRate.objects.all():
        words = (by_words.get(ours.pk, "Exempt"), "VAT on sales" if ours.percentage else "No tax line", "VAT")
        mapped[ours.pk] = next(rate.id for word in words for rate in rates if word in rate.name)
    map_tax_rates(connected, mapped, now=now)
    connected.refresh_from_db()


@pytest.fixture
def client_of_ours(db: None) -> Client:
    return Client.objects.create(
        name="Bramley Stores Ltd",
        reference="BRAM1",
        email="accounts@bramley.example",
        address_line_1="4 Mill Lane",
        city="Leeds",
        postal_code="LS1 4AB",
        terms_days=30,
    )


@pytest.fixture
def item(db: None) -> Item:
    return Item.objects.create(
        code="LABOUR", description="Labour, per hour", unit_price=Decimal("48.00"), tax_rate_id="STANDARD"
    )


def line(description: str = "Gutter clearing", **changes: Any) -> LineDraft:
    given = {
        "item": None,
        "description": description,
        "quantity": Decimal("2"),
        "unit_price": Decimal("85.00"),
        "discount_percent": Decimal("0"),
        "tax_rate": TaxRate.objects.get(pk="STANDARD"),
    }
    return LineDraft(**{**given, **changes})


def draft_for(client: Client, *lines: LineDraft, **changes: Any) -> InvoiceDraft:
    given = {
        "client": client,
        "site": None,
        "issue_date": date(2026, 11, 2),
        "due_date": date(2026, 12, 2),
        "reference": "PO-7",
        "notes": "",
    }
    return InvoiceDraft(**{**given, **changes}, lines=lines or (line(),))


@pytest.fixture
def invoice(client_of_ours: Client, staff: User, now: datetime) -> Invoice:
    """A draft of £204.00 with its number."""
    return services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
