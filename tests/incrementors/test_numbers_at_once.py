"""Sixteen people save at once, some of them in vain: no number twice, and none missing."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from django.db import connection as database
from django.db import transaction

from incrementors.models import Group, Number
from incrementors.services import take_number

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
PEOPLE, EACH, IN_VAIN = 16, 25, 4  # of each one's 25, every fourth is rolled back


class ThoughtBetter(Exception):
    """Rolls the transaction back after its number was taken."""


def save_some(gate: Barrier, now: datetime) -> list[str]:
    kept = []
    try:
        gate.wait(10)
        for n in range(EACH):
            try:
                with transaction.atomic():
                    number = take_number(key=Group.INVOICES, holder=uuid.uuid4(), now=now)
                    if n % IN_VAIN == 0:
                        raise ThoughtBetter
                kept.append(number.text)
            except ThoughtBetter:
                continue
    finally:
        database.close()
    return kept


def test_no_number_is_given_twice_and_none_is_missing(now: datetime) -> None:
    gate = Barrier(PEOPLE)
    with ThreadPoolExecutor(PEOPLE) as pool:
        running = [pool.submit(save_some, gate, now) for _ in range(PEOPLE)]
        given = [text for each in running for text in each.result(60)]
    in_vain = len(range(0, EACH, IN_VAIN))
    assert len(given) == PEOPLE * (EACH - in_vain)
    assert sorted(given) == [f"INV-{value:05}" for value in range(1, len(given) + 1)]
    assert Number.objects.count() == len(given)
    assert Group.objects.get(pk=Group.INVOICES).next_value == len(given) + 1
