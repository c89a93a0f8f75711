"""The root cause's key: the same for all that one mend lets go, and another for what another mend does."""

from typing import Any

import pytest
from django.db import IntegrityError

from invoices import causes
from invoices.models import Push
from tests.invoices.conftest import NewPush

pytestmark = pytest.mark.django_db
NUMBER, UUID = "INV-00001", "0b0ad3f2-9c5e-4d0a-8c0e-3d9a1b2c3d4e"


def key(push: Push, cause: str = "REJECTED", **problem: Any) -> str:
    push.cause, push.problems = cause, [{"message": "", "fix": "SUPPORT", **problem}]
    return causes.key_of(push)


@pytest.fixture
def push(new_push: NewPush) -> Push:
    return new_push("ATTENTION")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{NUMBER} is too long", "… is too long"),
        ("invoice_lines[0] is wrong", "invoice_lines[7] is wrong"),
        ("/lines/0/memo is long", "/lines/12/memo is long"),
        ("come to 45.00", "come to 1,204.50"),
        (f"record {UUID} is gone", f"record {UUID.replace('0', '7')} is gone"),
        ("Bramley Stores Ltd is on hold", "… is on hold"),
        ("dated 2026-11-02 is late", "dated 02/11/2026 is late"),
    ],
)
def test_what_belongs_to_one_invoice_alone_is_not_in_its_key(push: Push, one: str, other: str) -> None:
    assert key(push, message=one) == key(push, message=other)


def test_what_makes_another_mend_makes_another_key(push: Push) -> None:
    """Where, Sage's code, Sage's field, its words, and what of ours it is about."""
    keys = [
        key(push),
        key(push, fix="DATE"),
        key(push, code="X"),
        key(push, field="name"),
        key(push, message="prior to your Year End Lockdown Date of 01/04/2026"),
        key(push, message="prior to your Year End Lockdown Date of 01/05/2026"),
        key(push, fix="ITEM_LINK", subject="a"),
        key(push, fix="ITEM_LINK", subject="b"),
        key(push, "DIFFERENT"),
        key(push, "NUMBER_TAKEN"),
    ]
    assert len({*keys}) == len(keys)


def test_a_key_names_ours_where_the_mend_is_about_it(push: Push) -> None:
    assert causes.subject_of(key(push, fix="CLIENT")) == str(push.invoice.client.uuid)
    assert causes.subject_of(key(push, fix="TAX_RATES")) == "STANDARD"
    assert causes.subject_of(key(push, fix="SALES_ACCOUNT")) == "acc-4000"
    assert causes.kind_of(key(push, "NUMBER_TAKEN")) == "NUMBER_TAKEN"


def test_any_words_make_a_key_that_can_be_kept(push: Push) -> None:
    for words in ("x" * 5000, "|" * 500, "a\x00b", "ünïcode 😀" * 50):
        made = key(push, message=words, code=words, field=words)
        Push.objects.filter(pk=push.pk).update(cause_key=made)
        assert made.count("|") == 3 or len(made) == causes.LONGEST


def test_what_is_parked_has_a_reason_and_nothing_else_has(push: Push) -> None:
    with pytest.raises(IntegrityError):
        Push.objects.filter(pk=push.pk).update(parked_because="why")
