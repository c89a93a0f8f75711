"""Numbers given, skipped and let go; groups that change how they count."""

import re
import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from incrementors.models import Group, GroupChange, Number
from incrementors.patterns import Pattern
from incrementors.services import (
    NumberRefused,
    change_group,
    discard_number,
    first_safe_value,
    keep_numbers,
    skip_past,
    take_number,
    use_kept,
)
from invoices.models import Client, RemoteInvoice
from invoices.services import create_invoice
from tests.conftest import draft_for

pytestmark = pytest.mark.django_db
INVOICES = Group.INVOICES
INV5 = Pattern(prefix="INV-", suffix="", digits=5)


def take(now: datetime, key: str = INVOICES, **more: Any) -> Number:
    return take_number(key=key, holder=uuid.uuid4(), now=now, **more)


def taken(now: datetime, *texts: str, group: str = INVOICES) -> None:
    """Numbers given before, by whatever pattern there was then."""
    for text in texts:
        Number.objects.create(group_id=group, value=0, text=text, holder=uuid.uuid4(), given_at=now)


def other_group() -> Group:
    return Group.objects.create(key="CREDITS", name="Credit notes", prefix="CN-", digits=4, next_value=1)


def test_numbers_follow_one_another_and_say_who_holds_them(now: datetime) -> None:
    holder = uuid.uuid4()
    first = take_number(key=INVOICES, holder=holder, now=now)
    assert [first.text, take(now).text, take(now).text] == ["INV-00001", "INV-00002", "INV-00003"]
    assert (first.holder, first.outcome, first.prefix, first.given_at) == (holder, "GIVEN", "INV-", now)


def test_groups_count_each_on_its_own(now: datetime) -> None:
    other_group()
    assert [take(now, "CREDITS").text, take(now).text, take(now, "CREDITS").text] == [
        "CN-0001",
        "INV-00001",
        "CN-0002",
    ]


def test_a_text_that_any_group_gave_is_skipped_and_put_on_record(now: datetime) -> None:
    other_group()
    taken(now, "INV-00001", "inv-00002", group="CREDITS")
    assert take(now).text == "INV-00003"
    skipped = Number.objects.filter(group=INVOICES, outcome="SKIPPED").order_by("value")
    assert [(number.text, number.reason, number.holder) for number in skipped] == [
        ("INV-00001", "The text was already taken.", None),
        ("INV-00002", "The text was already taken.", None),
    ]


def test_a_text_that_a_platform_gave_is_skipped(now: datetime) -> None:
    assert take(now, elsewhere="(written.text < 'INV-00004')").text == "INV-00004"
    assert list(Number.objects.filter(outcome="SKIPPED").values_list("value", flat=True)) == [1, 2, 3]


def test_a_skipped_text_does_not_stand_in_the_way_for_ever(now: datetime) -> None:
    take(now, elsewhere="(written.text = 'INV-00001')")
    Group.objects.update(next_value=1)
    assert take(now).text == "INV-00001"


def test_an_invoice_skips_a_number_that_sage_has_for_another_one(
    client_of_ours: Client, staff: User, now: datetime, connection: Any
) -> None:
    first = create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    RemoteInvoice.objects.create(
        invoice=first, connection=connection, remote_id="x", number="inv-00002", total=Decimal(1), linked_at=now
    )
    assert create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now).number == "INV-00003"


def test_a_number_too_long_for_the_platform_is_refused_and_leaves_nothing(now: datetime) -> None:
    Group.objects.update(prefix="A" * 12, suffix="B" * 8, digits=5, next_value=99_999)
    assert len(take(now).text) == 25
    with pytest.raises(NumberRefused, match=r"longer than 25 characters.*Incrementor Groups"), transaction.atomic():
        take(now)
    assert Group.objects.get(pk=INVOICES).next_value == 100_000
    assert Number.objects.count() == 1


def test_an_invoice_that_gets_no_number_is_not_there(client_of_ours: Client, staff: User, now: datetime) -> None:
    Group.objects.update(prefix="A" * 12, suffix="B" * 9, digits=5)
    with pytest.raises(NumberRefused):
        create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    assert client_of_ours.invoices.count() == 0


def test_the_number_is_taken_last_so_that_the_group_is_locked_for_a_moment_only(
    client_of_ours: Client, staff: User, now: datetime
) -> None:
    with CaptureQueriesContext(database) as seen:
        create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    asked = [query["sql"].replace('"', "") for query in seen]
    writing = [sql for sql in asked if any(word in sql for word in ("INSERT", "UPDATE", "COPY"))]
    lock = next(n for n, sql in enumerate(writing) if "UPDATE incrementors_group" in sql)
    assert [re.findall("(?:INSERT INTO|COPY) ([a-z_]+)", sql) for sql in writing[lock:]] == [
        ["incrementors_number", "invoices_invoice"],
    ]


