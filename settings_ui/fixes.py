"""The form that mends a root cause in place: what it shows, and what it does before the whole group goes again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date

from connectors import services as connectors
from connectors.interface import Entry, Fix, PlatformError, Rejected
from connectors.models import Catalogue, Connection
from connectors.options import Kind
from connectors.services import ChoiceRefused
from invoices import causes, linking, mending, trouble
from invoices.mending import Outcome
from invoices.models import Client, Item, Push, TaxRate
from invoices.push_views import person
from invoices.registers import CLIENTS
from invoices.trouble import Group

ADMIN = ("connectors.change_connection",)
CHANGE = ("invoices.change_invoice", "invoices.approve_invoice")


class Unfit(Exception):
    """What was typed can't be used; the message says why, `shown` is the form as it was typed."""

    def __init__(self, message: str, **shown: Any) -> None:
        super().__init__(message)
        self.shown = shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A group, and who wants what of it."""

    request: HttpRequest
    connection: Connection
    group: Group

    @property
    def actor(self) -> User:
        return person(self.request)

    @property
    def now(self) -> datetime:
        return timezone.now()

    @property
    def typed(self) -> Mapping[str, str]:
        return self.request.POST

    def send_again(self) -> Outcome:
        held = trouble.in_group(self.connection, self.group.key)
        return mending.send_again(held, self.connection, actor=self.actor, now=self.now)

    def amend(self, change: mending.Change) -> Outcome:
        held = trouble.in_group(self.connection, self.group.key)
        return mending.amend(held, change, actor=self.actor, now=self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One kind of mend: who may, what its form shows, and what it does. Raises Unfit, ChoiceRefused, PlatformError.

    One that is `late` asks Sage, and is read once somebody opens it.
    """

    name: str
    may: tuple[str, ...] = ()
    show: Callable[[Asked], dict[str, Any]] = lambda asked: {}
    do: Callable[[Asked], Outcome] = Asked.send_again
    late: bool = False


def _entries(connection: Connection, kind: Kind) -> tuple[Entry, ...]:
    """As they were last read; a choice is checked against the live list."""
    return Catalogue.kept(connection, kind) or connectors.catalogue(connection, kind, now=timezone.now())


def _show_taxes(asked: Asked) -> dict[str, Any]:
    codes = asked.group.subject.split(causes.SEVERAL)
    links = connectors.tax_links(asked.connection)
    rates = [(rate, links.get(rate.pk)) for rate in TaxRate.objects.filter(pk__in=codes)]
    return {"rates": rates, "entries": _entries(asked.connection, Kind.TAX_RATES)}


def _map_taxes(asked: Asked) -> Outcome:
    codes = asked.group.subject.split(causes.SEVERAL)
    chosen = {rate.pk: asked.typed.get(f"rate-{rate.pk}", "") for rate in TaxRate.objects.filter(pk__in=codes)}
    connectors.map_tax_rates(asked.connection, chosen, now=asked.now)
    return asked.send_again()


def _show_account(asked: Asked) -> dict[str, Any]:
    connection, is_sales = asked.connection, asked.group.kind == Fix.SALES_ACCOUNT
    entries = _entries(connection, Kind.SALES_ACCOUNTS if is_sales else Kind.PURCHASE_ACCOUNTS)
    chosen = connection.sales_account_id if is_sales else connection.purchase_account_id
    return {"entries": entries, "chosen": chosen, "is_sales": is_sales}


def _choose_account(asked: Asked) -> Outcome:
    kind = Kind.SALES_ACCOUNTS if asked.group.kind == Fix.SALES_ACCOUNT else Kind.PURCHASE_ACCOUNTS
    connectors.choose_account(asked.connection, kind, asked.typed.get("account", ""), now=asked.now)
    asked.connection.refresh_from_db()
    return asked.send_again()


def _show_code(asked: Asked) -> dict[str, Any]:
    entries = [entry for entry in _entries(asked.connection, Kind.SALES_ACCOUNTS) if entry.code]
    return {"entries": entries, "old": asked.group.subject}


def _recode(asked: Asked) -> Outcome:
    new = asked.typed.get("code", "")
    live = connectors.catalogue(asked.connection, Kind.SALES_ACCOUNTS, now=asked.now)
    if new not in {entry.code for entry in live if entry.code}:
        raise Unfit("Sage has no sales account with that nominal code. Choose one of the list.")
    return asked.amend(mending.recoded(asked.group.subject, new))


def _subject(asked: Asked) -> linking.Subject:
    connection, connector = linking.connected()
    if asked.group.kind == Fix.CLIENT_LINK:
        return linking.client_subject(_client(asked), connection, connector)
    item, items = Item.objects.get(uuid=asked.group.subject), connector.items
    if items is None:
        raise Unfit(f"{connector.label} keeps no items of ours.")
    return linking.item_subject(item, connection, items)


