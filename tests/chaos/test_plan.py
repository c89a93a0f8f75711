"""The plan of a seed: the same again, faults of every kind, and as many as fit the invoices."""

from tests.chaos import plan
from tests.chaos.plan import MEASURED, PROCESSES, Kind


def test_a_seed_gives_the_same_plan_again_and_another_seed_another_one() -> None:
    assert plan.draw(50, 7, lease=2) == plan.draw(50, 7, lease=2)
    assert plan.draw(50, 7, lease=2) != plan.draw(50, 8, lease=2)


def test_five_hundred_invoices_meet_every_fault_and_one_for_every_three_of_them() -> None:
    drawn = plan.draw(500, 1, lease=2)
    assert {fault.kind for fault in drawn.faults} == set(Kind)
    assert len(drawn.faults) > 500 / 3
    assert all(1 <= fault.after <= 500 for fault in drawn.faults)
    assert [fault.after for fault in drawn.faults] == sorted(fault.after for fault in drawn.faults)


def test_a_freeze_outlasts_the_lease() -> None:
    frozen = [fault for fault in plan.draw(500, 1, lease=2).faults if "frozen" in fault.kind.value]
    assert frozen
    assert all(fault.amount > 2 and fault.workers for fault in frozen)


def test_recovery_is_measured_one_fault_at_a_time() -> None:
    drawn = plan.recovery(1, lease=40)
    assert [fault.kind for fault in drawn.faults] == list(MEASURED)
    assert set(MEASURED) & PROCESSES
    assert len(drawn.orders) > drawn.faults[-1].after
