"""What stands between a new installation and its first push: each tick is computed from what is really there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from connectors.models import Connection
from connectors.options import Kind
from connectors.services import platform_of, tax_links
from incrementors.models import Group
from incrementors.patterns import MAX_LENGTH
from invoices.models import Push, TaxRate
from invoices.services import next_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the checklist; `state` is done, next, bad or "" for later; `anchor` names its panel.

    All but the last belong to the set-up: with them done, the next approved invoice can be sent.
    """

    anchor: str
    title: str
    text: str
    state: str = ""
    is_set_up: bool = True


def steps(connection: Connection | None) -> list[Step]:
    """The steps in order, without those that choose from a list the platform does not keep; the first that is not
    done is `next`."""
    found = [_authorise(connection), _organisation(connection), *_accounts(connection), _taxes(connection)]
    found += [_numbering(connection), _first_sent(connection)]
    for index, step in enumerate(found):
        if step.state != "done":
            found[index] = replace(step, state=step.state or "next")
            break
    return found


def undone(connection: Connection) -> set[str]:
    """The titles of the steps of the set-up that are not done."""
    return {step.title for step in steps(connection) if step.is_set_up and step.state != "done"}


def is_ready(found: list[Step]) -> bool:
    return all(step.state == "done" for step in found if step.is_set_up)


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
    done = f"{connection.company_name}. To send to another one, disconnect first." if connection else ""
    chosen = connection is not None and connection.company_id
    return _step("organisation", "Organisation", done if chosen else "", "Choose whose books invoices go to.")


def _accounts(connection: Connection | None) -> Iterator[Step]:
    sales = connection.sales_account_name if connection else ""
    yield _step(
        "sales",
        "Default nominal code",
        f"{sales}. Every line of every invoice is posted to it." if sales else "",
        "Not chosen yet. Every line of every invoice is posted to it; it can be changed in Sage afterwards.",
    )
    if connection is None or Kind.PURCHASE_ACCOUNTS in platform_of(connection).lists:
        purchase = connection.purchase_account_name if connection else ""
        yield _step(
            "purchase",
            "Default purchase ledger account",
            f"{purchase}, for products and services that sending an invoice creates in Sage." if purchase else "",
            "Not chosen yet. For products and services that sending an invoice creates in Sage.",
        )


def _taxes(connection: Connection | None) -> Step:
    """A rate of another percentage than Sage's would keep its invoices from being sent, so it is not done either."""
    links = tax_links(connection) if connection else {}
    rates = list(TaxRate.objects.all())
    if missing := [rate.name for rate in rates if rate.pk not in links]:
        return _step("taxes", "Tax", "", f"Not mapped yet: {', '.join(missing)}.")
    told = [(rate, links[rate.pk]) for rate in rates]
    for rate, link in told:
        if link.percentage is not None and link.percentage != rate.percentage:
            text = (
                f"{rate.name} is {rate.percentage.normalize():f} % here, but {link.remote_name} in Sage is "
                f"{link.percentage.normalize():f} %. Choose one of the same percentage."
            )
            return _step("taxes", "Tax", "", text)
    return _step("taxes", "Tax", "Each of our rates has one of Sage's.", "")


def _numbering(connection: Connection | None) -> Step:
    group, number, title = Group.objects.get(pk=Group.INVOICES), next_number(), "Numbering"
    text = f"The next invoice is {number}."
    if len(number) > MAX_LENGTH:
        long = f"{number} is longer than the {MAX_LENGTH} characters Sage takes. Shorten its prefix or suffix."
        return _step("numbering", title, "", long)
    if connection and connection.options.platform_numbers:
        return _step("numbering", title, f"{text} It shows Sage's number once Sage has given it one.", "")
    limit = platform_of(connection).prefix_limit if connection else len(group.prefix)
    fits = len(group.prefix) <= limit
    otherwise = (
        f"The prefix {group.prefix} is longer than the {limit} characters Sage takes. Shorten it, or let Sage number."
    )
    return _step("numbering", title, text if fits else "", otherwise)


def _first_sent(connection: Connection | None) -> Step:
    """Seen in the books, not remembered: the latest invoice that Sage took over this connection."""
    sent = Push.objects.filter(connection=connection, state=Push.State.SENT).select_related("invoice", "remote")
    push = sent.order_by("-pk").first() if connection else None
    done = ""
    if push and push.remote:
        theirs = f", as {push.remote.number}" if push.remote.number not in ("", push.invoice.number) else ""
        done = f"Sage holds {push.invoice.number}{theirs}."
    step = _step("sent", "First invoice sent", done, "None yet. Once it is in Sage, this shows what Sage made of it.")
    return replace(step, is_set_up=False)
