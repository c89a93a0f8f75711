"""Reads one line of an invoice against the books: its account or label, its dimensions, its tax."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.intacct import kinds
from sandbox.intacct.answers import Json
from sandbox.intacct.references import Desk, reference
from sandbox.intacct.sums import money_text, pennies

NAMED = {"class": "Class", "costType": "Cost Type"}
OVERRIDE = "Currently, we cannot create the transaction."
ALLOW_OVERRIDE = (
    "This transaction requires configuration changes or user permissions:"
    " enable GL account override, or allow AP or AR account override."
)


def read_line(desk: Desk, line: Mapping[str, Any], target: str, solution: Json | None, *, draft: bool) -> Json:
    """The line as the books keep it, less keys and base amounts; problems are noted at the desk."""
    label = _read_label(desk, line, target)
    account = _read_account(desk, line, target, label)
    dimensions = _read_dimensions(desk, line.get("dimensions") or {}, f"{target}/dimensions")
    if account is not None and not draft:
        _check_required(desk, account, dimensions, target)
    if account is None and not (draft or desk.problems):
        desk.note("GL account is required on every line.", f"{target}/glAccount")
    return {
        "key": line.get("key"),
        "glAccount": reference(account, "name"),
        "accountLabel": reference(label),
        "txnAmount": money_text(Decimal(line["txnAmount"])),
        "memo": line.get("memo") or "",
        "isSubtotal": None,
        "dimensions": dimensions,
        "taxEntries": [
            entry
            for index, each in enumerate(line.get("taxEntries") or [])
            if (entry := _read_tax(desk, line, each, f"{target}/taxEntries/{index}", solution))
        ],
    }


def _read_label(desk: Desk, line: Mapping[str, Any], target: str) -> Json | None:
    target = f"{target}/accountLabel"
    if line.get("accountLabel") and not desk.conditions.use_account_labels:
        desk.note("Account labels are not enabled for this company.", target)
        return None
    label = desk.find_active(kinds.LABEL, line.get("accountLabel"), target, "Account label '{}' is not valid.")
    if label is not None and label["isSubtotal"]:
        message = "Choose or enter another account label. Subtotal account labels are not valid for line items."
        desk.note(message, target, error_id="AR-0148")
    return label


def _read_account(desk: Desk, line: Mapping[str, Any], target: str, label: Json | None) -> Json | None:
    given = line.get("glAccount")
    if given and desk.conditions.use_account_labels:
        desk.note(OVERRIDE, f"{target}/glAccount", error_id="AR-0279", correction=ALLOW_OVERRIDE)
        return None
    if label is not None:
        return desk.books.find_id(kinds.ACCOUNT, label["glAccount"]["id"])
    account = desk.find_active(kinds.ACCOUNT, given, f"{target}/glAccount", "Account {} is not valid.")
    if account is not None and account["disallowDirectPosting"]:
        desk.note(f"Account {account['id']} does not allow direct posting.", f"{target}/glAccount")
    return account


def _read_dimensions(desk: Desk, given: Mapping[str, Any], target: str) -> Json:
    """At an entity the location is filled in; other dimensions than these three have no records here."""
    known = {
        "location": (kinds.LOCATION, "Location '{}' is not valid."),
        "department": (kinds.DEPARTMENT, "Department '{}' is not valid."),
        "customer": (kinds.CUSTOMER, "Customer '{}' specified is not valid."),
    }
    read: Json = {}
    for name, ref in given.items():
        if name in known:
            kind, message = known[name]
            read[name] = reference(desk.find_active(kind, ref, f"{target}/{name}", message), "name")
        elif ref:
            shown = NAMED.get(name, name.capitalize())
            desk.note(f"Invalid {shown} '{ref.get('id') or ref.get('key')}' specified.", f"{target}/{name}")
    read["location"] = _own_location(desk, read.get("location"), f"{target}/location")
    return {"location": None, "department": None, **read}


def _own_location(desk: Desk, location: Json | None, target: str) -> Json | None:
    own = desk.books.entity_id
    if not own:
        return location
    if location is None:
        return reference(desk.books.find_id(kinds.LOCATION, own), "name")
    parent = (desk.books.find_id(kinds.LOCATION, location["id"]) or {}).get("parent") or {}
    if own not in (location["id"], parent.get("id")):
        desk.note(f"Location must be {own}. This value is auto-filled.", target)
    return location


def _check_required(desk: Desk, account: Json, dimensions: Json, target: str) -> None:
    for name, needed in account["requireDimensions"].items():
        if needed and dimensions.get(name) is None:
            text = f"This transaction is missing the {name.capitalize()} dimension for the Account {account['id']}"
            desk.note(text, f"{target}/dimensions/{name}")


def _read_tax(
    desk: Desk, line: Mapping[str, Any], entry: Mapping[str, Any], target: str, solution: Json | None
) -> Json | None:
    """Tax that isn't sent is worked out."""
    where = f"{target}/orderEntryTaxDetail"
    if not entry.get("orderEntryTaxDetail"):
        desk.note("Tax detail is required in every tax entry.", where)
    message = "Tax detail '{}' is not valid."
    detail = desk.find_active(kinds.TAX_DETAIL, entry.get("orderEntryTaxDetail"), where, message)
    if detail is None:
        return None
    if solution is not None and detail["taxSolution"]["id"] != solution["id"]:
        desk.note(f"Tax detail '{detail['id']}' does not belong to the tax solution '{solution['id']}'.", where)
    due = pennies(Decimal(line["txnAmount"]) * Decimal(detail["taxPercent"]) / 100)
    sent = entry.get("txnTaxAmount")
    return {
        "txnTaxAmount": money_text(due if sent is None else Decimal(sent)),
        "taxRate": int(detail["taxPercent"]),
        "orderEntryTaxDetail": reference(detail),
    }
