"""The reminders of what is overdue: what goes next and what is kept back, what has gone, and how they are set up."""

from itertools import pairwise
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Connection
from connectors.services import live_connection
from invoices import debt_services, paging, remindable, reminding
from invoices.debt_services import Step
from invoices.drafts import Refused
from invoices.models import Client, Invoice, InvoiceMail, ReminderSettings, ReminderStep
from invoices.push_views import person

SHOWN = 50  # clients on a page, and invoices that are kept back for one reason
LATEST = 30


@require_safe
def reminder_list(request: HttpRequest) -> HttpResponse:
    """What would go out next, to whom, and why others do not, some clients at a time; and what has gone."""
    ours, connection, today = ReminderSettings.ours(), live_connection(), timezone.localdate()
    keys = {side: request.GET.get(side, "") for side in ("after", "before")}
    page = paging.by_name(remindable.clients(today), "name", SHOWN, **keys)
    plan = remindable.plan(today, connection, among=page.rows)
    sent = InvoiceMail.objects.filter(kind=InvoiceMail.Kind.REMINDER).select_related("client")
    context = {
        **_head(ours, connection),
        "before": f"?before={page.before}" if page.before else "",
        "after": f"?after={page.after}" if page.after else "",
        "several": not page.is_whole,
        "mails": len(plan.bundles) if page.is_whole else None,
        "invoices": plan.invoices,
        "is_set_up": settings.MAIL_IS_SET_UP,
        "bundles": [(bundle, remindable.LEVELS[bundle.level], _owed(bundle)) for bundle in plan.bundles],
        "kept": [(why, invoices[:SHOWN], max(0, len(invoices) - SHOWN)) for why, invoices in plan.kept.items()],
        "sent": sent.prefetch_related("reminders__invoice")[:LATEST],
        "steps": ReminderStep.objects.all(),
    }
    return render(request, "debtors/reminders.html", context)


@require_safe
def reminder_count(request: HttpRequest) -> HttpResponse:
    """How many would go, where they are more than a page: asked for once that is there."""
    connection = live_connection()
    mails, invoices = remindable.counted(timezone.localdate(), connection)
    context = {**_head(ReminderSettings.ours(), connection), "mails": mails, "invoices": invoices, "several": True}
    return render(request, "debtors/_planned.html", context)


def _head(ours: ReminderSettings, connection: Connection | None) -> dict[str, Any]:
    return {"ours": ours, "why_none": reminding.why_none(connection)}


def _owed(bundle: remindable.Bundle) -> list[tuple[str, Any]]:
    """What is owed of its invoices, by currency."""
    currencies = sorted({invoice.currency for invoice in bundle.invoices})
    return [(code, sum(one.outstanding for one in bundle.invoices if one.currency == code)) for code in currencies]


class SettingsForm(forms.ModelForm):
    """Whether reminders go, and who gets a copy."""

    class Meta:
        model = ReminderSettings
        fields = ("is_on", "copy_to")


class StepForm(forms.ModelForm):
    """One reminder's day and text; each placeholder is one that there is."""

    class Meta:
        model = ReminderStep
        fields = ("days", "subject", "body")
        widgets = {"body": forms.Textarea(attrs={"rows": 11})}

    def clean_subject(self) -> str:
        return self._known(self.cleaned_data["subject"])

    def clean_body(self) -> str:
        text = self._known(self.cleaned_data["body"])
        if "{invoices}" not in text:
            raise forms.ValidationError("Put {invoices} where the invoices are to be listed.")
        return text

    def _known(self, text: str) -> str:
        for name in reminding.unknown_in(text):
            known = ", ".join(f"{{{one}}}" for one in reminding.PLACEHOLDERS)
            raise forms.ValidationError(f"There is no {{{name}}}. These are filled in: {known}.")
        return text

    @property
    def step(self) -> Step:
        return Step(**{name: self.cleaned_data[name] for name in ("days", "subject", "body")})


