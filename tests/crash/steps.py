"""The cells: each step of a worker's work, the way in which it ends there, and what Sage answers meanwhile."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """Dead at once; an exception; frozen until the lease has ended; frozen until others have done all of it."""

    KILL = "kill"
    EXCEPTION = "exception"
    FREEZE = "freeze"
    SLEEP = "sleep"


class Answer(StrEnum):
    """What becomes of the first call that the step is about; a twin is lost, and given another reference over there."""

    ANSWERED = "answered"
    LOST = "lost"
    ERROR = "500 after commit"
    DROPPED = "never arrived"
    TWIN = "lost and renamed"


class Moment(StrEnum):
    BEFORE = "before"
    UNCOMMITTED = "uncommitted"
    AFTER = "after"


class Call(StrEnum):
    """The call of Sage's whose answer is chosen."""

    INVOICE = "invoice"
    CLIENT = "client"
    TOKEN = "token"
    PAGE = "page"


ALL = (Answer.ANSWERED, Answer.LOST, Answer.ERROR)
UNTOLD = (Answer.LOST, Answer.ERROR)
CREATE = "{connector}.create_invoices"
SCENES = ("accounting", "intacct", "intacct batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The n-th call of `target` (module:name), counted only while one of `within` runs; `left` is what went before."""

    name: str
    target: str
    moment: Moment
    answers: tuple[Answer, ...] = ALL
    call: Call = Call.INVOICE
    nth: int = 1
    within: str = ""
    left: str = ""
    scenes: tuple[str, ...] = SCENES


def _around(name: str, target: str, **more: object) -> list[Step]:
    """Before it, once all is written but nothing committed, and after it."""
    return [Step(name=f"{moment} {name}", target=target, moment=moment, **more) for moment in Moment]  # type: ignore[arg-type]


def _beside(name: str, target: str, **more: object) -> list[Step]:
    """Before and after what is no transaction of its own."""
    moments = (Moment.BEFORE, Moment.AFTER)
    return [Step(name=f"{moment} {name}", target=target, moment=moment, **more) for moment in moments]  # type: ignore[arg-type]


def _on_the_wire(call: Call, within: str, what: str, **more: object) -> list[Step]:
    sends, reads = "http.client:HTTPConnection.send", "http.client:HTTPConnection.getresponse"
    given = {"call": call, "within": within, **more}
    return [
        Step(name=f"before the first byte of {what}", target=sends, moment=Moment.BEFORE, **given),  # type: ignore[arg-type]
        Step(name=f"in the middle of {what}", target=sends, moment=Moment.AFTER, **given),  # type: ignore[arg-type]
        Step(name=f"{what} gone, answer unread", target=reads, moment=Moment.BEFORE, **given),  # type: ignore[arg-type]
    ]


DROPPED, TWIN, ALONE = (Answer.DROPPED,), (Answer.TWIN,), ("accounting", "intacct")
ANSWERED = (Answer.ANSWERED,)
STEPS: Sequence[Step] = (
    *_around("the claim", "invoices.push:claim"),
    *_beside("composing", "invoices.push:_document"),
    *_beside("creating the client", "connectors.links:create", call=Call.CLIENT, answers=ANSWERED, scenes=ALONE),
    *_on_the_wire(Call.CLIENT, "connectors.links:create", "the client", scenes=ALONE),
    *_around("linking the client", "connectors.links:link_to", call=Call.CLIENT, answers=ANSWERED, scenes=ALONE),
    *_around("the intent", "invoices.claims:intend"),
    Step(name="before the call", target=CREATE, moment=Moment.BEFORE),
    *_on_the_wire(Call.INVOICE, CREATE, "the invoice"),
    Step(name="after the call", target=CREATE, moment=Moment.AFTER, answers=ANSWERED),
    *_beside("looking ahead", "invoices.push:Turn._look_ahead", answers=ANSWERED, scenes=SCENES[:1]),
    *_around("handing on the lane", "invoices.claims:follow", answers=ANSWERED, scenes=SCENES[:1]),
    *_around("putting back what was ready", "invoices.claims:put_back", answers=UNTOLD, scenes=SCENES[:1]),
    *_around("recording it as sent", "invoices.record:sent", answers=ANSWERED),
    *_around("recording the second as sent", "invoices.record:sent", answers=ANSWERED, nth=2),
    *_around("recording it as unknown", "invoices.record:failed", answers=(*UNTOLD, *DROPPED)),
    *_around("taking what was left before its intent", "invoices.record:abandoned", left="claim"),
    *_around("taking what was left after its intent", "invoices.record:abandoned", left="intent", answers=ANSWERED),
    *_around("claiming a look", "invoices.looks:claim", nth=2, answers=(*UNTOLD, *DROPPED)),
    *_beside("looking", "invoices.looks:_sought", answers=(*UNTOLD, *DROPPED)),
    *_beside("reading what changed", "invoices.looks:_among_changes", answers=(*UNTOLD, *DROPPED)),
    *_around("recording it as found", "invoices.record:found", answers=UNTOLD),
    *_around("recording a first absence", "invoices.record:absent", answers=DROPPED),
    *_around("recording a second absence", "invoices.record:absent", nth=2, answers=DROPPED),
    *_around("recording the last absence", "invoices.record:absent", nth=6, answers=DROPPED, scenes=SCENES[2:]),
    *_around("recording a twin", "invoices.record:looks_the_same", answers=TWIN),
    *_beside("claiming the renewal", "connectors.tokens:_claim", call=Call.TOKEN, left="token"),
    *_on_the_wire(Call.TOKEN, "connectors.tokens:_fresh", "the renewal", left="token"),
    *_beside("asking for a token", "connectors.tokens:_fresh", call=Call.TOKEN, left="token", answers=ANSWERED),
    *_beside("keeping the token", "connectors.tokens:_keep", call=Call.TOKEN, left="token", answers=ANSWERED),
    *_around("claiming a reading", "invoices.pull:_claim", call=Call.PAGE, left="page"),
    *_on_the_wire(Call.PAGE, "invoices.pull:_read_page", "the question for a page", left="page"),
    *_around("keeping a page", "invoices.pull:_keep", call=Call.PAGE, left="page"),
    *_around("keeping a second page", "invoices.pull:_keep", call=Call.PAGE, left="page", nth=2),
    *_beside("reading open ones again", "invoices.pull:_look_again", call=Call.PAGE, left="page"),
    *_beside("ending a reading", "invoices.pull:_end", call=Call.PAGE, left="page"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run: where it happens, in which way, under which answer."""

    scene: str
    step: Step
    way: Way
    answer: Answer

    @property
    def name(self) -> str:
        return f"{self.scene}/{self.step.name}/{self.way}/{self.answer}"


def every_cell() -> Iterator[Cell]:
    for step in STEPS:
        for scene in step.scenes:
            for way in Way:
                yield from (Cell(scene=scene, step=step, way=way, answer=answer) for answer in step.answers)


def sampled(count: int, seed: int) -> list[Cell]:
    return random.Random(seed).sample(list(every_cell()), count)  # noqa: S311
