"""A day of many invoices of which some are bad for six reasons, and each reason's mend as a person posts it."""

import time
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils import timezone

from connectors.models import Connection
from connectors.options import Kind
from connectors.services import catalogue, set_sync_settings
from invoices import push as worker
from invoices import services, trouble
from invoices.models import Client, Invoice, Push, TaxRate
from tests.books import Sandbox
from tests.conftest import draft_for, line

CAUSES = ("TAX_RATES", "SALES_ACCOUNT", "CLIENT_LINK", "CLIENT", "DATE", "NUMBER_TAKEN")
CONTACTS = "POST /accounting/v3.1/contacts"


def work_off(*, seconds: int = 60) -> None:
    """A worker's whole day: as sweeps find it, until nothing is due any more."""
    deadline = time.monotonic() + seconds
    while Push.objects.filter(state__in=["READY", "SENDING", "UNKNOWN"]).exists():
        assert time.monotonic() < deadline, "There is still something on its way."
        for push_id in worker.sweep(now=timezone.now()):
            left: int | None = push_id
            while left is not None:
                found = worker.work(left)
                left = found[0] if found and found[1] <= timezone.now() else None


@dataclass
class Day:
    """`bad` invoices of each cause among good ones, sent; what belongs to each cause, by its kind."""

    sandbox: Sandbox
    connection: Connection
    staff: User
    now: datetime
    bad: int
    good: int
    made: dict[str, list[Invoice]] = field(default_factory=dict)

    def send(self) -> None:
        self.clients = {name: Client.objects.create(name=name, reference=name[:5].upper()) for name in NAMES}
        set_sync_settings(self.connection, {**self.connection.sync_settings, "codes_per_line": "ON"})
        self.connection.refresh_from_db()
        for client in (self.clients["Good Ltd"], self.clients["Gone Ltd"]):
            self._queue([self._invoice(client)])
        work_off()
        for kind in CAUSES:
            self.made[kind] = [self._invoice(**self._bad(kind)) for _ in range(self.bad)]
        for invoice in self.made["NUMBER_TAKEN"]:
            self.sandbox.by_hand(contact_name="Somebody else", number=invoice.number, date="2026-11-20")
        self._happen()
        every = [invoice for invoices in self.made.values() for invoice in invoices]
        self._queue([*every, *(self._invoice(self.clients["Good Ltd"]) for _ in range(self.good))])
        work_off(seconds=600)

    def _bad(self, kind: str) -> dict[str, Any]:
        good = self.clients["Good Ltd"]
        return {
            "TAX_RATES": {"client": good, "lines": [line(tax_rate=TaxRate.objects.get(pk="ZERO"))]},
            "SALES_ACCOUNT": {"client": good, "lines": [line(nominal_code="4010")]},
            "CLIENT_LINK": {"client": self.clients["Gone Ltd"]},
            "CLIENT": {"client": self.clients["Twice Ltd"]},
            "DATE": {"client": good, "issue_date": date(2025, 12, 15), "due_date": date(2026, 1, 14)},
            "NUMBER_TAKEN": {"client": good},
        }[kind]

    def _invoice(self, client: Client, lines: Any = (), **changes: Any) -> Invoice:
        return services.create_invoice(draft=draft_for(client, *lines, **changes), actor=self.staff, now=self.now)

    def _queue(self, invoices: list[Invoice]) -> None:
        for invoice in invoices:
            services.request_push(invoice_id=invoice.pk, actor=self.staff, now=timezone.now())

    def _happen(self) -> None:
        """What a bookkeeper did in Sage meanwhile."""
        catalogue(self.connection, Kind.SALES_ACCOUNTS, now=timezone.now())
        gone = next(row["id"] for row in self.sandbox.contacts() if row["name"] == "Gone Ltd")
        self.sandbox.set_books(
            tax_rates_ended={"GB_ZERO": "2026-01-31"},
            archived={"4010": True},
            contacts={gone: "deleted"},
            year_end_lockdown_date="2026-01-01",
        )
        self.sandbox.by_hand(contact_name="Gone Ltd of York", date="2026-11-20")
        taken = {"data_code": "RecordInvalid", "message": "has already been taken", "source": "reference"}
        self.sandbox.fault("refused", on=CONTACTS, times=None, **taken)

    def mend(self, browser: Browser, kind: str) -> None:
        """Through the page's own form."""
        group = next(one for one in trouble.shown(trouble.groups(self.connection)) if one.kind == kind)
        self.sandbox.clear_faults()
        posted = {"cause": group.key, **FORMS[kind]}
        if kind == "CLIENT_LINK":
            there = (row["id"] for row in self.sandbox.contacts() if row["name"] == "Gone Ltd of York")
            posted["remote"] = next(there)
        if kind == "CLIENT":
            twice = self.clients["Twice Ltd"]
            posted |= {"name": twice.name, "email": "", "terms_days": "", "address_line_1": "", "address_line_2": ""}
            posted |= {"city": "", "postal_code": "", "country": "GB"}
        answer = browser.post("/sync/mend/", posted, follow=True)
        assert f"{self.bad} invoice{'s were' if self.bad > 1 else ' was'} queued for Sage again." in answer.text, (
            kind,
            answer.text.partition("<main")[2][:3000],
        )

    def in_sage(self) -> list[str]:
        """The references of what Sage holds of ours, each as often as it holds it."""
        return sorted(row["reference"] for row in self.sandbox.business()["invoices"] if row["reference"])


NAMES = ("Good Ltd", "Gone Ltd", "Twice Ltd")
FORMS: dict[str, dict[str, str]] = {
    "TAX_RATES": {"rate-ZERO": "GB_EXEMPT"},
    "SALES_ACCOUNT": {"code": "4000"},
    "CLIENT_LINK": {"q": "Gone Ltd"},
    "CLIENT": {"reference": "TWICE2"},
    "DATE": {"day": "2026-11-02"},
    "NUMBER_TAKEN": {},
}
