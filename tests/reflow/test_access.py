"""Who may open what: every address has its rule, what has none is closed, and the whole matrix of roles."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver, reverse

from connectors.models import Connection
from invoices.models import BulkMember, BulkSend, Client, Invoice, Item, Property
from reflow.access import ANYBODY, EDITORS, PUBLIC, RULES, TO_POST, AccessMiddleware

pytestmark = pytest.mark.django_db
WHO = ("anonymous", "viewer", "staff", "admin")


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        else:
            yield str(pattern.name)


NAMES = sorted(names(get_resolver().url_patterns))


def test_every_address_has_a_rule_and_every_rule_an_address() -> None:
    assert sorted(RULES) == NAMES
    assert len(set(NAMES)) == len(NAMES)
    assert TO_POST.keys() <= RULES.keys()


def test_every_permission_in_a_rule_exists_and_some_role_has_it() -> None:
    wanted = {rule for rule in RULES.values() if rule not in (PUBLIC, ANYBODY)} | set().union(*TO_POST.values())
    everybody = User.objects.create_user("super")
    from django.contrib.auth.models import Group

    everybody.groups.set(Group.objects.all())
    assert wanted <= everybody.get_all_permissions()


def test_the_roles_are_viewer_staff_and_admin_each_with_more_than_the_one_before() -> None:
    from django.contrib.auth.models import Group

    may = {role.name: set(role.permissions.values_list("codename", flat=True)) for role in Group.objects.all()}
    assert may["Viewer"] < may["Staff"] < may["Admin"]
    assert may["Viewer"] == {"view_invoice", "view_client", "view_item", "view_property"}
    assert may["Admin"] - may["Staff"] == {"change_company", "change_connection", "change_group", "change_user"}


def ask(user: Any, name: str, method: str = "GET") -> HttpResponse | None:
    """What the rules say to a request for the address of that name."""
    request = RequestFactory().generic(method, "/somewhere/?page=2")
    request.user = user
    request.resolver_match = ResolverMatch(lambda _: HttpResponse(), (), {}, url_name=name)
    return AccessMiddleware(lambda _: HttpResponse()).process_view(request)


def test_an_address_without_a_rule_is_closed_to_everybody(admin: User) -> None:
    for user in (admin, User.objects.create_superuser("root")):
        for name in ("brand-new", "", "invoice", "invoice-list2", "admin:index"):
            with pytest.raises(PermissionDenied):
                ask(user, name)
    assert ask(AnonymousUser(), "brand-new"), "and a stranger is sent to sign in first"


def test_a_rule_that_names_no_permission_lets_nobody_in(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "invoice-list", "")
    with pytest.raises(PermissionDenied):
        ask(admin, "invoice-list")


READ = {"anonymous": 302, "viewer": 200, "staff": 200, "admin": 200}
WRITE = {"anonymous": 302, "viewer": 403, "staff": 200, "admin": 200}
ADMIN = {"anonymous": 302, "viewer": 403, "staff": 403, "admin": 200}
OPEN = dict.fromkeys(WHO, 200)
Row = dict[str, int]


def but(row: Row, status: int) -> Row:
    """The same doors, where those who are let in find something else than a page."""
    return {who: status if code == 200 else code for who, code in row.items()}


MATRIX: dict[str, tuple[Row, Row]] = {
    # address: what a GET is answered with, what a POST of nothing is answered with
    "login": ({"anonymous": 200, **dict.fromkeys(WHO[1:], 302)}, {"anonymous": 200, **dict.fromkeys(WHO[1:], 302)}),
    "logout": ({**but(READ, 405)}, dict.fromkeys(WHO, 302)),
    "favicon": (but(OPEN, 302), but(OPEN, 302)),
    "healthz": (OPEN, but(OPEN, 405)),
    "readyz": (OPEN, but(OPEN, 405)),
    "dashboard": (READ, but(READ, 405)),
    "dashboard-set-up": (but(READ, 405), but(READ, 302)),
    "invoice-list": (READ, but(READ, 405)),
    "invoice-columns": (but(READ, 405), but(READ, 302)),
    "invoice-csv": (READ, READ),
    "invoice-moving": (but(READ, 204), but(READ, 405)),
    "invoice-chosen": (READ, but(READ, 405)),
    "invoice-approve-many": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-send-many": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-next-begin": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-next": (but(WRITE, 404), but(WRITE, 404)),
    "invoice-next-undo": (but(WRITE, 405), but(WRITE, 404)),
    "send-list": (READ, but(READ, 405)),
    "send-detail": (READ, but(READ, 405)),
    "send-start": (but(WRITE, 405), {**but(WRITE, 404), "staff": 302}),
    "send-progress": (but(READ, 200), but(READ, 405)),
    "send-cancel": (but(WRITE, 405), but(WRITE, 302)),
    "send-again": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-checks": (READ, but(READ, 405)),
    "invoice-new": (WRITE, but(WRITE, 422)),
    "invoice-detail": (READ, but(READ, 405)),
    "invoice-pdf": (READ, but(READ, 405)),
    "invoice-mail": (WRITE, but(WRITE, 422)),
    "invoice-mails": (but(READ, 204), but(READ, 405)),
    "invoice-edit": (WRITE, but(WRITE, 422)),
    "scratch-keep": (but(WRITE, 405), WRITE),
    "scratch-discard": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-approve": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-draft": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-discard": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-push": (READ, but(WRITE, 302)),
    "invoice-ask": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-conflict": (WRITE, but(WRITE, 405)),
    "invoice-next-number": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-link": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-send-again": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-credit": (WRITE, but(WRITE, 422)),
    "invoice-void": (WRITE, but(WRITE, 422)),
    "invoice-void-again": (but(WRITE, 405), but(WRITE, 302)),
    "invoice-void-stop": (but(WRITE, 405), but(WRITE, 302)),
    "import-list": (WRITE, but(WRITE, 405)),
    "import-new": (WRITE, but(WRITE, 422)),
    "import-template": (WRITE, but(WRITE, 405)),
    "import-detail": (but(WRITE, 404), but(WRITE, 405)),
    "import-progress": (but(WRITE, 404), but(WRITE, 405)),
    "import-columns": (but(WRITE, 405), but(WRITE, 404)),
    "import-confirm": (but(WRITE, 405), but(WRITE, 404)),
    "import-undo": (but(WRITE, 405), but(WRITE, 404)),
    "import-bad-rows": (but(WRITE, 404), but(WRITE, 405)),
    "client-sage": (but(WRITE, 404), but(WRITE, 404)),
    "item-sage": (but(WRITE, 404), but(WRITE, 404)),
    "client-list": (READ, but(READ, 405)),
    "client-choices": (READ, but(READ, 405)),
    "client-new": (WRITE, but(WRITE, 422)),
    "client-create": (WRITE, WRITE),
    "client-edit": (WRITE, but(WRITE, 422)),
    "client-archive": (but(WRITE, 405), but(WRITE, 302)),
    "item-list": (READ, but(READ, 405)),
    "item-choices": (READ, but(READ, 405)),
    "item-new": (WRITE, but(WRITE, 422)),
    "item-create": (WRITE, WRITE),
    "item-edit": (WRITE, but(WRITE, 422)),
    "item-archive": (but(WRITE, 405), but(WRITE, 302)),
    "property-list": (READ, but(READ, 405)),
    "property-choices": (READ, but(READ, 405)),
    "property-new": (WRITE, but(WRITE, 422)),
    "property-edit": (WRITE, but(WRITE, 422)),
    "property-archive": (but(WRITE, 405), but(WRITE, 302)),
    "sync-centre": (READ, but(READ, 405)),
    "sync-fix": (WRITE, but(WRITE, 405)),
    "sync-mend": (but(WRITE, 405), but(WRITE, 302)),
    "sync-again": (but(WRITE, 405), but(WRITE, 302)),
    "sync-park": (but(WRITE, 405), but(WRITE, 302)),
    "sync-push": (but(READ, 404), but(READ, 405)),
    "sync-digest": (ADMIN, but(ADMIN, 422)),
    "connector": (ADMIN, but(ADMIN, 405)),
    "connector-authorise": (but(ADMIN, 405), but(ADMIN, 404)),
    "connector-user": (but(ADMIN, 405), but(ADMIN, 404)),
    "connector-callback": (but(ADMIN, 302), but(ADMIN, 405)),
    "connector-company": (but(ADMIN, 405), but(ADMIN, 404)),
    "connector-account": (but(ADMIN, 404), but(ADMIN, 404)),
    "connector-taxes": (but(ADMIN, 405), but(ADMIN, 404)),
    "connector-sync": (but(ADMIN, 404), but(ADMIN, 404)),
    "connector-sync-now": (but(ADMIN, 405), but(ADMIN, 404)),
    "invoice-hold": (but(WRITE, 405), but(WRITE, 302)),
    "number-list": (READ, but(READ, 405)),
    "number-forecast": (READ, but(READ, 405)),
    "number-tally": (READ, but(READ, 405)),
    "number-csv": (READ, but(READ, 405)),
    "debtor-list": (READ, but(READ, 405)),
    "debtor-sums": (READ, but(READ, 405)),
    "debtor-csv": (READ, but(READ, 405)),
    "reminder-list": (READ, but(READ, 405)),
    "reminder-count": (READ, but(READ, 405)),
    "reminder-settings": (ADMIN, but(ADMIN, 422)),
    "reminder-now": (but(WRITE, 405), but(WRITE, 302)),
    "reminder-leave-out": (but(WRITE, 405), but(WRITE, 302)),
    "reminder-put-back": (but(WRITE, 405), but(WRITE, 302)),
    "client-statement": (READ, but(READ, 405)),
    "client-statement-pdf": (READ, but(READ, 405)),
    "client-statement-mail": (WRITE, but(WRITE, 422)),
    "connector-sync-stop": (but(ADMIN, 405), but(ADMIN, 404)),
    "connector-sync-progress": (but(ADMIN, 404), but(ADMIN, 405)),
    "connector-health": (ADMIN, but(ADMIN, 405)),
    "connector-preview": (but(ADMIN, 404), but(ADMIN, 405)),
    "connector-disconnect": (but(ADMIN, 404), but(ADMIN, 404)),
    "live-database": (ADMIN, but(ADMIN, 302)),
    "incrementor-list": (ADMIN, but(ADMIN, 405)),
    "incrementor-edit": (ADMIN, but(ADMIN, 422)),
    "company": (ADMIN, but(ADMIN, 422)),
    "company-logo": (but(READ, 404), but(READ, 405)),
    "company-logo-change": (but(ADMIN, 405), but(ADMIN, 422)),
    "person-list": (ADMIN, but(ADMIN, 405)),
    "person-new": (ADMIN, ADMIN),
    "person-edit": (ADMIN, ADMIN),
    "person-link": (but(ADMIN, 405), but(ADMIN, 302)),
    "person-active": (but(ADMIN, 405), but(ADMIN, 302)),
    "password-change": (READ, READ),
    "password-forgotten": (OPEN, OPEN),
    "password-set": (OPEN, OPEN),
    "welcome": (but(OPEN, 302), but(OPEN, 302)),
}


def begun(invoice: Invoice) -> BulkSend:
    """A bulk send of the invoice by its author, of which nothing is queued yet."""
    author, now = invoice.created_by, invoice.created_at
    books = Connection.objects.create(
        platform="sage_accounting",
        state=Connection.State.DISCONNECTED,
        authorised_by=author,
        authorised_at=now,
        disconnected_at=now,
    )
    send = BulkSend.objects.create(chosen_by=author, chosen_at=now, started_at=now, pressed_by=author, connection=books)
    BulkMember.objects.create(send=send, invoice=invoice)
    return send


@pytest.fixture
def path_of(invoice: Invoice, item: Item) -> Callable[[str], str]:
    """An address of that name at which there is something."""
    client, site, nobody = Client.objects.get(), Property.objects.create(name="Ivy Court"), UUID(int=1)
    rows: dict[str, object] = {
        "invoice": invoice.pk,
        "client": client.pk,
        "item": item.pk,
        "property": site.pk,
        "person": invoice.created_by_id,
        "send": begun(invoice).pk,
        "import": 1,
        "scratch": nobody,
    }
    others: dict[str, list[object]] = {
        "client-sage": [client.uuid],
        "item-sage": [item.uuid],
        "password-set": ["nobody", "spent"],
        "connector-account": ["sales"],
        "incrementor-edit": ["INVOICES"],
        "invoice-next": [nobody],
        "invoice-next-undo": [nobody],
        "sync-push": [1],
        "import-columns": [1],
        "import-new": ["clients"],
        "import-template": ["clients"],
    }

    def path(name: str) -> str:
        subject, _, deed = name.partition("-")
        takes_one = subject in rows and deed not in ("", "list", "new", "columns", "csv", "choices", "create", *LISTED)
        return reverse(name, args=others.get(name) or ([rows[subject]] if takes_one else []))

    return path


LISTED = ("moving", "chosen", "approve-many", "send-many", "next-begin")


@pytest.fixture
def browser_of(request: pytest.FixtureRequest) -> Callable[[str], Browser]:
    def opened(who: str) -> Browser:
        browser = Browser()
        if who != "anonymous":
            browser.force_login(request.getfixturevalue(who))
        return browser

    return opened


def test_the_matrix_leaves_no_address_out() -> None:
    assert sorted(MATRIX) == NAMES


@pytest.mark.thorough
@pytest.mark.parametrize("who", WHO)
def test_each_address_answers_each_role_as_the_matrix_says(
    who: str, path_of: Callable[[str], str], browser_of: Callable[[str], Browser]
) -> None:
    found, expected = {}, {}
    for name, rows in MATRIX.items():
        for method, row in zip(("GET", "POST"), rows, strict=True):
            answer = browser_of(who).generic(method, path_of(name))
            found[f"{method} {name}"], expected[f"{method} {name}"] = answer.status_code, row[who]
            if who == "anonymous" and answer.status_code == 302 and name not in ("login", "welcome", "favicon"):
                there = path_of(name) if method == "GET" or name in EDITORS else "/"
                assert answer.headers["Location"] == reverse("login") + "?next=" + there.replace("/", "%2F")
    assert found == expected


def test_what_is_refused_changes_nothing(
    browser_of: Callable[[str], Browser], path_of: Callable[[str], str], invoice: Invoice
) -> None:
    for who in ("anonymous", "viewer"):
        for deed in ("approve", "discard", "push", "draft"):
            browser_of(who).post(path_of(f"invoice-{deed}"), {"reason": "x"})
        browser_of(who).post(path_of("client-archive"))
    invoice.refresh_from_db()
    assert (invoice.status, invoice.events.count(), invoice.client.archived_at) == ("DRAFT", 1, None)


@pytest.mark.parametrize("missing", ["send_invoice", "approve_invoice"])
def test_sending_needs_the_right_to_approve_too(
    staff: User, browser_of: Callable[[str], Browser], path_of: Callable[[str], str], missing: str
) -> None:
    from django.contrib.auth.models import Permission

    role = staff.groups.get()
    role.permissions.remove(Permission.objects.get(codename=missing))
    answer = browser_of("staff").post(path_of("invoice-push"))
    assert answer.status_code == (403 if missing == "send_invoice" else 302)
    assert Invoice.objects.get().status == "DRAFT"
    assert browser_of("staff").get(path_of("invoice-push")).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_htmx_loads_the_sign_in_as_a_whole_page(path_of: Callable[[str], str], method: str) -> None:
    answer = Browser().generic(method, path_of("invoice-push"), headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == reverse("login")
    assert answer.content == b""


def test_after_signing_in_one_is_where_one_wanted_to_be(staff: User, path_of: Callable[[str], str]) -> None:
    browser = Browser()
    wanted = path_of("invoice-detail") + "?a=1&b=2"
    address = browser.get(wanted).headers["Location"]
    answer = browser.post(address, {"username": "sam", "password": "sam-password"})
    assert answer.headers["Location"] == wanted


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(staff: User, there: str) -> None:
    answer = Browser().post(f"/login/?next={there}", {"username": "sam", "password": "sam-password"})
    assert answer.headers["Location"] == "/"


def test_a_wrong_password_says_so_and_no_more(staff: User) -> None:
    answer = Browser().post("/login/", {"username": "sam", "password": "wrong"})
    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies
    assert "sam" in answer.content.decode(), "what was typed is kept"
    assert "wrong" not in answer.content.decode().partition("<main")[2].partition("</form>")[0]


def test_somebody_without_a_role_sees_that_they_may_not(client: Browser) -> None:
    client.force_login(User.objects.create_user("new"))
    assert client.get("/").status_code == 403


def test_somebody_who_left_is_out_at_once(client: Browser, admin: User) -> None:
    client.force_login(admin)
    assert client.get("/").status_code == 200
    User.objects.update(is_active=False)
    assert client.get("/").status_code == 302


def test_what_signed_in_people_see_is_kept_by_no_cache(client: Browser, admin: User) -> None:
    assert "no-store" not in client.get("/login/").headers.get("Cache-Control", "").split(", ")[:0]
    client.force_login(admin)
    for path in ("/", "/settings/connector/", "/invoices/987654/"):
        assert "no-store" in client.get(path).headers["Cache-Control"]


def test_a_post_from_another_site_is_refused(admin: User, invoice: Invoice) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(admin)
    assert browser.post(f"/invoices/{invoice.pk}/approve/").status_code == 403
    invoice.refresh_from_db()
    assert invoice.status == "DRAFT"


def test_staff_see_no_settings_in_the_menu(client: Browser, staff: User, admin: User) -> None:
    client.force_login(staff)
    assert "/settings/" not in client.get("/").content.decode()
    client.force_login(admin)
    assert client.get("/invoices/").content.decode().count('href="/settings/') == 4