@pytest.mark.parametrize("value", [1, 99_999, 100_000, 123_456_789])
def test_postgres_writes_a_number_as_the_pattern_does(now: datetime, value: int) -> None:
    for pattern in (INV5, Pattern(prefix="2026/", suffix="/A", digits=1), Pattern(prefix="", suffix="%", digits=12)):
        Group.objects.update(prefix=pattern.prefix, suffix=pattern.suffix, digits=pattern.digits, next_value=value)
        assert take(now).text == pattern.text(value)


def test_a_discarded_number_stays_taken_with_its_reason(now: datetime) -> None:
    holder = uuid.uuid4()
    number = take_number(key=INVOICES, holder=holder, now=now)
    discard_number(holder=holder, reason="Raised twice")
    number.refresh_from_db()
    assert (number.outcome, number.reason, number.holder) == ("DISCARDED", "Raised twice", holder)
    Group.objects.update(next_value=1)
    assert take(now).text == "INV-00002"


SAFE = [
    # texts given before, the pattern asked for, the first safe value
    ((), INV5, 1),
    (("INV-00007",), INV5, 8),
    (("INV-00007", "INV-00003"), INV5, 8),
    (("INV-00007", "INV-123456"), INV5, 123457),
    (("inv-00007",), INV5, 8),
    (("INV-007",), INV5, 1),
    (("INV-0000007",), INV5, 1),
    (("INV-00007A", "XINV-00007"), INV5, 1),
    (("INV-00007",), Pattern(prefix="INV-", suffix="", digits=6), 1),
    (("INV-00007", "INV-123456"), Pattern(prefix="INV-", suffix="", digits=6), 123457),
    (("INV-10001",), Pattern(prefix="INV-1", suffix="", digits=4), 2),
    (("INV-123456",), Pattern(prefix="INV-", suffix="6", digits=2), 12346),
    (("2026/0007", "2026/0012/A"), Pattern(prefix="2026/", suffix="", digits=4), 8),
    (("2026/0007", "2026/0012/A"), Pattern(prefix="2026/", suffix="/A", digits=4), 13),
    (("A.1", "AB9"), Pattern(prefix="A.", suffix="", digits=1), 2),
    (("5",), Pattern(prefix="", suffix="", digits=1), 6),
    (("9" * 25,), Pattern(prefix="", suffix="", digits=1), 1),
    (("9" * 24, "7"), Pattern(prefix="9", suffix="", digits=1), 1),
]


@pytest.mark.parametrize(("texts", "pattern", "safe"), SAFE, ids=[f"{t} {p.prefix}#{p.suffix}" for t, p, _ in SAFE])
def test_the_first_safe_value_is_the_lowest_that_never_repeats(
    now: datetime, texts: tuple[str, ...], pattern: Pattern, safe: int
) -> None:
    taken(now, *texts)
    assert first_safe_value(pattern) == safe


def test_the_first_safe_value_looks_at_all_groups_and_not_at_what_was_skipped(now: datetime) -> None:
    other_group()
    taken(now, "INV-00009", group="CREDITS")
    Number.objects.create(group_id=INVOICES, value=50, text="INV-00050", outcome="SKIPPED", reason="x", given_at=now)
    assert first_safe_value(INV5) == 10


def change(admin: User, now: datetime, next_value: int = 1, **pattern: Any) -> Group:
    given = {"prefix": "INV-", "suffix": "", "digits": 5, **pattern}
    return change_group(key=INVOICES, pattern=Pattern(**given), next_value=next_value, actor=admin, now=now)


def test_a_group_counts_on_as_it_was_set_and_its_jump_is_explained(admin: User, now: datetime) -> None:
    take(now)
    change(admin, now, 500, prefix="H", suffix="/26", digits=4)
    assert take(now).text == "H0500/26"
    (jump,) = GroupChange.objects.all()
    assert (jump.before, jump.after, jump.changed_by, jump.changed_at) == ("INV-00002", "H0500/26", admin, now)
    assert Number.objects.filter(text="INV-00001").exists()


def test_saving_a_group_as_it_is_is_no_change(admin: User, now: datetime) -> None:
    change(admin, now, 1)
    assert GroupChange.objects.count() == 0


REFUSALS = [
    # what was asked for, what it says
    (
        {"next_value": 3},
        "INV-00003 would repeat a number already given. The first safe starting position is 8 (INV-00008).",
    ),
    ({"next_value": 7}, "The first safe starting position is 8 (INV-00008)."),
    ({"prefix": "A" * 12, "suffix": "B" * 9, "next_value": 1}, "is longer than the 25 characters"),
    ({"prefix": "A" * 12, "suffix": "B" * 8, "next_value": 123456}, "is longer than the 25 characters"),
    (
        {"prefix": "A" * 12, "digits": 12, "suffix": "BB", "next_value": 1},
        "Shorten the prefix, the suffix or the digits",
    ),
    ({"next_value": 10**12, "prefix": "A" * 12, "digits": 1, "suffix": "B"}, "is longer than the 25 characters"),
]