def _show_link(asked: Asked) -> dict[str, Any]:
    return linking.choices(asked.request, asked.connection, _subject(asked))


def _link(asked: Asked) -> Outcome:
    if not linking.settle(asked.request, asked.connection, _subject(asked)):
        raise Unfit("Choose which one it is first.")
    return asked.send_again()


def _client(asked: Asked) -> Client:
    return Client.objects.get(uuid=asked.group.subject)


def _show_client(asked: Asked) -> dict[str, Any]:
    return {"form": _client_form(asked, None)}


def _client_form(asked: Asked, typed: Mapping[str, str] | None) -> Any:
    form = CLIENTS.form(typed, _client(asked))
    form.auto_id = f"client-{asked.group.subject}-%s"  # several clients may stand on one page
    return form


def _change_client(asked: Asked) -> Outcome:
    form = _client_form(asked, asked.typed)
    if not form.is_valid():
        raise Unfit("The client is not saved yet: see what is said beside the fields.", form=form)
    form.save()
    return asked.send_again()


def _show_date(asked: Asked) -> dict[str, Any]:
    return {"day": asked.typed.get("day") or timezone.localdate().isoformat()}


def _move(asked: Asked) -> Outcome:
    try:
        day: date | None = parse_date(asked.typed.get("day", ""))
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year < 2100:  # noqa: PLR2004  # a slip of the keyboard, such as the year 0026
        raise Unfit("Type the new date, such as 2026-11-30.")
    return asked.amend(mending.dated(day))


def _settle_numbers(asked: Asked) -> Outcome:
    held = trouble.in_group(asked.connection, asked.group.key)
    return mending.settle_numbers(held, actor=asked.actor, now=asked.now)


AGAIN = Form(name="")
ACCOUNT = Form(name="account", may=ADMIN, show=_show_account, do=_choose_account)
CODE = Form(name="code", may=CHANGE, show=_show_code, do=_recode)
LINK = Form(name="link", show=_show_link, do=_link, late=True)
CLIENT = Form(name="client", may=("invoices.change_client",), show=_show_client, do=_change_client)
FORMS: dict[str, Form] = {
    Fix.TAX_RATES: Form(name="taxes", may=ADMIN, show=_show_taxes, do=_map_taxes),
    Fix.SALES_ACCOUNT: ACCOUNT,
    Fix.PURCHASE_ACCOUNT: ACCOUNT,
    Fix.CLIENT_LINK: LINK,
    Fix.ITEM_LINK: LINK,
    Fix.CLIENT: CLIENT,
    Fix.DATE: Form(name="date", may=CHANGE, show=_show_date, do=_move),
    Push.Cause.NUMBER_TAKEN: Form(name="numbers", do=_settle_numbers),
}


def form_of(connection: Connection, group: Group) -> Form:
    """The form that mends this group; where there is none, it is mended elsewhere and then sent again."""
    form = FORMS.get(group.kind, AGAIN)
    if form is ACCOUNT and group.kind == Fix.SALES_ACCOUNT and _is_of_lines(connection, group.subject):
        return AGAIN if causes.SEVERAL in group.subject else CODE
    if form in (LINK, CLIENT) and not _is_known(group):
        return AGAIN
    return form


def _is_of_lines(connection: Connection, subject: str) -> bool:
    """Whether it is about nominal codes that lines carry, and not about the default."""
    codes = set(subject.split(causes.SEVERAL))
    return connection.options.codes_per_line and codes <= {
        *(entry.code for entry in Catalogue.kept(connection, Kind.SALES_ACCOUNTS)),
    }


def _is_known(group: Group) -> bool:
    try:
        UUID(group.subject)
    except ValueError:
        return False
    return bool(group.name)


def panel(asked: Asked, unfit: Exception | None = None) -> dict[str, Any]:
    """The form as the page shows it, with what is wrong with what was typed."""
    form = form_of(asked.connection, asked.group)
    shown: dict[str, Any] = {"name": form.name, "late": form.late and unfit is None, "error": _in_words(unfit)}
    shown["may"] = asked.actor.has_perms(("invoices.send_invoice", *form.may))
    if not shown["may"] or shown["late"]:
        return shown
    try:
        shown |= form.show(asked)
    except (PlatformError, Unfit) as error:
        shown["trouble"] = str(error)
    return {**shown, **(unfit.shown if isinstance(unfit, Unfit) else {})}


def _in_words(error: Exception | None) -> str:
    """What it means, where Sage refused it."""
    if isinstance(error, Rejected):
        return " ".join(problem.meaning or problem.message for problem in error.problems)
    return str(error or "")


__all__ = ["Asked", "ChoiceRefused", "Unfit", "form_of", "panel"]
