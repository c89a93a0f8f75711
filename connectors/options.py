"""The sync settings a platform can have: what each is called, what it does to the next invoice, and its default."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Control(StrEnum):
    """How a setting is chosen on screen."""

    SWITCH = "SWITCH"
    CHOICE = "CHOICE"
    DATE = "DATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One sync setting: what people read, what it does to the next invoice, and its value until they change it."""

    name: str
    label: str
    effect: str
    control: Control = Control.SWITCH
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The sync settings of a connection, as they are set now."""

    as_drafts: bool = False
    create_items: bool = False
    send_on_approval: bool = False
    platform_numbers: bool = False
    codes_per_line: bool = False
    sync_from: date | None = None


CREATE_AS = Setting(
    name="create_as",
    label="Create invoices as",
    effect="Created is final. A draft is released in Sage, and its number comes back then.",
    control=Control.CHOICE,
    choices=(("CREATED", "Created"), ("DRAFT", "Draft")),
    default="CREATED",
)
CREATE_ITEMS = Setting(
    name="create_items",
    label="Create line items in Sage when exporting",
    effect="An item that Sage does not know is added to its products and services, on the default nominal code and the "
    "default purchase ledger account.",
)
SEND_ON_APPROVAL = Setting(
    name="send_on_approval",
    label="Send on approval",
    effect="Approving an invoice sends it at once, without a press on Send to Sage.",
)
NUMBERS = Setting(
    name="numbers",
    label="Whose number",
    effect="Ours: Sage takes our number. Sage's: Sage gives its own, which comes back and is what shows.",
    control=Control.CHOICE,
    choices=(("OURS", "Our numbers"), ("PLATFORM", "Sage numbers")),
    default="OURS",
)
CODES_PER_LINE = Setting(
    name="codes_per_line",
    label="Nominal code per item and line",
    effect="Items and lines may carry a nominal code of their own; one without goes to the default.",
)
SYNC_FROM = Setting(
    name="sync_from",
    label="Sync from",
    effect="Invoices dated before this day are not sent.",
    control=Control.DATE,
)


def options_of(stored: Mapping[str, str]) -> Options:
    """Settings as they are stored, by name -> what they mean; one that was never set has its default."""
    return Options(
        as_drafts=stored.get("create_as", CREATE_AS.default) == "DRAFT",
        create_items=stored.get("create_items") == "ON",
        send_on_approval=stored.get("send_on_approval") == "ON",
        platform_numbers=stored.get("numbers", NUMBERS.default) == "PLATFORM",
        codes_per_line=stored.get("codes_per_line") == "ON",
        sync_from=date.fromisoformat(stored["sync_from"]) if stored.get("sync_from") else None,
    )
