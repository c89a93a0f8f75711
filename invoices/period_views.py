"""The pages on which the next period's invoices are raised from the last period's."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from incrementors.services import NumberRefused
from invoices import next_period
from invoices.drafts import Refused
from invoices.list_views import back_to_list, chosen_ids
from invoices.models import Invoice, PeriodRun
from invoices.push_views import person

STATUS_REFUSED = 422


@require_POST
def next_begin(request: HttpRequest) -> HttpResponse:
    """What was ticked in the list is kept, so that its preview has an address."""
    try:
        run = next_period.begin(ids=chosen_ids(request), actor=person(request), now=timezone.now())
    except Refused as refused:
        messages.error(request, str(refused))
        return back_to_list(request)
    return redirect("invoice-next", run.pk)


@require_http_methods(["GET", "POST"])
def next_invoices(request: HttpRequest, key: UUID) -> HttpResponse:
    """The preview; posted, the drafts are raised."""
    run = get_object_or_404(PeriodRun.objects.select_related("begun_by"), pk=key)
    if run.raised_at:
        return _raised(request, run) if request.method == "GET" else redirect("invoice-next", key)
    asked = request.POST if request.method == "POST" else request.GET
    step = asked.get("step", "")
    step = step if step in PeriodRun.Step.values else PeriodRun.Step.MONTH
    if request.method == "POST":
        try:
            next_period.raise_next(
                key=key,
                step=step,
                chosen=chosen_ids(request),
                with_words=chosen_ids(request, "words"),
                actor=person(request),
                now=timezone.now(),
            )
        except (Refused, NumberRefused) as refused:
            messages.error(request, str(refused))
        else:
            return redirect("invoice-next", key)
    proposals = next_period.proposals(run, step)
    context = {
        "run": run,
        "step": step,
        "steps": PeriodRun.Step.choices,
        "going": [one for one in proposals if not one.why_not and not one.raised],
        "left_out": [one for one in proposals if one.why_not or one.raised],
    }
    if request.method == "POST":
        context |= {"ticked": set(chosen_ids(request)), "worded": set(chosen_ids(request, "words"))}
    status = STATUS_REFUSED if request.method == "POST" else 200
    return render(request, "invoices/next.html", context, status=status)


def _raised(request: HttpRequest, run: PeriodRun) -> HttpResponse:
    raised = run.raised.select_related("invoice__client", "source").order_by("invoice__client__name", "pk")
    drafts = sum(one.invoice.status == Invoice.Status.DRAFT for one in raised)
    return render(request, "invoices/next_raised.html", {"run": run, "raised": raised, "drafts": drafts})


@require_POST
def next_undo(request: HttpRequest, key: UUID) -> HttpResponse:
    get_object_or_404(PeriodRun, pk=key)
    try:
        next_period.undo(key=key, actor=person(request), now=timezone.now())
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("invoice-next", key)