@pytest.mark.parametrize(("asked", "words"), REFUSALS)
def test_a_change_that_would_repeat_or_grow_too_long_is_refused_in_words(
    admin: User, now: datetime, asked: dict[str, Any], words: str
) -> None:
    taken(now, "INV-00007")
    before = list(Group.objects.values())
    with pytest.raises(NumberRefused) as refused:
        change(admin, now, **asked)
    assert words in str(refused.value)
    assert list(Group.objects.values()) == before
    assert GroupChange.objects.count() == 0


def test_the_first_safe_value_that_is_named_is_taken(admin: User, now: datetime) -> None:
    taken(now, "INV-00007")
    change(admin, now, 8)
    assert take(now).text == "INV-00008"


def test_a_number_of_an_earlier_pattern_may_come_up_again_and_is_skipped_then(admin: User, now: datetime) -> None:
    """Digits that grow meet an old, longer text: the safe value is about this pattern, the skip about the text."""
    change(admin, now, 99_999)
    taken(now, "INV-100000")
    Group.objects.update(next_value=99_999)
    assert [take(now).text, take(now).text] == ["INV-99999", "INV-100001"]


def given_twice(now: datetime) -> None:
    taken(now, "INV-00001", "inv-00001")


def two_in_use_by_one(now: datetime) -> None:
    holder = uuid.uuid4()
    for text in ("A", "B"):
        Number.objects.create(group_id=INVOICES, value=1, text=text, holder=holder, given_at=now)


def given_to_nobody(now: datetime) -> None:
    Number.objects.create(group_id=INVOICES, value=1, text="A", given_at=now)


def discarded_without_a_reason(now: datetime) -> None:
    taken(now, "A")
    Number.objects.update(outcome="DISCARDED")


def skipped_without_a_reason(now: datetime) -> None:
    Number.objects.create(group_id=INVOICES, value=1, text="A", outcome="SKIPPED", given_at=now)


def counts_from_nothing(now: datetime) -> None:
    Group.objects.update(next_value=0)


def no_digits(now: datetime) -> None:
    Group.objects.update(digits=0)


def too_many_digits(now: datetime) -> None:
    Group.objects.update(digits=13)


def a_group_gone_with_its_numbers(now: datetime) -> None:
    taken(now, "A")
    Group.objects.all()._raw_delete("default")
    with database.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


BROKEN: tuple[tuple[Callable[[datetime], None], str], ...] = (
    (given_twice, "number_text_is_given_once"),
    (two_in_use_by_one, "number_one_in_use_a_holder"),
    (given_to_nobody, "number_given_has_a_holder"),
    (discarded_without_a_reason, "number_unused_has_a_reason"),
    (skipped_without_a_reason, "number_unused_has_a_reason"),
    (counts_from_nothing, "group_counts_from_one"),
    (no_digits, "group_digits_in_range"),
    (too_many_digits, "group_digits_in_range"),
    (a_group_gone_with_its_numbers, "violates foreign key constraint"),
)


@pytest.mark.parametrize(("broken", "name"), BROKEN, ids=[broken.__name__ for broken, _ in BROKEN])
def test_the_database_itself_refuses(now: datetime, broken: Callable[[datetime], None], name: str) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        broken(now)


def test_every_constraint_of_the_incrementors_is_broken_above() -> None:
    named = {constraint.name for model in (Group, Number, GroupChange) for constraint in model._meta.constraints}
    assert named <= {name for _, name in BROKEN}


def test_after_a_restore_a_group_counts_on_behind_what_was_given_and_follows_no_number_entered_by_hand(
    now: datetime,
) -> None:
    given = ["INV-00003", "inv-00002", "PO-9", "INV-", "INV-99999999"]
    assert skip_past(given, key=Group.INVOICES, reason="Given before the restore.", now=now) == 3
    assert Group.objects.get(pk=Group.INVOICES).next_value == 4
    passed = Number.objects.order_by("value").values_list("text", "outcome", "reason")
    assert list(passed) == [(f"INV-0000{n}", "SKIPPED", "Given before the restore.") for n in (1, 2, 3)]
    assert skip_past(given, key=Group.INVOICES, reason="Again.", now=now) == 0, (
        "asked twice it passes over nothing more"
    )


def test_numbers_kept_ahead_are_discarded_until_they_are_used(now: datetime) -> None:
    taken(now, "INV-00002", group="INVOICES")
    holders = [uuid.uuid4() for _ in range(3)]
    for asked in (holders[:2], holders):  # what is kept stays kept
        keep_numbers(key=INVOICES, holders=asked, reason="Kept.", now=now, known_elsewhere=lambda texts: set())
    kept = dict(Number.objects.filter(outcome="DISCARDED", reason="Kept.").values_list("text", "holder"))
    assert kept == dict(zip(["INV-00001", "INV-00003", "INV-00004"], holders, strict=True))
    assert take(now).text == "INV-00005"
    assert [number.text for number in use_kept(holders=holders[::-1])] == ["INV-00004", "INV-00003", "INV-00001"]
    assert set(Number.objects.filter(holder__in=holders).values_list("outcome", "reason")) == {("GIVEN", "")}
