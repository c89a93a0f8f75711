"""The ten seeded bugs: each a few words changed in one file, and the tests that have to fail over it."""

from dataclasses import dataclass
from pathlib import Path

EDGES, LOOKS, PULL = (
    "tests/invoices/test_push_edges.py",
    "tests/invoices/test_push_looks.py",
    "tests/invoices/test_pull.py",
)
JOURNEY = "tests/journeys/test_a_push.py"


class PatchFailed(Exception):
    """The words to be changed are not in the code any more, or are there more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """What is broken, where, by which change, and which tests are expected to see it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def put_into(self, tree: Path) -> None:
        """Raises PatchFailed."""
        path = tree / self.file
        text = path.read_text()
        if (times := text.count(self.old)) != 1:
            raise PatchFailed(f"{self.name}: {times} times in {self.file}: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


BUGS = (
    Bug(
        name="the fence is dropped",
        file="invoices/claims.py",
        old="filter(pk=claimed.push.pk, fence=claimed.fence).first()",
        new="filter(pk=claimed.push.pk).first()",
        tests=(
            f"{EDGES}::test_a_late_answer_whose_fence_is_lost_is_kept_as_evidence_and_changes_nothing",
            f"{EDGES}::test_what_a_look_finds_after_another_took_over_changes_nothing",
        ),
    ),
    Bug(
        name="a time-out is tried again",
        file="invoices/record.py",
        old="    return isinstance(error, OutcomeUnknown)\n",
        new="    return isinstance(error, OutcomeUnknown) and error.answered\n",
        tests=(
            f"{JOURNEY}::test_a_lost_answer_is_found_in_the_books_and_linked",
            f"{JOURNEY}::test_no_second_attempt_begins_before_it_is_known_what_became_of_the_first",
        ),
    ),
    Bug(
        name="keys are random",
        file="connectors/links.py",
        old="    return UUID(bytes=digest[:16], version=4).hex\n",
        new='    return UUID(bytes=__import__("os").urandom(len(digest[:16])), version=4).hex\n',
        tests=(
            f"{JOURNEY}::test_a_lost_request_is_sent_again_with_the_same_key_after_two_looks_find_nothing",
            f"{EDGES}::test_a_busy_platform_is_left_alone_by_all_pushes_for_longer_each_time",
        ),
    ),
    Bug(
        name="a look without the quiet before it",
        file="invoices/record.py",
        old="push.due_at = (attempt.may_leave_until or now) + QUIET",
        new="push.due_at = now",
        tests=(f"{LOOKS}::test_the_first_look_leaves_sage_a_minute_after_the_last_byte_may_have_left",),
    ),
    Bug(
        name="the next number is the highest and one",
        file="incrementors/services.py",
        old="        UPDATE incrementors_group SET next_value = next_value + 1 WHERE",
        new="""        UPDATE incrementors_group SET next_value = (
            SELECT coalesce(max(value), 0) + 2 FROM incrementors_number WHERE group_id = key) WHERE""",
        tests=("tests/incrementors/test_numbers_at_once.py::test_no_number_is_given_twice_and_none_is_missing",),
    ),
    Bug(
        name="a second attempt beside an open one",
        file="invoices/migrations/0001_initial.py",
        old="""                condition=models.Q(("resolved_at__isnull", True)),
                fields=("push",),
                name="attempt_one_unresolved_at_most",
""",
        new="""                fields=("push", "n", "key"),
                name="attempt_one_unresolved_at_most",
""",
        tests=(
            "tests/invoices/test_constraints.py::test_the_database_itself_refuses[attempt_one_unresolved_at_most-0]",
        ),
    ),
    Bug(
        name="a hint only, and no sweep",
        file="invoices/push.py",
        old='    return [*looks, *first_waiting.values_list("pk", flat=True)]\n',
        new="    return [push_id for push_id in [*looks, *first_waiting] if not push_id]\n",
        tests=(
            f"{EDGES}::test_a_sweep_names_what_is_due_and_only_that",
            "tests/journeys/test_real_workers.py::test_a_broker_wiped_right_after_the_click_loses_nothing",
        ),
    ),
    Bug(
        name="the echo is not checked",
        file="connectors/sage_accounting/connector.py",
        old="        if echo and echo != self.company_id:\n",
        new="        if not echo.isascii():\n",
        tests=(
            f"{JOURNEY}::test_another_organisations_echo_is_for_a_person_and_is_never_sent_again",
            "tests/connectors/test_sage_accounting.py::test_the_wrong_echo_is_never_taken_for_an_answer",
        ),
    ),
    Bug(
        name="a token is renewed without the lease",
        file="connectors/tokens.py",
        old="    return claimed == 1\n",
        new="    return claimed <= 1\n",
        tests=(
            "tests/connectors/test_tokens_at_once.py::test_eight_workers_renew_once_and_all_get_the_new_token",
            "tests/connectors/test_tokens.py::test_while_another_process_renews_we_wait_and_then_come_back_later",
        ),
    ),
    Bug(
        name="the cursor goes on before its page is kept",
        file="invoices/pull.py",
        old="    return _keep(reading, kind, changes, now=timezone.now())\n",
        new="""    Pull.objects.filter(pk=reading.connection.pk).update(**{CURSORS[kind]: changes.cursor})
    return _keep(reading, kind, changes, now=timezone.now())
""",
        tests=(f"{PULL}::test_a_worker_killed_at_any_step_of_a_page_ends_with_the_same_rows",),
    ),
)
