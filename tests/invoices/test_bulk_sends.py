"""Many sent together: chosen, begun, queued by workers that may die, cancelled, sent again; never one twice."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection, RemoteLink
from invoices import bulk, bulk_services, claims, sends, services, tasks
from invoices.drafts import Refused
from invoices.models import BulkMember, BulkSend, Company, Event, Invoice, Push
from reflow.processes import wait_until
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db
NewInvoice = Callable[..., Invoice]
Choose = Callable[..., BulkSend]


@pytest.fixture(autouse=True)
def hinted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bulk sends a worker was told of, so that no broker is asked."""
    told: list[int] = []
    monkeypatch.setattr(tasks, "hint_send", told.append)
    return told


@pytest.fixture
def chosen(wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime) -> Choose:
    def made(count: int = 3, **changes: Any) -> BulkSend:
        ids = [new_invoice(**changes).pk for _ in range(count)]
        return bulk_services.choose(ids=ids, actor=staff, now=now)

    return made


@pytest.fixture
def begun(chosen: Choose, staff: User, now: datetime) -> Choose:
    def made(count: int = 3, **changes: Any) -> BulkSend:
        send = chosen(count, **changes)
        return bulk_services.start(send_id=send.pk, green=count, actor=staff, now=now)

    return made


def queue(send: BulkSend, now: datetime) -> list[int]:
    return list(bulk.queue_all(send.pk, now=now))


def states(send: BulkSend) -> list[str]:
    return list(sends.shown(send).values_list("stands", flat=True))


