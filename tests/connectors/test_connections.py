"""Choosing the organisation and its codes, linking clients, and what the database lets no one break."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from connectors import authorising, links, services
from connectors.interface import Fix, NewClient, OutcomeUnknown, Problem, Rejected, RemoteClient, TryLater
from connectors.models import Catalogue, Connection, Creation, Credential, RemoteLink
from connectors.options import Kind
from connectors.services import ChoiceRefused
from tests.books import Sandbox

pytestmark = pytest.mark.django_db

CLIENT = NewClient(
    name="Bramley Stores Ltd",
    reference="BRAM1",
    email="",
    address_line_1="",
    address_line_2="",
    city="",
    postal_code="",
    country="GB",
)


class Platform:
    """A platform that knows some clients, and notes whom it was told to create."""

    def __init__(self, *known: RemoteClient) -> None:
        self.known, self.created = known, list[str]()

    def find_clients(self, client: NewClient) -> tuple[RemoteClient, ...]:
        return self.known

    def create_client(self, client: NewClient, key: str) -> RemoteClient:
        self.created.append(key)
        return RemoteClient(id="new", name=client.name)


@pytest.fixture
def bare(admin: User, now: datetime) -> Connection:
    return Connection.objects.create(
        platform="sage_accounting",
        state=Connection.State.ACTIVE,
        company_id="b-1",
        company_name="Harbour",
        authorised_at=now,
        authorised_by=admin,
    )


def ensure(platform: Platform, connection: Connection, now: datetime, local_key: uuid.UUID | None = None) -> str:
    ours = services.client_ours(platform, connection, CLIENT, local_key or uuid.uuid4())  # type: ignore[arg-type]
    return links.ensure(connection, ours, now=now)


def test_a_linked_client_is_never_looked_for_again(bare: Connection, now: datetime) -> None:
    us = uuid.uuid4()
    assert ensure(Platform(), bare, now, us) == "new"
    assert ensure(Platform(RemoteClient(id="other", name="x")), bare, now, us) == "new"


def test_a_client_that_is_found_is_linked_and_not_created(bare: Connection, now: datetime) -> None:
    platform = Platform(RemoteClient(id="c-1", name="Bramley Stores Ltd"))
    assert ensure(platform, bare, now) == "c-1"
    assert platform.created == []
    assert RemoteLink.objects.get().remote_name == "Bramley Stores Ltd"


def test_several_that_could_be_the_client_are_a_persons_to_tell_apart(bare: Connection, now: datetime) -> None:
    found = [RemoteClient(id=f"c-{n}", name=f"Bramley {n}") for n in range(7)]
    with pytest.raises(Rejected) as rejected:
        ensure(Platform(*found), bare, now)
    (problem,) = rejected.value.problems
    assert "Bramley 0, Bramley 1" in problem.message
    assert "Bramley 5" not in problem.message
    assert (problem.fix, problem.meaning) == (
        Fix.CLIENT_LINK,
        "Several in Sage could be Bramley Stores Ltd. Say which one it is.",
    )
    assert RemoteLink.objects.count() == 0


def test_one_that_is_another_clients_already_is_not_taken_for_this_one(bare: Connection, now: datetime) -> None:
    theirs = RemoteClient(id="c-1", name="Bramley Stores Ltd")
    ensure(Platform(theirs), bare, now)
    platform = Platform(theirs)
    assert ensure(platform, bare, now) == "new"
    assert len(platform.created[0]) == 32


class Mumbling(Platform):
    """Its gateway gives up with a 504 while the request goes on."""

    def create_client(self, client: NewClient, key: str) -> RemoteClient:
        self.created.append(key)
        raise OutcomeUnknown("Sage answered 504 and nothing that can be understood.", status=504)


def test_after_an_answer_that_says_nothing_a_client_is_only_looked_for_until_what_was_asked_can_have_come(
    bare: Connection, now: datetime
) -> None:
    us, mumbling = uuid.uuid4(), Mumbling()
    with pytest.raises(TryLater):
        ensure(mumbling, bare, now, us)
    for wait in (timedelta(seconds=1), links.QUIET - timedelta(seconds=1)):
        with pytest.raises(TryLater) as later:
            ensure(mumbling, bare, now + wait, us)
        assert later.value.alone  # other invoices go on
    assert len(mumbling.created) == 1
    late = Platform(RemoteClient(id="late", name=CLIENT.name))
    assert ensure(late, bare, now + timedelta(seconds=2), us) == "late"
    assert late.created == []


def test_a_client_that_never_came_is_created_under_a_new_key(bare: Connection, now: datetime) -> None:
    us, mumbling, platform = uuid.uuid4(), Mumbling(), Platform()
    with pytest.raises(TryLater):
        ensure(mumbling, bare, now, us)
    assert ensure(platform, bare, now + links.QUIET, us) == "new"
    assert platform.created != mumbling.created


def test_a_client_that_was_refused_is_created_as_soon_as_it_is_mended(bare: Connection, now: datetime) -> None:
    class Strict(Platform):
        def create_client(self, client: NewClient, key: str) -> RemoteClient:
            raise Rejected((Problem(message="Too long.", meaning="Too long."),), status=422)

    us = uuid.uuid4()
    with pytest.raises(Rejected):
        ensure(Strict(), bare, now, us)
    assert ensure(Platform(), bare, now, us) == "new"


def test_two_workers_that_link_one_client_at_once_agree(bare: Connection, now: datetime) -> None:
    us = uuid.uuid4()

    class Rival(Platform):
        def find_clients(self, client: NewClient) -> tuple[RemoteClient, ...]:
            links.link_to(bare, "CLIENT", str(us), "theirs", "Bramley", now=now)
            return (RemoteClient(id="ours", name="Bramley"),)

    assert ensure(Rival(), bare, now, us) == "theirs"


def test_the_organisation_is_chosen_once(connection: Connection, sandbox: Sandbox) -> None:
    with pytest.raises(ChoiceRefused, match="chosen already: Harbour & Vale"):
        authorising.choose_company(connection, sandbox.company_id())
    with pytest.raises(ChoiceRefused, match="does not offer"):
        authorising.choose_company(connection, "elsewhere")


def test_an_account_outside_the_platforms_list_is_refused(connection: Connection, now: datetime) -> None:
    before = connection.sales_account_id
    for chosen in ("", "0" * 32, "4000"):
        with pytest.raises(ChoiceRefused, match="not, or no longer"):
            services.choose_account(connection, Kind.SALES_ACCOUNTS, chosen, now=now)
    connection.refresh_from_db()
    assert connection.sales_account_id == before


def test_an_account_of_the_other_side_is_refused(connection: Connection, now: datetime) -> None:
    assert connection.purchase_account_id
    with pytest.raises(ChoiceRefused):
        services.choose_account(connection, Kind.SALES_ACCOUNTS, connection.purchase_account_id, now=now)


def test_rates_are_mapped_all_or_none(connection: Connection, now: datetime) -> None:
    before = services.tax_links(connection)["STANDARD"].remote_id
    with pytest.raises(ChoiceRefused):
        services.map_tax_rates(connection, {"STANDARD": "GB_ZERO", "REDUCED": "nowhere"}, now=now)
    assert services.tax_links(connection)["STANDARD"].remote_id == before
    services.map_tax_rates(connection, {"STANDARD": "GB_ZERO"}, now=now)
    link = services.tax_links(connection)["STANDARD"]
    assert (link.remote_id, link.percentage) == ("GB_ZERO", Decimal(0))


def test_a_list_is_asked_for_once_a_minute_and_comes_back_as_it_was(
    connection: Connection, sandbox: Sandbox, now: datetime
) -> None:
    Catalogue.objects.all().delete()
    live = services.catalogue(connection, Kind.TAX_RATES, now=now)
    assert services.catalogue(connection, Kind.TAX_RATES, now=now + timedelta(seconds=59)) == live
    assert len(sandbox.calls("GET", "/tax_rates")) == 1
    services.catalogue(connection, Kind.TAX_RATES, now=now + timedelta(seconds=61))
    assert len(sandbox.calls("GET", "/tax_rates")) == 2


def test_only_an_active_connection_becomes_one_to_reconnect(bare: Connection) -> None:
    services.needs_reconnect(bare)
    bare.refresh_from_db()
    assert bare.state == Connection.State.RECONNECT
    Connection.objects.update(state=Connection.State.DISCONNECTED, disconnected_at=bare.authorised_at)
    services.needs_reconnect(bare)
    bare.refresh_from_db()
    assert bare.state == Connection.State.DISCONNECTED
    assert services.live_connection() is None


def link(connection: Connection, now: datetime, **changes: Any) -> RemoteLink:
    given = {"kind": "CLIENT", "local_key": "a", "remote_id": "1", "remote_name": "A", "linked_at": now}
    return RemoteLink.objects.create(connection=connection, **{**given, **changes})


def second_live_connection(connection: Connection, now: datetime) -> None:
    Connection.objects.create(
        platform="sage_accounting", state="CHOOSING", authorised_at=now, authorised_by=connection.authorised_by
    )


def active_without_a_company(connection: Connection, now: datetime) -> None:
    Connection.objects.update(company_id="")


def reconnect_without_a_company(connection: Connection, now: datetime) -> None:
    Connection.objects.update(company_id="", state="RECONNECT")


def a_client_linked_twice(connection: Connection, now: datetime) -> None:
    link(connection, now)
    link(connection, now, remote_id="2")


def two_clients_linked_to_one(connection: Connection, now: datetime) -> None:
    link(connection, now)
    link(connection, now, local_key="b")


def a_link_to_nothing(connection: Connection, now: datetime) -> None:
    link(connection, now, remote_id="")


def disconnected_at_no_time(connection: Connection, now: datetime) -> None:
    Connection.objects.update(state="DISCONNECTED")


def one_company_connected_twice(connection: Connection, now: datetime) -> None:
    Connection.objects.update(state="DISCONNECTED", disconnected_at=now)
    Connection.objects.create(
        platform="sage_accounting",
        state="ACTIVE",
        company_id=connection.company_id,
        authorised_at=now,
        authorised_by=connection.authorised_by,
    )


def one_client_created_twice(connection: Connection, now: datetime) -> None:
    for _ in range(2):
        Creation.objects.create(connection=connection, kind="CLIENT", local_key="a", began_at=now)


def a_list_kept_twice(connection: Connection, now: datetime) -> None:
    for _ in range(2):
        Catalogue.objects.create(connection=connection, kind="TAX_RATES", entries=[], read_at=now)


def two_credentials(connection: Connection, now: datetime) -> None:
    for _ in range(2):
        Credential.objects.create(connection=connection, access="a", refresh="b", access_expires_at=now)


BROKEN: tuple[tuple[Callable[[Connection, datetime], None], str], ...] = (
    (second_live_connection, "connection_one_is_live"),
    (active_without_a_company, "connection_active_has_a_company"),
    (reconnect_without_a_company, "connection_active_has_a_company"),
    (a_client_linked_twice, "link_one_for_each_of_ours"),
    (two_clients_linked_to_one, "link_one_of_ours_for_each_of_theirs"),
    (a_link_to_nothing, "link_names_something"),
    (disconnected_at_no_time, "connection_disconnected_at_a_time"),
    (one_company_connected_twice, "connection_one_for_each_company"),
    (one_client_created_twice, "creation_one_for_each_of_ours"),
    (a_list_kept_twice, "catalogue_one_of_a_kind"),
    (two_credentials, "connectors_credential_pkey"),
)


@pytest.mark.parametrize(("broken", "name"), BROKEN, ids=[broken.__name__ for broken, _ in BROKEN])
def test_the_database_itself_refuses(
    bare: Connection, now: datetime, broken: Callable[[Connection, datetime], None], name: str
) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        broken(bare, now)


def test_every_constraint_of_the_connectors_is_broken_above() -> None:
    models = (Connection, Credential, Creation, RemoteLink, Catalogue)
    assert {constraint.name for model in models for constraint in model._meta.constraints} <= {
        name for _, name in BROKEN
    }


def test_two_rates_of_ours_may_be_one_of_theirs(bare: Connection, now: datetime) -> None:
    link(bare, now, kind="TAX_RATE", local_key="ZERO", remote_id="GB_ZERO")
    link(bare, now, kind="TAX_RATE", local_key="NO_VAT", remote_id="GB_ZERO")


def test_a_disconnected_connection_does_not_stand_in_the_way(bare: Connection, now: datetime) -> None:
    Connection.objects.update(state=Connection.State.DISCONNECTED, disconnected_at=now)
    second_live_connection(bare, now)
    assert services.live_connection() != bare


def test_what_is_another_one_of_ours_already_is_refused_in_words(connection: Connection, now: datetime) -> None:
    links.link_to(connection, RemoteLink.Kind.CLIENT, "ours", "theirs", "Castle Hill", now=now)
    with pytest.raises(Rejected, match="Castle Hill in Sage belongs to another one of ours already"):
        links.link_to(connection, RemoteLink.Kind.CLIENT, "another", "theirs", "Castle Hill", now=now)
