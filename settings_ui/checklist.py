"""What stands between a new installation and its first push: each tick is computed from what is really there."""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.models import Connection
from connectors.options import Kind
from connectors.services import platform_of, tax_links
from incrementors.models import Group
from invoices.models import TaxRate


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the checklist; `state` is done, next, bad or "" for later; `anchor` names its panel."""

    anchor: str
    title: str
    text: str
    state: str = ""


def steps(connection: Connection | None) -> list[Step]:
    """The steps in order, without those that choose from a list the platform does not keep; the first that is not
    done is `next`."""
    found = [_authorise(connection), _organisation(connection), *_accounts(connection), _taxes(connection)]
    found.append(_numbering(connection))
    for index, step in enumerate(found):
        if step.state != "done":
            state = "bad" if step.state == "bad" else "next"
            found[index] = Step(anchor=step.anchor, title=step.title, text=step.text, state=state)
            break
    return found


def undone(connection: Connection) -> set[str]:
    """The titles of the steps that are not done."""
    return {step.title for step in steps(connection) if step.state != "done"}


def _step(anchor: str, title: str, done: str, otherwise: str) -> Step:
    return Step(anchor=anchor, title=title, text=done or otherwise, state="done" if done else "")


def _authorise(connection: Connection | None) -> Step:
    title, username = "Authorise", connection.username if connection else ""
    if connection and connection.state == Connection.State.RECONNECT:
        text = "Sage no longer accepts our authorisation. Invoices wait safely; press AUTHORISE to go on."
        if username:
            text = f"Sage no longer accepts {username}. Invoices wait safely; connect again to go on."
        return Step(anchor="authorise", title=title, text=text, state="bad")
    who = (connection.authorised_by.get_full_name() or connection.authorised_by) if connection else ""
    done = f"Connected as {username}, by {who}." if username else f"Authorised by {who}."
    return _step("authorise", title, done if connection else "", "Let Reflow work in your books.")


def _organisation(connection: Connection | None) -> Step:
    done = connection.company_name if connection else ""
    return _step("organisation", "Organisation", done, "Choose whose books invoices go to.")


def _accounts(connection: Connection | None) -> Iterator[Step]:
    sales = connection.sales_account_name if connection else ""
    yield _step(
        "sales",
        "Default nominal code",
        f"{sales}. Every line of every invoice is posted to it." if sales else "",
        "Every line of every invoice is posted to it; it can be changed in Sage afterwards.",
    )
    if connection is None or Kind.PURCHASE_ACCOUNTS in platform_of(connection).lists:
        purchase = connection.purchase_account_name if connection else ""
        yield _step(
            "purchase",
            "Default purchase ledger account",
            f"{purchase}." if purchase else "",
            "For products and services that sending an invoice creates in Sage.",
        )


def _taxes(connection: Connection | None) -> Step:
    links = tax_links(connection) if connection else {}
    missing = [rate.name for rate in TaxRate.objects.all() if rate.pk not in links]
    done = "Each of our rates has one of Sage's." if not missing else ""
    return _step("taxes", "Tax", done, f"Not mapped yet: {', '.join(missing)}.")


def _numbering(connection: Connection | None) -> Step:
    group = Group.objects.get(pk=Group.INVOICES)
    text = f"The next invoice is {group.pattern.text(group.next_value)}."
    if connection and connection.options.platform_numbers:
        return _step("numbering", "Numbering", f"{text} It shows Sage's number once Sage has given it one.", "")
    limit = platform_of(connection).prefix_limit if connection else len(group.prefix)
    fits = len(group.prefix) <= limit
    otherwise = f"The prefix {group.prefix} is longer than the {limit} characters Sage takes."
    return _step("numbering", "Numbering", text if fits else "", otherwise)