@require_http_methods(["GET", "POST"])
def reminder_settings(request: HttpRequest) -> HttpResponse:
    """On or off, the days and the texts; what is typed wrongly stays on the page, beside what is wrong."""
    data = request.POST if request.method == "POST" else None
    form = SettingsForm(data, instance=ReminderSettings.ours())
    steps = [StepForm(data, instance=step, prefix=f"step-{step.level}") for step in ReminderStep.objects.all()]
    if request.method == "POST" and all([form.is_valid(), *(step.is_valid() for step in steps), _in_order(steps)]):
        said = form.cleaned_data
        debt_services.set_reminders(
            is_on=said["is_on"],
            copy_to=said["copy_to"],
            steps={step.instance.level: step.step for step in steps},
            now=timezone.now(),
        )
        messages.success(request, "Saved.")
        return redirect("reminder-list")
    context = {
        "form": form,
        "steps": [(remindable.LEVELS[step.instance.level], step) for step in steps],
        "bad": [one for one in (form, *steps) if one.errors],
        "placeholders": [(f"{{{name}}}", what) for name, what in reminding.PLACEHOLDERS.items()],
    }
    return render(request, "debtors/reminder_settings.html", context, status=422 if context["bad"] else 200)


def _in_order(steps: list[StepForm]) -> bool:
    """Each reminder later than the one before."""
    valid = [step for step in steps if "days" in step.cleaned_data]
    for earlier, later in pairwise(valid):
        if later.cleaned_data["days"] <= earlier.cleaned_data["days"]:
            later.add_error("days", f"Choose more days than for the one before, {earlier.cleaned_data['days']}.")
            return False
    return True


@require_POST
def reminder_now(request: HttpRequest) -> HttpResponse:
    try:
        debt_services.send_now(now=timezone.now())
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "The reminders go as soon as Sage has said what is still owed.")
    return redirect("reminder-list")


@require_POST
def reminder_leave_out(request: HttpRequest) -> HttpResponse:
    """Of one client, or of all."""
    chosen = request.POST.get("client", "")
    client = get_object_or_404(Client, pk=chosen if chosen.isdecimal() else 0) if chosen else None
    count = debt_services.leave_out(client=client, actor=person(request), now=timezone.now())
    messages.success(request, f"{count} invoice{'' if count == 1 else 's'} left out until the next step.")
    return redirect("reminder-list")


@require_POST
def reminder_put_back(request: HttpRequest) -> HttpResponse:
    chosen = request.POST.get("mail", "")
    try:
        debt_services.put_back(mail_id=int(chosen) if chosen.isdecimal() and len(chosen) < len(str(2**63)) else 0)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "It is planned again for the next run.")
    return redirect("reminder-list")


@require_POST
def invoice_hold(request: HttpRequest, pk: int) -> HttpResponse:
    """Holds back an invoice's reminders, with a reason, or lets them go again."""
    get_object_or_404(Invoice, pk=pk)
    actor, now, reason = person(request), timezone.now(), request.POST.get("reason", "").strip()[:200]
    if request.POST.get("go"):
        debt_services.let_go(invoice_id=pk, actor=actor, now=now)
    elif reason:
        debt_services.hold(invoice_id=pk, reason=reason, actor=actor, now=now)
    else:
        messages.error(request, "Say in a few words why its reminders are held back.")
    return redirect("invoice-detail", pk)


def context_of(invoice: Invoice) -> dict[str, Any]:
    """What an invoice's page says of its reminders; nothing where there is nothing to say."""
    hold = getattr(invoice, "reminder_hold", None)
    had = list(invoice.reminders.select_related("mail", "left_out_by").order_by("level"))
    due_at = ReminderSettings.objects.filter(is_on=True).values_list("due_at", flat=True).first()
    is_on = due_at is not None
    owed = invoice.status in (Invoice.Status.SENT, Invoice.Status.PART_PAID) and invoice.outstanding > 0
    if not (had or hold or (is_on and owed)):
        return {}
    comes = None
    if due_at and owed and not hold and not invoice.client.no_reminders:
        levels = [reminder.level for reminder in had]
        day = remindable.next_step(invoice, ReminderStep.objects.all(), levels, timezone.localdate())
        comes = max(day, timezone.localdate(due_at)) if day else None
    shown = [(remindable.LEVELS.get(reminder.level, ""), reminder) for reminder in had]
    return {"reminding": {"hold": hold, "had": shown, "comes": comes, "may_hold": owed}}
