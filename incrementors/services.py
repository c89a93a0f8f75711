"""Take a number, let one go with its reason, change how a group counts."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import BigIntegerField, Max, Value
from django.db.models.functions import Cast, Length, Substr

from incrementors.models import Group, GroupChange, Number
from incrementors.patterns import MAX_LENGTH, Pattern

OWN_GROUPS = (Group.INVOICES, Group.CREDIT_NOTES)
COUNT = "UPDATE incrementors_group SET next_value = next_value + %s WHERE key = %s RETURNING *"
GIVEN_OUT = ", ".join(field.attname for field in Number._meta.concrete_fields)
TAKE = f"""/* planned: take */
    WITH counted AS (
        UPDATE incrementors_group SET next_value = next_value + 1 WHERE key = %s
        RETURNING *, (next_value - 1)::text AS figures
    ), written AS (
        SELECT *, prefix || lpad(figures, greatest(digits, length(figures)), '0') || suffix AS text FROM counted
    ), given AS (
        INSERT INTO incrementors_number (group_id, value, text, prefix, suffix, holder, outcome, reason, given_at)
        SELECT key, next_value - 1, text, prefix, suffix, %s::uuid, 'GIVEN', '', %s::timestamptz
        FROM written WHERE length(text) <= {MAX_LENGTH} AND NOT {{elsewhere}}
        ON CONFLICT (upper(text)) WHERE outcome <> 'SKIPPED' DO NOTHING RETURNING {GIVEN_OUT}
    ){{held}}
    SELECT {GIVEN_OUT} FROM given"""  # noqa: S608  # our own constants
NUMBERS = """
    INSERT INTO incrementors_number (group_id, value, text, prefix, suffix, holder, outcome, reason, given_at)
    SELECT %s, value, text, %s, %s, holder, outcome, reason, %s
    FROM unnest(%s::bigint[], %s::text[], %s::uuid[], %s::text[], %s::text[])
        AS one (value, text, holder, outcome, reason)"""
USE = """
    UPDATE incrementors_number SET outcome = 'GIVEN', reason = '' WHERE id IN (
        SELECT min(id) FROM incrementors_number WHERE holder = ANY(%s) AND outcome = 'DISCARDED' GROUP BY holder)
    RETURNING holder, text, prefix"""
GIVEN = "SELECT upper(text) FROM incrementors_number WHERE upper(text) = ANY(%s) AND outcome <> 'SKIPPED'"
ALREADY = "The text was already taken."
FARTHEST = 100_000  # numbers that a group can have given since a backup
AT_ONCE = 250  # numbers kept in one transaction: whoever takes one beside waits no longer than for these


class NumberRefused(Exception):
    """The group can't count on as it is set; the message says what an admin changes, `safe` a start that would do."""

    def __init__(self, message: str, *, safe: int | None = None) -> None:
        super().__init__(message)
        self.safe = safe


class Given(NamedTuple):
    """A number, and who holds it from here on."""

    holder: UUID
    text: str
    prefix: str


def take_number(
    *, key: str, holder: UUID, now: datetime, elsewhere: str = "FALSE", write: str = "", values: Sequence[object] = ()
) -> Number:
    """Gives the holder the group's next free number; call it last in the transaction, as it locks the group.

    A text already given by any group, or known `elsewhere` (a platform's number of any invoice), is skipped and put on
    record. `elsewhere` is a condition in SQL on `written.text`, and `write` a statement that writes the holder's own
    row with `values`, and with text and prefix from `given`: each question more would keep others from the group for
    longer. Raises NumberRefused when the next text is too long.
    """
    taking = TAKE.format(elsewhere=elsewhere, held=f", held AS ({write})" if write else "")
    while True:
        for number in Number.objects.raw(taking, [key, holder, now, *values]):
            return number
        _counted_last(key, now).save()


def _counted_last(key: str, now: datetime) -> Number:
    """What was just counted, and is either taken already, so skipped, or too long, which is refused."""
    group = Group.objects.get(pk=key)
    value, affixes = group.next_value - 1, {"prefix": group.prefix, "suffix": group.suffix}
    text, skipped = _text(group.pattern, value), {"outcome": Number.Outcome.SKIPPED, "reason": ALREADY}
    return Number(group=group, value=value, text=text, given_at=now, **affixes, **skipped)


