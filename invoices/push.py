"""What a worker does with pushes: deliver them, have a look where the outcome is unknown, ask for numbers, sweep up.

What it claimed, one or a batch, has a lease, a fence and an attempt on record. Then we talk to the platform with no
transaction open. Whatever is written afterwards counts only while the fence is still ours. An attempt
whose answer was lost stays open, and while one is open Postgres lets no second one begin: only a look into the
platform's books closes it. Knows no Celery; `work` and `sweep` can be called from a shell.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from connectors import epoch, links
from connectors import services as connectors
from connectors.heard import Said
from connectors.interface import Connector, Fix, ItemBook, NewInvoice, PlatformError, Problem, Rejected
from connectors.interface import RemoteInvoice as Remote
from connectors.models import Connection, RemoteLink
from invoices import claims, documents, record
from invoices.claims import LEASE, Claim, Ready, claim
from invoices.looks import TOGETHER, Sighting, Sought, look, settle, sight
from invoices.models import Push, RemoteInvoice

log = logging.getLogger(__name__)

LANE_LIMIT = timedelta(seconds=120) / settings.CLOCK_DIVISOR  # over all calls of one sending, each at its deadline
DRAIN = 20  # hands that one task carries before it makes room for others
SWEEP = 50  # hints that one sweep gives
NUMBERS = 100  # that one question asks for
DRAFT_AGE = timedelta(seconds=60) / settings.CLOCK_DIVISOR  # between two looks at an invoice without a number


def work(push_id: int, *, overtime: Callable[[], None] = lambda: None) -> tuple[int, datetime] | None:
    """Carries one push as far as it goes now, then others that wait on its connection.

    The next one left and when it may go, where to see to it falls to this worker: it made room for others, or was the
    one that was told to wait. So of many workers that find nothing to do none asks for anything.

    `overtime` is called from another thread when a call outlives every limit of its own, as a worker stuck in it would
    hold its lane for ever.
    """
    connection = Connection.objects.filter(pushes=push_id).first()
    if connection is None:
        return None
    look(push_id, now=timezone.now())
    turn, carried, found = Turn(connection, overtime), 0, True
    try:
        for only in (push_id, *[None] * DRAIN):
            found = bool(turn.ready) or turn.take(only)
            if not found:
                break
            turn.send(is_last=carried == DRAIN)
            carried += 1
    finally:
        turn.end()
    left, now = claims.next_turn(connection), timezone.now()
    is_later = left is not None and left[1] > now
    ask_for_numbers(connection, at_the_end=left is None or is_later, now=now)
    return left if found or (carried and is_later) else None


def deliver(hand: Sequence[Claim], *, overtime: Callable[[], None] = lambda: None) -> None:
    """Talks to the platform with no transaction open, and records what came of it for each."""
    turn = Turn(hand[0].push.connection, overtime)
    turn.make_ready(hand)
    turn.send(is_last=True)


@dataclass(slots=True)
class Turn:
    """A worker's turn: while a call is on its way, the answer before it is written down and the next one made ready.

    `ready` goes next; `answered` is not on record yet, and its first one keeps the lane until what is ready takes it.
    """

    connection: Connection
    overtime: Callable[[], None]
    ready: list[Ready] = field(default_factory=list)
    answered: list[tuple[Claim, Remote]] = field(default_factory=list)

    def take(self, push_id: int | None) -> bool:
        """Claims what goes next, with a lane; False where there is none."""
        hand = claim(self.connection, now=timezone.now(), push_id=push_id)
        self.make_ready(hand)
        return bool(hand)

    def make_ready(self, hand: Sequence[Claim], *, calls: bool = True) -> None:
        if not hand:
            return
        push = hand[0].push
        beside = connectors.Beside(calls=calls)
        connector = connectors.open_connector(push.connection, push=str(push.pk), beside=beside, kind=push.invoice.kind)
        for claimed in hand:
            try:
                self.ready.append((claimed, _document(claimed, connector)))
            except PlatformError as error:
                record.failed(claimed, error, now=timezone.now())

    def send(self, *, is_last: bool) -> None:
        """One creating call. What goes wrong beside it is raised once its own answer is on record."""
        left, heard, stumbled = self._intend(), list[Said](), list[Exception]()
        if not left:
            return
        hand = [claimed for claimed, _ in left]
        may_look_ahead = not is_last and connectors.platform_of(self.connection).batch_size == 1

        def meanwhile() -> None:
            try:
                self._write_down()
                if may_look_ahead and not self.ready:
                    self._look_ahead(hand[0])
            except Exception as error:  # noqa: BLE001  # raised below
                stumbled.append(error)

        limit = threading.Timer((LANE_LIMIT * claims.patience(len(left))).total_seconds(), self.overtime)
        limit.start()
        try:
            results = _send(_connector(hand, heard, meanwhile), left)
        finally:
            limit.cancel()
        self._hear(left, results, heard)
        if stumbled:
            self.end()
            raise stumbled[0]

    def _intend(self) -> list[Ready]:
        """Puts on record what is ready; what of it goes."""
        ready, self.ready, now = self.ready, [], timezone.now()
        until = now + LEASE * claims.patience(len(ready))
        if not self.answered:
            return claims.intend(ready, lease_until=until, now=now) if ready else []
        if claims.follow(self.answered[0][0], ready[0], lease_until=until, now=now):
            return ready
        self._write_down()
        claims.put_back(ready[0][0])
        return []

    def _look_ahead(self, on_its_way: Claim) -> None:
        """Claims what goes next and makes it ready, unless something has to be asked for that over there."""
        hand = claim(self.connection, now=timezone.now(), behind=on_its_way)
        try:
            self.make_ready(hand, calls=False)
        except connectors.NoCall:
            claims.put_back(hand[0])

    def _hear(self, sent: Sequence[Ready], results: Sequence[Remote | PlatformError], heard: Sequence[Said]) -> None:
        """Where all is well the next one goes at once; else what came of it is written down first."""
        refused = []
        told = zip(sent, results, strict=False)  # there are no results where a look found it
        for position, ((claimed, _), result) in enumerate(told):
            if heard:
                last = heard[-1]
                claimed.attempt.http_status, claimed.attempt.answer = last.status, last.part(position, len(sent))
            if isinstance(result, Remote):
                self.answered.append((claimed, result))
            else:
                refused.append((claimed, result))
        if refused or not self.ready:
            self._write_down()
            for claimed, error in refused:
                record.failed(claimed, error, now=timezone.now())
        if refused or not results:
            self.end()

    def _write_down(self) -> None:
        while self.answered:
            claimed, remote = self.answered.pop(0)
            record.sent(claimed, remote, now=timezone.now())

    def end(self) -> None:
        """Nothing is left in hand."""
        self._write_down()
        while self.ready:
            claims.put_back(self.ready.pop()[0])


def _connector(hand: Sequence[Claim], heard: list[Said], meanwhile: Callable[[], None]) -> Connector:
    push = hand[0].push
    return connectors.open_connector(
        push.connection,
        push=str(push.pk),
        may_leave=lambda: all(map(_may_leave, hand)),
        deadline=connectors.DEADLINE * claims.patience(len(hand)),
        beside=connectors.Beside(heard=heard.append, meanwhile=meanwhile),
        kind=push.invoice.kind,
    )


def _may_leave(claimed: Claim) -> bool:
    """Asked before the first byte: a worker that froze after `intend` wakes up and sends nothing."""
    until = claimed.attempt.may_leave_until
    return until is None or timezone.now() < until


def _send(connector: Connector, ready: Sequence[Ready]) -> Sequence[Remote | PlatformError]:
    """One creating call, and what came of it; where the key alone does not protect us a look comes first."""
    first, invoice = ready[0]
    try:
        if len(ready) == 1 and _is_there_already(first, invoice, connector):
            return ()
        return connector.create_invoices([each for _, each in ready], first.attempt.key)
    except Rejected as refused:
        return (refused if len(ready) == 1 else record.Split(refused),) * len(ready)
    except PlatformError as error:
        return (error,) * len(ready)


def _is_there_already(claimed: Claim, invoice: NewInvoice, connector: Connector) -> bool:
    """Looks before it sends where the key alone is not enough, or where this database was restored and may forget."""
    restored = None if claimed.is_remembered else epoch.confirmed()
    if restored and restored.copied_at:
        sought = Sought(claimed=claimed, invoice=invoice, since=restored.copied_at)
        ((_, seen),) = sight([sought], connector)
    elif claims.must_look_first(claimed, timezone.now()):
        seen = Sighting(found=connector.find_invoices(invoice))
    else:
        return False
    return settle(claimed, invoice, seen)


def _document(claimed: Claim, connector: Connector) -> NewInvoice:
    """What is to be sent: under a key that may have reached the platform, the same again."""
    earlier = claims.first_sent(claimed)
    return documents.from_json(earlier.document) if earlier and earlier.document else _compose(claimed, connector)


def _compose(claimed: Claim, connector: Connector) -> NewInvoice:
    """The approved invoice in the platform's terms; clients and items over there are found or created on the way."""
    push, connection = claimed.push, claimed.push.connection
    frozen, options = push.invoice.frozen or {}, connection.options
    local_key, client = documents.frozen_client(frozen)
    rates = {code: link.remote_id for code, link in connectors.tax_links(connection).items()}
    items = documents.frozen_items(frozen).values() if options.create_items else ()
    _must_be_mapped({row["tax_code"] for row in (*frozen["lines"], *items)} - rates.keys())
    if problems := connectors.platform_of(connection).objections(client, set(rates.values())):
        raise Rejected(problems)
    now = timezone.now()
    own_codes = {line["nominal_code"] for line in frozen["lines"] if line.get("nominal_code")}
    codes = documents.Codes(
        **_dimensions(connection, frozen),
        client_id=links.ensure(connection, connectors.client_ours(connector, connection, client, local_key), now=now),
        sales_account_id=connection.sales_account_id,
        tax_rate_ids=rates,
        account_ids=connectors.account_ids(connection, own_codes, now=now) if options.codes_per_line else {},
        item_ids={},
    )
    if options.create_items and connector.items:
        codes = _with_items(codes, claimed, connector.items, now)
    number, prefix = push.invoice.number or "", push.invoice.number_prefix
    return documents.compose(frozen, number=number, prefix=prefix, codes=codes, options=options)


