"""The card on the right of an invoice: where it stands with Sage, Send to Sage, and the conflict of numbers."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors import epoch
from connectors.interface import Fix, PlatformError
from connectors.registry import endpoints
from connectors.services import live_connection, platform_of
from incrementors.services import NumberRefused
from invoices import conflicts, mailing, services, settling, voidable
from invoices.drafts import group_of
from invoices.forms import DiscardForm
from invoices.models import Event, Invoice, Push
from invoices.standing import (
    FIXES,
    current_push,
    former_numbers,
    held_as,
    look_of,
    shown_number,
    standing_of,
    why_void,
)


def person(request: HttpRequest) -> User:
    """The signed-in user; the access rules let nobody else in."""
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    return request.user


def push_context(request: HttpRequest, invoice: Invoice) -> dict[str, Any]:
    """What the right-hand card shows: where the invoice stands, and what can be done about it by this person."""
    connection = live_connection()
    push = current_push(invoice, connection)
    stands = standing_of(invoice, push, connection, now=timezone.now(), held=epoch.is_held())
    void = voidable.shown(invoice, connection, person(request))
    if void.moving:
        stands = replace(stands, moving=True, reason=f"{void.label} {void.reason}")
    sendable = invoice.status in (Invoice.Status.DRAFT, Invoice.Status.APPROVED) and not stands.moving
    found = services.obstacles(invoice, connection) if sendable else []
    attempts = list(push.attempts.all()) if push else []
    both = Invoice.objects.filter(Q(pk=invoice.pk) | Q(credits=invoice))  # and what became of its credit notes
    events = list(Event.objects.filter(invoice__in=both.values("pk")).select_related("actor", "invoice"))
    remote = held_as(invoice, push, connection)
    subject = push.connection if push else remote.connection if remote else connection
    return {
        "invoice": invoice,
        "paper_total": invoice.total * invoice.sign,
        "paper_tax": invoice.tax * invoice.sign,
        "number": shown_number(invoice, connection),
        "former": former_numbers(invoice, connection),
        "voided": why_void(invoice),
        "came_in_as": list(invoice.duplicates.all()),
        "may_approve": services.may_approve(invoice, person(request)),
        "push": push,
        "for_a_person": bool(push and settling.is_for_a_person(push)),
        "void": void,
        "void_problems": [
            (p, mend(request, invoice, p["fix"], remote.url if remote else ""))
            for p in (void.voiding.problems if void.voiding else [])
        ],
        "remote": remote,
        "standing": stands,
        "checkable": sendable,
        "platform_label": platform_of(subject).label if subject else "",
        "connection": subject,
        "is_sandbox": bool(connection and endpoints(connection.platform).is_sandbox),
        "obstacles": [(obstacle, mend(request, invoice, obstacle.fix)) for obstacle in found],
        "problems": [
            (p, mend(request, invoice, p["fix"], p.get("subject", ""))) for p in (push.problems if push else [])
        ],
        "last_attempt": attempts[-1] if attempts else None,
        "attempts": attempts,
        "support_email": settings.SUPPORT_EMAIL,
        "events": events,
        "past": [(event, *look_of(event)) for event in events],
        "discard_form": DiscardForm(),
        **mail_context(request, invoice),
    }


def mail_context(request: HttpRequest, invoice: Invoice) -> dict[str, Any]:
    """How far its latest e-mail is, and whether e-mailing it is what comes next."""
    mail = invoice.mails.select_related("requested_by").first()
    may_mail = request.user.has_perm("invoices.send_invoice") and not mailing.why_not(invoice)
    owed = invoice.status in (Invoice.Status.SENT, Invoice.Status.PART_PAID)
    is_next = may_mail and settings.MAIL_IS_SET_UP and owed and not mail
    return {"mail": mail, "may_mail": may_mail, "mail_is_next": is_next}


def mend(request: HttpRequest, invoice: Invoice, fix: str | None, subject: str = "") -> dict[str, str] | None:
    """The link to where it is mended; for somebody who may not go there, whom to ask instead.

    `subject` is the key of what it is about, or the address of the invoice's page in Sage.
    """
    if fix == Fix.REMOTE:
        return {"label": "Open it in Sage", "url": subject} if subject else None
    if fix not in FIXES:
        return None
    name, label, permission = FIXES[fix]
    if not request.user.has_perm(permission):
        return {"label": "Ask an admin to do this."}
    if name == "invoice-edit" and invoice.status == Invoice.Status.APPROVED:
        return {"label": "Take it back to draft and change it", "post": reverse("invoice-draft", args=[invoice.pk])}
    args: dict[str, Any] = {
        "client-edit": invoice.client_id,
        "client-sage": invoice.client.uuid,
        "item-sage": subject,
        "invoice-edit": invoice.pk,
    }
    return {"label": label, "url": reverse(name, args=[args[name]] if name in args else [])}


@require_http_methods(["GET", "POST"])
def invoice_push(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the right-hand card as it is now, or 204 where it still says what was seen. POST: Send to Sage."""
    invoice = get_object_or_404(Invoice.objects.select_related("client"), pk=pk)
    refusal = ""
    if request.method == "POST":
        try:
            services.request_push(invoice_id=pk, actor=person(request), now=timezone.now())
        except services.Refused as refused:
            refusal = str(refused)
        if not request.headers.get("HX-Request"):
            if refusal:
                messages.error(request, refusal)
            return redirect("invoice-detail", pk)
        invoice.refresh_from_db()
    context = {**push_context(request, invoice), "refusal": refusal, "fragment": True}
    if request.GET.get("seen") == context["standing"].code + context["standing"].reason:
        return HttpResponse(status=204)
    return render(request, "invoices/_push.html", context)