def take_numbers(
    *,
    key: str,
    holders: Sequence[UUID],
    now: datetime,
    known_elsewhere: Callable[[Sequence[str]], set[str]],
    kept: str = "",
) -> list[Given]:
    """Gives each holder a number, in order, as `take_number` would, but all in a few queries; call it last.

    `known_elsewhere` tells which of some texts, in upper case, a platform has given; `kept` is for `keep_numbers`.
    Raises NumberRefused.
    """
    outcome = Number.Outcome.DISCARDED if kept else Number.Outcome.GIVEN
    given: list[Given] = []
    while len(given) < len(holders):
        group, values = _count(key, len(holders) - len(given))
        texts = [_text(group.pattern, value) for value in values]
        upper = [text.upper() for text in texts]
        taken = _given_among(upper) | known_elsewhere(upper)
        rows: list[tuple[object, ...]] = []
        for value, text, known_as in zip(values, texts, upper, strict=True):
            if known_as in taken:
                rows.append((value, text, None, Number.Outcome.SKIPPED, ALREADY))
            else:
                rows.append((value, text, holders[len(given)], outcome, kept))
                given.append(Given(holders[len(given)], text, group.prefix))
        _write(group, rows, now)
    return given


def _write(group: Group, rows: Iterable[tuple[object, ...]], now: datetime) -> None:
    """Numbers of one count, in one statement."""
    columns = map(list, zip(*rows, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS, [group.pk, group.prefix, group.suffix, now, *columns])


def keep_numbers(
    *,
    key: str,
    holders: Sequence[UUID],
    reason: str,
    now: datetime,
    known_elsewhere: Callable[[Sequence[str]], set[str]],
) -> None:
    """Takes a number for each holder before it is there, a few in a transaction each, so that nobody waits long.

    Until `use_kept` each counts as discarded for this reason: whatever happens in between, it is accounted for. Who has
    one kept already keeps it. Raises NumberRefused.
    """
    there = Number.objects.filter(holder__in=holders, outcome=Number.Outcome.DISCARDED)
    kept = set(there.values_list("holder", flat=True))
    missing = [holder for holder in holders if holder not in kept]
    for start in range(0, len(missing), AT_ONCE):
        few = missing[start : start + AT_ONCE]
        with transaction.atomic():
            take_numbers(key=key, holders=few, now=now, known_elsewhere=known_elsewhere, kept=reason)


def use_kept(*, holders: Sequence[UUID]) -> list[Given]:
    """The numbers kept for these, in their order and in use from here on: in the transaction that makes the holders."""
    with connection.cursor() as cursor:
        cursor.execute(USE, [list(holders)])
        numbers = {given.holder: given for given in map(Given._make, cursor.fetchall())}
    return [numbers[holder] for holder in holders]


def _count(key: str, count: int) -> tuple[Group, range]:
    """Moves the counter on, under its row lock, which holds until the transaction ends; and what was counted."""
    group = Group.objects.raw(COUNT, [count, key])[0]
    return group, range(group.next_value - count, group.next_value)


def _given_among(texts: Sequence[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(GIVEN, [list(texts)])
        return {text for (text,) in cursor.fetchall()}


def hold_numbers(*keys: str) -> None:
    """Keeps these groups from giving numbers until the transaction ends, and waits for one that is just giving."""
    len(Group.objects.select_for_update().filter(pk__in=keys).order_by("pk"))


def _text(pattern: Pattern, value: int) -> str:
    text = pattern.text(value)
    if len(text) > MAX_LENGTH:
        raise NumberRefused(
            f"The next number, {text}, is longer than {MAX_LENGTH} characters. An admin can shorten "
            "its prefix or suffix under Settings > Incrementor Groups."
        )
    return text


def _is_given(text: str) -> bool:
    return Number.objects.filter(text__iexact=text).exclude(outcome=Number.Outcome.SKIPPED).exists()


def discard_number(*, holder: UUID, reason: str) -> None:
    """The holder is gone; its number stays taken for ever, with the reason why nobody uses it."""
    discard_numbers(holders=[holder], reason=reason)


def discard_numbers(*, holders: Sequence[UUID], reason: str) -> None:
    """As `discard_number`, for many at once."""
    Number.objects.filter(holder__in=holders, outcome=Number.Outcome.GIVEN).update(
        outcome=Number.Outcome.DISCARDED, reason=reason
    )


def give_up_number(*, holder: UUID, reason: str) -> None:
    """The platform has this number for something else: it stays taken for ever, and the holder may take another."""
    Number.objects.filter(holder=holder, outcome=Number.Outcome.GIVEN).update(
        outcome=Number.Outcome.TAKEN, reason=reason
    )


def skip_past(texts: Iterable[str], *, key: str, reason: str, now: datetime) -> int:
    """Counts on behind the highest of these that are of the group's pattern; what is passed over is on record.

    One too far ahead to have been given by this group was entered by hand over there, and is not followed: the
    platform refuses it once the group gets there. Gives how many numbers were passed over.
    """
    with transaction.atomic():
        hold_numbers(key)
        group = Group.objects.get(pk=key)
        values = filter(None, (group.pattern.value(text) for text in texts))
        highest = max((value for value in values if value < group.next_value + FARTHEST), default=0)
        passed = range(group.next_value, highest + 1)
        Number.objects.bulk_create(
            Number(
                group=group,
                value=value,
                text=group.pattern.text(value),
                prefix=group.prefix,
                suffix=group.suffix,
                given_at=now,
                outcome=Number.Outcome.SKIPPED,
                reason=reason,
            )
            for value in passed
        )
        Group.objects.filter(pk=key).update(next_value=max(group.next_value, highest + 1))
    return len(passed)


def texts_ahead(group: Group, *, count: int) -> list[str]:
    """What the group's next numbers are, taken already or not."""
    return [group.pattern.text(group.next_value + n) for n in range(count)]


def given_among(texts: Sequence[str]) -> set[str]:
    """Which of these, in upper case, were given to anybody, by any group."""
    return _given_among([text.upper() for text in texts])


def next_free_text(*, key: str, known_elsewhere: Callable[[str], bool] = lambda text: False) -> str:
    """What `take_number` would give now, without taking it; only a promise, as somebody else may be quicker."""
    group = Group.objects.get(pk=key)
    value = group.next_value
    while _is_given(group.pattern.text(value)) or known_elsewhere(group.pattern.text(value)):
        value += 1
    return group.pattern.text(value)


def first_safe_value(pattern: Pattern) -> int:
    """The lowest starting position after which this pattern repeats no text ever given, by any group."""
    affixes = len(pattern.prefix) + len(pattern.suffix)
    counted = Substr("text", len(pattern.prefix) + 1, Length("text") - Value(affixes))
    highest = (
        Number.objects.exclude(outcome=Number.Outcome.SKIPPED)
        .filter(text__iregex=pattern.regex)
        .aggregate(highest=Max(Cast(counted, BigIntegerField())))["highest"]
    )
    return (highest or 0) + 1


def change_group(*, key: str, pattern: Pattern, next_value: int, actor: User, now: datetime) -> Group:
    """Sets how a group counts from its next number on; numbers already given keep their text.

    Raises NumberRefused with the first safe value when a number would repeat or grow too long.
    """
    with transaction.atomic():
        group = Group.objects.select_for_update().get(pk=key)
        before = group.pattern.text(group.next_value)
        _check_start(pattern, next_value)
        group.prefix, group.suffix, group.digits = pattern.prefix, pattern.suffix, pattern.digits
        group.next_value = next_value
        group.save()
        after = pattern.text(next_value)
        if after != before:
            GroupChange.objects.create(group=group, changed_at=now, changed_by=actor, before=before, after=after)
        return group


def _check_start(pattern: Pattern, next_value: int) -> None:
    safe = first_safe_value(pattern)
    if len(pattern.text(max(next_value, safe))) > MAX_LENGTH:
        raise NumberRefused(
            f"{pattern.text(max(next_value, safe))} is longer than the {MAX_LENGTH} characters an accounting "
            "platform takes. Shorten the prefix, the suffix or the digits."
        )
    if next_value < safe:
        raise NumberRefused(
            f"{pattern.text(next_value)} would repeat a number already given. "
            f"The first safe starting position is {safe} ({pattern.text(safe)}).",
            safe=safe,
        )