def _dimensions(connection: Connection, frozen: Mapping[str, Any]) -> dict[str, str]:
    """Location and department: those of the invoice's property, else the connection's own."""
    options, key = connection.options, str(frozen.get("property") or "")
    kinds = [RemoteLink.Kind.LOCATION, RemoteLink.Kind.DEPARTMENT]
    own = RemoteLink.objects.filter(connection=connection, kind__in=kinds, local_key=key) if key else ()
    found = {link.kind: link.remote_id for link in own}
    return {
        "location_id": found.get(RemoteLink.Kind.LOCATION, options.location_id),
        "department_id": found.get(RemoteLink.Kind.DEPARTMENT, options.department_id),
    }


def _must_be_mapped(missing: set[str]) -> None:
    if missing:
        said = {code: f"No tax rate of Sage's is chosen for {code}." for code in sorted(missing)}
        problems = (Problem(message=text, meaning=text, fix=Fix.TAX_RATES, subject=code) for code, text in said.items())
        raise Rejected(tuple(problems))


def _with_items(codes: documents.Codes, claimed: Claim, items: ItemBook, now: datetime) -> documents.Codes:
    """The items its lines name, each found or created over there."""
    connection, ids = claimed.push.connection, {}
    for local_key, item in documents.frozen_items(claimed.push.invoice.frozen or {}).items():
        new = documents.new_item(item, codes=codes, purchase_account_id=connection.purchase_account_id)
        ours = connectors.item_ours(items, connection, new, UUID(local_key))
        ids[local_key] = links.ensure(connection, ours, now=now)
    return replace(codes, item_ids=ids)