@require_safe
def invoice_conflict(request: HttpRequest, pk: int) -> HttpResponse:
    """What Sage may hold it as, read now, beside ours; the part of the card that a person decides by."""
    invoice, push = _undecided(pk)
    text, now = services.next_number(group_of(invoice)), timezone.now()
    context: dict[str, Any] = {"invoice": invoice, "push": push, "next_text": text, "now": now}
    try:
        context["question"] = conflicts.question(invoice, push) if push else None
    except PlatformError as error:
        context["trouble"] = error.message
    return render(request, "invoices/_conflict.html", context)


def _undecided(pk: int) -> tuple[Invoice, Push | None]:
    invoice = get_object_or_404(Invoice.objects.select_related("client"), pk=pk)
    push = current_push(invoice, live_connection())
    return invoice, push if push and settling.is_for_a_person(push) else None


@require_POST
def invoice_next_number(request: HttpRequest, pk: int) -> HttpResponse:
    """A different invoice holds our number in Sage: take the next free one and send under it."""
    return _settle(request, pk, services.take_next_number)


@require_POST
def invoice_send_again(request: HttpRequest, pk: int) -> HttpResponse:
    """None of what Sage holds is it: send ours again."""
    return _settle(request, pk, services.send_again)


def _settle(request: HttpRequest, pk: int, service: Any) -> HttpResponse:
    """Looks once more, and does what a person decided by the same things that they saw.

    Where it may be in Sage already, they have to have said that it is not.
    """
    invoice, push = _undecided(pk)
    in_doubt = push if push and settling.open_attempt(push) else None
    try:
        if in_doubt and not request.POST.get("sure"):
            raise services.Refused("Say first that what Sage holds is not this invoice.")
        seen = conflicts.found_in_sage(invoice, in_doubt) if in_doubt else ()
        service(invoice_id=pk, seen=seen, actor=person(request), now=timezone.now())
    except (services.Refused, NumberRefused, PlatformError) as refused:
        messages.error(request, str(refused))
    return redirect("invoice-detail", pk)


@require_POST
def invoice_link(request: HttpRequest, pk: int) -> HttpResponse:
    """It is this very invoice that Sage holds: link it."""
    invoice, push = _undecided(pk)
    try:
        remote = conflicts.candidate_by_id(invoice, push, request.POST.get("remote", "")) if push else None
        if remote is None:
            raise services.Refused("Sage does not hold that invoice so any more. Look again.")
        services.link_to_remote(invoice_id=pk, remote=remote, actor=person(request), now=timezone.now())
    except (services.Refused, PlatformError) as refused:
        messages.error(request, str(refused))
    return redirect("invoice-detail", pk)
