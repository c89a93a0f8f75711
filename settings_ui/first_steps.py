"""What a new business still has to do before invoices reach Sage by themselves: computed from what is really there."""

from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.urls import reverse

from connectors.models import Connection
from invoices import dashboard
from invoices.models import Company, ViewChoice
from settings_ui import checklist
from settings_ui.checklist import Step

ADMINS, STAFF = "Ask an admin.", "Staff do this."
PAGE, PART = "dashboard", "set-up"
IN_SAGE = ("authorise", "organisation", "sales", "purchase", "taxes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do; `state` is done, next, bad or "" for later; who may not has no `url`, and is told `ask`."""

    title: str
    text: str
    done: bool
    permission: str
    url: str
    action: str
    ask: str = ADMINS
    parts: tuple[Step, ...] = ()
    state: str = ""


def tasks(user: User, connection: Connection | None) -> list[Task]:
    """In order; the first that this person can do is `next`."""
    steps = {step.anchor: step for step in checklist.steps(connection)}
    parts = tuple(steps[anchor] for anchor in IN_SAGE if anchor in steps)
    company_name = connection.company_name if connection else ""
    found = [_sage(parts, company_name), _company(), _numbering(steps["numbering"]), _people(), *_invoices()]
    found = [task if user.has_perm(task.permission) else replace(task, url="") for task in found]
    found = [replace(task, state="done") if task.done else task for task in found]
    for index, task in enumerate(found):
        if not task.done and task.url:
            found[index] = replace(task, state=task.state or "next")
            break
    return found


def _company() -> Task:
    company = Company.ours()
    missing = [word for word, there in (("name", company.name), ("address", company.address)) if not there]
    return Task(
        title="Company details",
        text=_missing(missing) if missing else company.name,
        done=not missing,
        permission="invoices.change_company",
        url=reverse("company"),
        action="Add it" if len(missing) == 1 else "Add them",
    )


def _missing(words: list[str]) -> str:
    stands = "It stands" if len(words) == 1 else "They stand"
    return f"Still missing: {' and '.join(words)}. {stands} on every invoice; a logo is optional."


def _sage(parts: tuple[Step, ...], company_name: str) -> Task:
    """What is set up on the connector's page, as it says so there."""
    first = next((step for step in parts if step.state != "done"), None)
    bad = any(step.state == "bad" for step in parts)
    return Task(
        title="Connect to Sage",
        text=f"{first.title}. {first.text}" if first else f"Invoices go to {company_name}.",
        done=first is None,
        permission="connectors.change_connection",
        url=reverse("connector") + (f"#{first.anchor}" if first else ""),
        action="Connect" if first is parts[0] else "Continue",
        parts=parts,
        state="bad" if bad else "",
    )


def _numbering(step: Step) -> Task:
    return Task(
        title="Numbering",
        text=step.text,
        done=step.state == "done",
        permission="incrementors.change_group",
        url=reverse("incrementor-list"),
        action="Change it",
    )


def _people() -> Task:
    count = User.objects.filter(is_active=True).count()
    return Task(
        title="People",
        text=f"{count} people can sign in." if count > 1 else "Invite who raises invoices and who approves them.",
        done=count > 1,
        permission="auth.change_user",
        url=reverse("person-new"),
        action="Invite somebody",
    )


def _invoices() -> tuple[Task, Task]:
    raised, sent = dashboard.has_raised(), dashboard.has_sent()
    first = Task(
        title="First invoice",
        text="Raised." if raised else "A client, a line or two, and it has its number.",
        done=raised,
        permission="invoices.add_invoice",
        url=reverse("invoice-new"),
        action="New invoice",
        ask=STAFF,
    )
    push = Task(
        title="First invoice in Sage",
        text="Sent." if sent else "Open an invoice and press Send to Sage: it is there a moment later.",
        done=sent,
        permission="invoices.send_invoice",
        url=reverse("invoice-list") if raised else "",
        action="Choose an invoice",
        ask=STAFF if raised else "",
    )
    return first, push


def is_hidden(user: User) -> bool:
    return ViewChoice.objects.filter(user=user, page=PAGE, left_out__contains=PART).exists()


def hide(user: User, *, hidden: bool) -> None:
    left_out = [PART] if hidden else []
    ViewChoice.objects.update_or_create(user=user, page=PAGE, defaults={"left_out": left_out})