def ask_for_numbers(connection: Connection, *, at_the_end: bool, now: datetime) -> None:
    """Asks for the numbers of what the platform took without telling them: one question for many, so not too soon."""
    rows = RemoteInvoice.objects.filter(connection=connection, number="", checked_at=None, push__state=Push.State.SENT)
    under_way = Push.objects.filter(connection=connection, state=Push.State.SENDING).exists()
    if rows[NUMBERS - 1 :].exists() or (at_the_end and not under_way):
        _read(connection, rows, now)


def read_numbers(*, now: datetime) -> None:
    """Drafts get their number when they are released over there, and an answer may have told none: both are asked."""
    due = Q(checked_at=None) | Q(checked_at__lt=now - DRAFT_AGE)
    able = [Connection.State.ACTIVE, Connection.State.DISCONNECTING]
    for connection in Connection.objects.filter(state__in=able):
        sent = RemoteInvoice.objects.filter(connection=connection, push__state=Push.State.SENT)
        rows = sent.filter(due, number="", gone_at=None)
        _read(connection, rows, now)


def _read(connection: Connection, rows: QuerySet[RemoteInvoice], now: datetime) -> None:
    asked = _taken(rows, now)
    found: list[Remote] = []
    for kind in {row.invoice.kind for row in asked.values()}:
        wanted = [remote_id for remote_id, row in asked.items() if row.invoice.kind == kind]
        try:
            found += connectors.open_connector(connection, kind=kind).read_invoices(wanted)
        except PlatformError as error:
            log.warning("Could not read numbers: %s", error.message)
    for remote in found:
        if remote.id in asked:
            record.number_came(asked[remote.id], remote, now=now)


def _taken(rows: QuerySet[RemoteInvoice], now: datetime) -> dict[str, RemoteInvoice]:
    """Those that one question asks for, by token, and nobody else meanwhile; none while the platform is to rest."""
    able = rows.filter(Q(connection__paused_until=None) | Q(connection__paused_until__lte=now))
    in_order = able.select_related("invoice").order_by(F("checked_at").asc(nulls_first=True), "pk")
    with transaction.atomic():
        asked = {row.remote_id: row for row in in_order.select_for_update(skip_locked=True, of=("self",))[:NUMBERS]}
        RemoteInvoice.objects.filter(pk__in=[row.pk for row in asked.values()]).update(checked_at=now)
    return asked


def sweep(*, now: datetime) -> list[int]:
    """Takes what dead workers left, and names the pushes that are due: whatever a lost message forgot.

    Of those to look up only one for each look, as one is for several; of those that wait one for each connection.
    """
    for push_id in Push.objects.abandoned(now).values_list("pk", flat=True)[:SWEEP]:
        record.abandoned(push_id, now=now)
    due = Push.objects.to_look_up(now).order_by("due_at", "pk").values_list("connection", "invoice__kind", "pk")
    looked_for_together: dict[tuple[UUID, str], list[int]] = defaultdict(list)
    for connection, kind, push_id in due[: SWEEP * TOGETHER]:
        looked_for_together[connection, kind].append(push_id)
    looks = [push_id for pushes in looked_for_together.values() for push_id in pushes[::TOGETHER]]
    first_waiting = Push.objects.ready(now).order_by("connection", "due_at", "id").distinct("connection")
    return [*looks, *first_waiting.values_list("pk", flat=True)]
