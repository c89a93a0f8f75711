"""Turns what a client sent as a contact into a document, or says everything that is wrong with it."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.accounting.answers import invalid
from sandbox.accounting.catalogue import stable_id
from sandbox.accounting.reading import REQUIRED, Json, Reader
from sandbox.accounting.shapes import base

TYPES = {"CUSTOMER": "Customer", "VENDOR": "Supplier"}
ADDRESS_LIMITS = {"address_line_1": 50, "address_line_2": 50, "city": 50, "postal_code": 10, "region": 50}
PERSON_LIMITS = {"name": 50, "job_title": 50, "telephone": 50, "mobile": 50, "email": 100}


def check_contact(fields: Mapping[str, Any], reference_taken: Callable[[str], bool]) -> None:
    """Raises Refused with every problem found."""
    reader = Reader(fields, [])
    reader.text("name", limit=100, required=True)
    reader.text("notes", limit=4000)
    _check_types(reader)
    reference = reader.text("reference", limit=10)
    if reference and reference_taken(reference):
        reader.note("has already been taken", "reference")
    for part, limits in (("main_address", ADDRESS_LIMITS), ("main_contact_person", PERSON_LIMITS)):
        inner = reader.part(part)
        for name, limit in limits.items():
            inner.text(name, limit=limit)
    reader.settle()


def _check_types(reader: Reader) -> None:
    given = reader.fields.get("contact_type_ids")
    if not isinstance(given, list) or not given:
        reader.note(REQUIRED, "contact_type_ids")
    elif len(given) > 1:
        reader.note("cannot assign more than one", "contact_type_ids")
    elif given[0] not in TYPES:
        reader.note("is not a contact type", "contact_type_ids")


def contact_document(fields: Mapping[str, Any], id: str, at: str) -> Json:
    """A checked contact as the API shows it."""
    reader = Reader(fields, [])
    name, reference, kind = reader.text("name"), reader.text("reference") or None, fields["contact_type_ids"][0]
    person = reader.part("main_contact_person")
    return {
        **base("contacts", id, f"{name} ({reference})" if reference else name),
        "created_at": at,
        "updated_at": at,
        "links": [],
        "deleted_at": None,
        "balance": "0.0",
        "contact_types": [base("contact_types", kind, TYPES[kind])],
        "name": name,
        "reference": reference,
        "tax_number": reader.text("tax_number"),
        "notes": reader.text("notes"),
        "main_address": _address(reader.part("main_address"), id),
        "main_contact_person": _person(person, id),
        "credit_days": fields.get("credit_days"),
        "source_guid": reader.text("source_guid") or None,
        "currency": base("currencies", "GBP", "Pound Sterling (GBP)"),
        "email": person.text("email"),
        "deletable": True,
        "system": False,
        "is_active": True,
    }


def restated(contact: Json, state: object, at: str) -> Json:
    """The contact deleted, its reference with it, or of the other type. Raises Refused."""
    if state == "deleted":
        return {**contact, "deleted_at": at, "updated_at": at}
    if state not in TYPES:
        raise invalid("is not a contact type", "contact_type_ids")
    return {**contact, "contact_types": [base("contact_types", str(state), TYPES[str(state)])], "updated_at": at}


def _address(reader: Reader, contact_id: str) -> Json:
    return {
        **base("addresses", stable_id("address", contact_id), "Main Address"),
        **{name: reader.text(name) for name in ADDRESS_LIMITS},
        "country": base("countries", "GB", "United Kingdom (GB)"),
    }


def _person(reader: Reader, contact_id: str) -> Json:
    return {
        **base("contact_persons", stable_id("person", contact_id), reader.text("name") or "Main Contact"),
        **{name: reader.text(name) for name in PERSON_LIMITS},
        "is_main_contact": True,
    }