def test_choosing_sends_nothing_and_pressing_answers_before_anything_is_queued(
    chosen: Choose, staff: User, now: datetime, hinted: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    send = chosen()
    assert not Push.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        bulk_services.start(send_id=send.pk, green=3, actor=staff, now=now)
    assert not Push.objects.exists()
    assert hinted == [send.pk]
    assert bulk.due() == [send.pk]


def test_queuing_approves_freezes_and_makes_each_push_as_a_press_does(
    begun: Choose, approved: Invoice, staff: User, now: datetime
) -> None:
    alone = services.request_push(invoice_id=approved.pk, actor=staff, now=now)
    send = begun()
    first = queue(send, now)
    assert first == [BulkMember.objects.filter(send=send).order_by("pk")[0].push_id]
    for member in send.members.select_related("push", "invoice"):
        assert member.push
        assert (member.invoice.status, member.invoice.approved_by) == ("APPROVED", staff)
        assert member.invoice.frozen == {**(member.invoice.frozen or {})}
        for name in ("state", "cause", "problems", "generation", "fence", "due_at", "requested_by_id"):
            assert getattr(member.push, name) == getattr(alone, name)
        told = Event.objects.filter(invoice=member.invoice).order_by("pk").values_list("text", flat=True)
        assert list(told) == ["Created.", "Approved.", "Queued for Sage."]
    send.refresh_from_db()
    assert send.queued_at == now
    assert bulk.due() == []


def test_what_is_frozen_is_what_approving_alone_freezes(
    begun: Choose, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    alone = services.approve(invoice_id=new_invoice().pk, actor=staff, now=now)
    send = begun(1)
    queue(send, now)
    assert send.members.get().invoice.frozen == alone.frozen


def test_a_second_press_is_the_same_send(begun: Choose, staff: User, now: datetime) -> None:
    send = begun()
    later = now + timedelta(seconds=1)
    again = bulk_services.start(send_id=send.pk, green=3, actor=staff, now=later)
    assert (again.pk, again.started_at) == (send.pk, now)
    queue(send, now), queue(send, now)
    assert Push.objects.count() == 3


def test_whoever_dies_in_a_chunk_leaves_nothing_of_it_and_the_sweep_goes_on(
    begun: Choose, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 2)
    send = begun(5)
    assert bulk.queue_chunk(send.pk, now=now).members == 2

    def dies(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(bulk, "update", dies)
        with pytest.raises(SystemExit), transaction.atomic():
            bulk.queue_chunk(send.pk, now=now)
    assert Push.objects.count() == 2, "pushes and members are written together or not at all"
    assert Invoice.objects.filter(status="DRAFT").count() == 3
    assert bulk.due() == [send.pk]
    queue(send, now)
    assert Push.objects.count() == 5
    assert Event.objects.filter(text="Queued for Sage.").count() == 5


def test_what_changed_since_the_check_is_left_out_with_its_reason(
    begun: Choose, admin: User, staff: User, now: datetime
) -> None:
    send = begun(4)
    void, going, refused, _plain = Invoice.objects.order_by("pk")
    services.discard(invoice_id=void.pk, reason="Raised twice.", actor=staff, now=now)
    services.request_push(invoice_id=going.pk, actor=staff, now=now)
    services.request_push(invoice_id=refused.pk, actor=staff, now=now)
    Push.objects.filter(invoice=refused).update(state="ATTENTION", cause="REJECTED")
    queue(send, now)
    left = dict(send.members.filter(state="LEFT_OUT").values_list("invoice", "reason"))
    assert left == {
        void.pk: "Only an approved invoice can be sent; this one is void.",
        going.pk: "It was on its way already.",
    }
    assert sorted(states(send)) == ["LEFT_OUT", "LEFT_OUT", "WAITING", "WAITING"]
    again = Push.objects.get(invoice=refused)
    assert (again.state, again.generation) == ("READY", 2), "what was refused goes with a new key"


def test_where_a_second_person_approves_nobody_sends_their_own_drafts_by_the_hundred(
    begun: Choose, wired: Connection, staff: User, now: datetime
) -> None:
    Company.ours()
    send = begun(2)
    Company.objects.update(second_person_approves=True)
    queue(send, now)
    assert not Push.objects.exists()
    assert set(Invoice.objects.values_list("status", flat=True)) == {"DRAFT"}
    assert all("A second person approves here" in member.reason for member in send.members.all())


def test_once_the_books_are_parted_from_nothing_more_is_queued(begun: Choose, wired: Connection, now: datetime) -> None:
    send = begun(2)
    wired.state, wired.disconnected_at = Connection.State.DISCONNECTED, now
    wired.save()
    queue(send, now)
    assert {member.reason for member in send.members.all()} == {"Reflow is not connected to Harbour any more."}
    assert not Push.objects.exists()


def test_what_may_lie_in_other_books_is_not_sent(begun: Choose, wired: Connection, admin: User, now: datetime) -> None:
    from invoices.models import PushAttempt

    send = begun(1)
    old = Connection.objects.create(
        platform="sage_accounting", state="DISCONNECTED", company_id="b-0", company_name="Old", authorised_at=now,
        authorised_by=admin, disconnected_at=now,
    )  # fmt: skip
    invoice = Invoice.objects.get()
    push = Push.objects.create(
        invoice=invoice, connection=old, state="UNKNOWN", due_at=now, requested_at=now, requested_by=admin
    )
    PushAttempt.objects.create(push=push, n=1, generation=1, key="k", started_at=now)
    queue(send, now)
    assert send.members.get().reason.startswith("It may be in the books of Old already.")


def test_cancelling_stops_what_waits_and_leaves_what_is_in_hand(
    begun: Choose, wired: Connection, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 3)
    send = begun(5)
    (first,) = bulk.queue_chunk(send.pk, now=now).pushes
    (hand,) = claims.claim(wired, now=now, push_id=first)
    assert bulk_services.cancel(send_id=send.pk, actor=staff, now=now) == 4
    assert sorted(states(send)) == ["CANCELLED"] * 4 + ["SENDING"]
    assert claims.claim(wired, now=now) == [], "what is cancelled is never taken"
    assert Push.objects.get(pk=hand.push.pk).state == "SENDING"
    assert bulk_services.cancel(send_id=send.pk, actor=staff, now=now) == 0
    assert bulk.due() == []


def test_a_worker_that_took_one_meanwhile_keeps_it(
    begun: Choose, wired: Connection, staff: User, now: datetime
) -> None:
    send = begun(1)
    queue(send, now)
    assert bulk_services.cancel(send_id=send.pk, actor=staff, now=now) == 1
    assert claims.claim(wired, now=now) == []
    assert bulk_services.send_again(send_id=send.pk, actor=staff, now=now) == 1
    queue(send, now)
    (hand,) = claims.claim(wired, now=now)
    assert bulk_services.cancel(send_id=send.pk, actor=staff, now=now) == 0
    assert (hand.push.generation, states(send)) == (2, ["SENDING"])


def test_cancelled_ones_go_again_in_the_name_of_who_asks(
    begun: Choose, staff: User, admin: User, now: datetime
) -> None:
    send = begun(3)
    queue(send, now)
    bulk_services.cancel(send_id=send.pk, actor=staff, now=now)
    assert bulk_services.send_again(send_id=send.pk, actor=admin, now=now) == 3
    assert bulk_services.send_again(send_id=send.pk, actor=staff, now=now) == 0
    queue(send, now)
    assert set(Push.objects.values_list("state", "requested_by")) == {("READY", admin.pk)}
    assert Push.objects.count() == 3


def test_what_was_shown_is_what_goes(chosen: Choose, staff: User, now: datetime) -> None:
    send = chosen(3)
    one = send.members.order_by("pk")[0]
    bulk_services.keep_findings(send, {one.invoice_id: "Its client is dead."})
    with pytest.raises(Refused, match="2 can be sent now, not 3"):
        bulk_services.start(send_id=send.pk, green=3, actor=staff, now=now)
    bulk_services.start(send_id=send.pk, green=2, actor=staff, now=now)
    bulk_services.keep_findings(send, {})
    one.refresh_from_db()
    assert (one.state, one.reason) == ("LEFT_OUT", "Its client is dead.")
    queue(send, now)
    assert Push.objects.count() == 2


def test_postgres_keeps_each_invoice_once_and_queued_only_with_a_push(chosen: Choose, now: datetime) -> None:
    send = chosen(1)
    member = send.members.get()
    for broken in (
        lambda: BulkMember.objects.create(send=send, invoice=member.invoice),
        lambda: send.members.update(state="QUEUED"),
        lambda: send.members.update(state="LEFT_OUT"),
        lambda: BulkSend.objects.update(started_at=now),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            broken()


def test_a_choice_that_was_never_sent_goes_after_a_week(chosen: Choose, begun: Choose, now: datetime) -> None:
    chosen(1), begun(1)
    bulk.expire(now=now + timedelta(days=8))
    assert BulkSend.objects.filter(started_at=None).count() == 0
    assert BulkSend.objects.count() == 1


# The pages ---------------------------------------------------------------------------------------------------------
def poll(desk: Browser, text: str) -> Any:
    found = re.search(r'hx-get="([^"]+)"', text)
    assert found
    return desk.get(found[1].replace("&amp;", "&"))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_page_asks_with_a_cursor_and_only_what_changed_comes(
    desk: Browser, begun: Choose, wired: Connection, now: datetime
) -> None:
    send = begun(3)
    address = reverse("send-detail", args=[send.pk])
    text = desk.get(address).text
    assert text.count('id="member-') == 3
    assert "It is being queued." in text
    queue(send, now)
    texts: list[str] = []

    def says_nothing_new() -> bool:
        texts.append(desk.get(address).text)
        return int(poll(desk, texts[-1]).status_code) == 204

    assert wait_until(says_nothing_new, 60), "a cursor waits for transactions that are open, of other tests too"
    text = texts[-1]
    (first, *_) = Push.objects.order_by("pk")
    Push.objects.filter(pk=first.pk).update(state="ATTENTION", cause="REJECTED", problems=[{"meaning": "Dead client."}])
    answer = poll(desk, text)
    assert answer.text.count('id="member-') == 1
    assert "Dead client." in answer.text and "1 of 3 done" in answer.text
    Push.objects.exclude(pk=first.pk).update(state="CANCELLED")
    last = poll(desk, answer.text).text
    assert "hx-get" not in last, "once it has ended nothing is asked for any more"
    assert "1 of 3 needs attention" in last
    assert "Send the 2 cancelled ones again" in last


def test_a_pause_is_said_and_a_broken_cursor_is_no_accident(desk: Browser, begun: Choose, now: datetime) -> None:
    send = begun(2)
    queue(send, now)
    Connection.objects.update(state=Connection.State.RECONNECT)
    text = desk.get(reverse("send-detail", args=[send.pk])).text
    assert "no longer accepts our authorisation" in text
    for broken in ("cursor=x&ids=9999999999999999999999.a.-1", "cursor=99999999999999999&ids="):
        assert desk.get(f"{reverse('send-progress', args=[send.pk])}?{broken}").status_code == 200


def test_a_choice_belongs_to_who_made_it_until_it_begins(
    desk: Browser, client: Browser, chosen: Choose, admin: User, staff: User, now: datetime
) -> None:
    send = chosen(1)
    addresses = [reverse(f"send-{deed}", args=[send.pk]) for deed in ("detail", "progress")]
    assert [desk.get(address).status_code for address in addresses] == [200, 404]
    client.force_login(admin)
    assert [client.get(address).status_code for address in addresses] == [404, 404]
    assert client.post(reverse("send-start", args=[send.pk]), {"green": "1"}).status_code == 404
    bulk_services.start(send_id=send.pk, green=1, actor=staff, now=now)
    assert [client.get(address).status_code for address in addresses] == [200, 200]


def test_the_press_says_what_has_changed_since_and_sends_nothing(desk: Browser, chosen: Choose) -> None:
    send = chosen(2)
    address = reverse("send-detail", args=[send.pk])
    assert "Send all 2" in desk.get(address).text
    RemoteLink.objects.filter(kind="TAX_RATE").delete()
    assert "Send the" not in desk.get(address).text
    answer = desk.post(reverse("send-start", args=[send.pk]), {"green": "2"}, follow=True)
    assert "Nothing was sent, as something has changed: 0 can be sent now, not 2." in answer.text
    assert "No tax rate of Sage&#x27;s is chosen yet" in answer.text
    for broken in ("", "x", "-1"):
        assert desk.post(reverse("send-start", args=[send.pk]), {"green": broken}).status_code == 302
    assert not BulkSend.objects.filter(started_at__isnull=False).exists()


def test_progress_counts_money_pace_and_pauses(begun: Choose, wired: Connection, now: datetime, settings: Any) -> None:
    send = begun(4)
    queue(send, now)
    told = sends.progress(send, wired, now=now)
    assert (told.count("WAITING"), told.total, told.left, told.ended) == (4, 4, 4, 0)
    assert [(tally.label, tally.count) for tally in told.shown][:3] == [("Waiting", 4), ("Sending", 0), ("Sent", 0)]
    assert str(told.tallies["WAITING"].sums[0][1]) == "816.00"
    assert told.ahead == "less than a minute"
    wired.paused_until = now + timedelta(minutes=5)
    assert sends.progress(send, wired, now=now).words.startswith("Sage is busy or can't be reached. Next try at")
    assert sends.progress(send, wired, now=now).ahead == "about 5 minutes"
    wired.paused_until = None
    one = Push.objects.order_by("pk")[0]
    later = now + timedelta(seconds=60)
    Push.objects.filter(pk=one.pk).update(state="SENT", sent_at=later, remote=remote_of(one.invoice, wired, now))
    assert sends.progress(send, wired, now=later).ahead == "about 3 minutes", "one a minute is the pace seen"
    assert sends.progress(send, None, now=now).ahead == ""


def test_the_list_of_sends_and_the_way_to_one_that_runs(
    desk: Browser, begun: Choose, now: datetime, django_assert_max_num_queries: Any
) -> None:
    assert "Nothing was sent together yet" in desk.get(reverse("send-list")).text
    send, _ = begun(2), begun(1)
    queue(send, now)
    with django_assert_max_num_queries(9):
        text = desk.get(reverse("send-list")).text
    assert "2 left" in text and reverse("send-detail", args=[send.pk]) in text
    assert "See how far it is" in desk.get(reverse("invoice-list")).text
    for each in BulkSend.objects.all():
        bulk_services.cancel(send_id=each.pk, actor=each.chosen_by, now=now)
    assert "See how far it is" not in desk.get(reverse("invoice-list")).text


@pytest.mark.parametrize("count", [1, 40])
def test_forty_members_cost_as_many_queries_as_one(
    desk: Browser, begun: Choose, now: datetime, django_assert_max_num_queries: Any, count: int
) -> None:
    send = begun(count)
    queue(send, now)
    Company.ours()
    with django_assert_max_num_queries(18):
        assert desk.get(reverse("send-detail", args=[send.pk])).status_code == 200
    with django_assert_max_num_queries(14):
        assert desk.get(f"{reverse('send-progress', args=[send.pk])}?cursor=3&ids=1").status_code == 200


def test_what_is_parked_is_counted_as_such_and_what_went_otherwise_since_is_not_called_cancelled(
    begun: Choose, wired: Connection, staff: User, now: datetime, desk: Browser
) -> None:
    send = begun(3)
    queue(send, now)
    parked, cancelled, sent = Push.objects.order_by("pk")
    Push.objects.filter(pk=parked.pk).update(state="PARKED", parked_because="In dispute.", held_at=now)
    assert bulk_services.cancel(send_id=send.pk, actor=staff, now=now) == 2
    remote = remote_of(sent.invoice, wired, now)
    Push.objects.filter(pk=sent.pk).update(state="SENT", remote=remote, sent_at=now)
    assert states(send) == ["PARKED", "CANCELLED", "SENT"]
    told = sends.progress(BulkSend.objects.get(), wired, now=now)
    assert (told.total, told.left, told.parked, told.cancelled) == (3, 0, 1, 1)
    page = " ".join(desk.get(reverse("send-detail", args=[send.pk])).text.split())
    assert "Ended: 1 sent, 1 parked, 1 cancelled" in page
    assert bulk_services.send_again(send_id=send.pk, actor=staff, now=now) == 1
    queue(send, now)
    cancelled.refresh_from_db()
    assert cancelled.state == "READY"


def test_what_was_taken_back_to_draft_meanwhile_is_not_sent_with_the_cancelled_ones(
    begun: Choose, staff: User, now: datetime
) -> None:
    send = begun(2)
    queue(send, now)
    back = send.members.order_by("pk")[0]
    services.return_to_draft(invoice_id=back.invoice_id, actor=staff, now=now)
    bulk_services.cancel(send_id=send.pk, actor=staff, now=now)
    assert bulk_services.send_again(send_id=send.pk, actor=staff, now=now) == 1
    queue(send, now)
    back.refresh_from_db()
    assert (back.state, back.reason) == ("LEFT_OUT", bulk_services.TAKEN_BACK)
    assert Invoice.objects.get(pk=back.invoice_id).status == "DRAFT"
