"""The sync settings a platform can have: what each is called, what it does to the next invoice, and its default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """A list that the platform keeps and a person chooses from."""

    SALES_ACCOUNTS = "SALES_ACCOUNTS"
    PURCHASE_ACCOUNTS = "PURCHASE_ACCOUNTS"
    TAX_RATES = "TAX_RATES"
    TAX_SOLUTIONS = "TAX_SOLUTIONS"
    LOCATIONS = "LOCATIONS"
    DEPARTMENTS = "DEPARTMENTS"
    TERMS = "TERMS"


class Control(StrEnum):
    """How a setting is chosen on screen."""

    SWITCH = "SWITCH"
    CHOICE = "CHOICE"
    DATE = "DATE"
    LIST = "LIST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One sync setting: what people read, what it does to the next invoice, and its value until they change it.

    One with the control LIST is chosen from the platform's list `kind`. Where a change of it makes another list be
    offered than before, `clears` names that list: what was chosen from it is chosen anew.
    """

    name: str
    label: str
    effect: str
    control: Control = Control.SWITCH
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""
    kind: Kind | None = None
    clears: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The sync settings of a connection, as they are set now."""

    as_drafts: bool = False
    create_items: bool = False
    send_on_approval: bool = False
    platform_numbers: bool = False
    codes_per_line: bool = False
    sync_from: date | None = None
    account_labels: bool = False
    tax_solution_id: str = ""
    location_id: str = ""
    department_id: str = ""
    term_id: str = ""
    imports: bool = False
    reads_back: bool = True
    sync_every: timedelta = timedelta(minutes=15)


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
PLATFORM_NUMBERS = replace(NUMBERS, default="PLATFORM")
ACCOUNT_LABELS = Setting(
    name="account_labels",
    label="Post to",
    effect="What a line names in Sage. Where your company uses account labels, Sage refuses lines that name a GL "
    "account.",
    control=Control.CHOICE,
    choices=(("OFF", "GL accounts"), ("ON", "Account labels")),
    default="OFF",
    clears=(Kind.SALES_ACCOUNTS, Kind.TAX_RATES),
)
TAX_SOLUTION = Setting(
    name="tax_solution",
    label="Tax solution",
    effect="With one, each line carries its tax entry. Without, the tax is a line of its own on the mapped account.",
    control=Control.LIST,
    kind=Kind.TAX_SOLUTIONS,
    clears=(Kind.TAX_RATES,),
)
LOCATION = Setting(
    name="location",
    label="Location",
    effect="Every line is posted to it, unless the invoice's property has one of its own.",
    control=Control.LIST,
    kind=Kind.LOCATIONS,
)
DEPARTMENT = Setting(
    name="department",
    label="Department",
    effect="Every line is posted to it, unless the invoice's property has one of its own.",
    control=Control.LIST,
    kind=Kind.DEPARTMENTS,
)
TERM = Setting(
    name="term",
    label="Term",
    effect="The payment term that invoices name in Sage. The due date is always sent as it stands here.",
    control=Control.LIST,
    kind=Kind.TERMS,
)
DIRECTION = Setting(
    name="direction",
    label="Invoice direction",
    effect="Export: ours go to Sage. Export and import: invoices raised in Sage also come here, read-only, with their "
    "number.",
    control=Control.CHOICE,
    choices=(("EXPORT", "Export"), ("BOTH", "Export and import")),
    default="EXPORT",
)
BOTH_WAYS = replace(DIRECTION, default="BOTH")
READ_BACK = Setting(
    name="read_back",
    label="Read back payments and voids",
    effect="What is paid, voided or deleted in Sage shows here.",
    default="ON",
)
SYNC_EVERY = Setting(
    name="sync_every",
    label="How often",
    effect="How long after one sync the next one begins. Sync now is always there.",
    control=Control.CHOICE,
    choices=(("5", "Every 5 minutes"), ("15", "Every 15 minutes"), ("60", "Every hour"), ("1440", "Once a day")),
    default="15",
)
SYNC_FROM = Setting(
    name="sync_from",
    label="Sync from",
    effect="Invoices dated before this day are neither sent nor brought in.",
    control=Control.DATE,
)


def options_of(stored: Mapping[str, str], settings: Sequence[Setting]) -> Options:
    """Settings as they are stored, by name -> what they mean; one that was never set has its platform's default."""
    chosen = {setting.name: stored.get(setting.name, setting.default) for setting in settings}
    since = chosen.get("sync_from")
    return Options(
        as_drafts=chosen.get("create_as") == "DRAFT",
        create_items=chosen.get("create_items") == "ON",
        send_on_approval=chosen.get("send_on_approval") == "ON",
        platform_numbers=chosen.get("numbers") == "PLATFORM",
        codes_per_line=chosen.get("codes_per_line") == "ON",
        sync_from=date.fromisoformat(since) if since else None,
        account_labels=chosen.get("account_labels") == "ON",
        tax_solution_id=chosen.get("tax_solution", ""),
        location_id=chosen.get("location", ""),
        department_id=chosen.get("department", ""),
        term_id=chosen.get("term", ""),
        imports=chosen.get("direction") == "BOTH",
        reads_back=chosen.get("read_back") == "ON",
        sync_every=timedelta(minutes=int(chosen.get("sync_every", "15"))),
    )
