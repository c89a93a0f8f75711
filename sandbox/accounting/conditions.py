"""What a person in an organisation can set, and Sage then refuses entries by: dates, rights, archived codes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from sandbox.accounting.catalogue import Account, TaxRate
from sandbox.accounting.reading import Json, Reader

SCHEMA = "CREATE TABLE IF NOT EXISTS condition (business_id TEXT PRIMARY KEY, held TEXT NOT NULL);"
ACCESS = ("full", "restricted", "read_only", "none")
DAYS = ("accounts_start_date", "year_end_lockdown_date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Days are ISO text, so that they compare as days do; an empty one is none."""

    accounts_start_date: str = "2019-04-01"
    year_end_lockdown_date: str = ""
    subscription_active: bool = True
    access: str = "full"
    totals_must_agree: bool = True
    archived: Mapping[str, bool] = field(default_factory=dict)  # by nominal code; others are as the chart has them
    tax_rates_ended: Mapping[str, str] = field(default_factory=dict)  # the last day of each

    def why_closed(self, day: str) -> str | None:
        """The first text is as others report Sage's, the second is worded after it (an assumption)."""
        for limit, name in (
            (self.accounts_start_date, "Accounts Start Date"),
            (self.year_end_lockdown_date, "Year End Lockdown Date"),
        ):
            if day < limit:
                return f"You cannot record entries prior to your {name} of {date.fromisoformat(limit):%d/%m/%Y}."
        return None

    def ended(self, tax_rate: TaxRate, day: str) -> bool:
        last = self.tax_rates_ended.get(tax_rate.id, "")
        return bool(last) and day > last

    def apply(self, account: Account) -> Account:
        return replace(account, archived=self.archived.get(str(account.nominal_code), account.archived))

    def document(self) -> Json:
        return asdict(self)


def changed(held: Conditions, given: Mapping[str, Any], known: Mapping[str, frozenset[str]]) -> Conditions:
    """The conditions with what is given; `known` are the keys that `archived` and `tax_rates_ended` may carry.

    Raises Refused with every problem found.
    """
    reader, values = Reader(given, []), held.document()
    for name in given:
        if name in known:
            values[name] = {**values[name], **_read_part(reader.part(name), name, known[name])}
        elif name in values:
            values[name] = _read(reader, name)
        else:
            reader.note("is not a setting of these books", name)
    reader.settle()
    return Conditions(**values)


def _read_part(reader: Reader, name: str, known: frozenset[str]) -> Json:
    for key in reader.fields.keys() - known:
        reader.note("is not known in these books", key)
    return {key: _switch(reader, key) if name == "archived" else _day(reader, key) for key in reader.fields}


def _read(reader: Reader, name: str) -> object:
    if name in DAYS:
        return _day(reader, name, required=name == "accounts_start_date")
    if name != "access":
        return _switch(reader, name)
    if reader.fields[name] not in ACCESS:
        reader.note(f"takes one of: {', '.join(ACCESS)}", name)
    return reader.fields[name]


def _day(reader: Reader, name: str, *, required: bool = False) -> str:
    day = reader.day(name, required=required)
    return day.isoformat() if day else ""


def _switch(reader: Reader, name: str) -> bool:
    if not isinstance(reader.fields[name], bool):
        reader.note("takes one of: true, false", name)
    return reader.fields[name] is True
