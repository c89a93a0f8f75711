"""Many objects created by one call: each for itself, or all or none where that was asked for."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from sandbox.context import sandbox
from sandbox.intacct.answers import Json, Problem, Refused, invalid_payload, meta_of, unprocessed, wrong
from sandbox.intacct.calls import Answer, refused
from sandbox.intacct.replays import attempt
from sandbox.intacct.setting import setting

MOST = 500


class _Undo(Exception):
    pass


def create_all(bodies: list[Any], create_one: Callable[[Any], Answer], *, all_or_nothing: bool) -> Answer:
    """Raises Refused when the batch as a whole is refused."""
    if not 1 <= len(bodies) <= MOST:
        raise invalid_payload([wrong(f"A batch has from 1 to {MOST} objects")])
    whole = setting("batch_refusal") == "whole"
    answers: list[Answer] = []
    with suppress(_Undo), sandbox().store.attempt():
        answers += [attempt(partial(create_one, each)) for each in bodies]
        if (whole or all_or_nothing) and not all(each.good for each in answers):
            raise _Undo
    if whole:
        _check_whole(answers)
    return _answer_to_all(answers, all_or_nothing=all_or_nothing)


def _answer_to_all(answers: Sequence[Answer], *, all_or_nothing: bool) -> Answer:
    bad = sum(not each.good for each in answers)
    if bad and all_or_nothing:
        answers = [refused(unprocessed()) if each.good else each for each in answers]
        bad = len(answers)
    meta = meta_of(len(answers) - bad, bad)
    return Answer(status=207 if bad else 201, result=[_item(each) for each in answers], meta=meta)


def _item(answer: Answer) -> Json:
    return answer.item() if answer.error else {**answer.result, "ia::status": answer.status}


def _check_whole(answers: Sequence[Answer]) -> None:
    """Raises Refused."""
    problems = [
        Problem(detail["message"], f"/{index}{detail.get('target', '')}", detail["errorId"], detail["code"])
        for index, answer in enumerate(answers)
        for detail in (answer.error or {}).get("details", [])
    ]
    if problems:
        raise Refused(400, "invalidRequest", "Payload contains errors", "REST-1064", problems)
