"""The number register: the numbers to come against what Sage holds, and each missing number with its reason."""

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from connectors.services import live_connection
from incrementors.models import Group
from invoices import export, forecast, number_register
from invoices.fields import DateInput
from invoices.number_register import ALL, PAGE_SIZE, PRINTED, START, Key

COLUMNS = ("Number", "To", "How many", "What", "Reason", "Who", "When")


class RegisterForm(forms.Form):
    """Which group, of numbers given when, and where the page begins; what makes no sense is left out."""

    group = forms.SlugField(required=False)
    since = forms.DateField(required=False, widget=DateInput())
    until = forms.DateField(required=False, widget=DateInput())
    p = forms.CharField(required=False, max_length=12, strip=False)
    s = forms.CharField(required=False, max_length=12, strip=False)
    v = forms.IntegerField(required=False, min_value=0, max_value=10**18)
    shown = forms.IntegerField(required=False, min_value=0, max_value=PAGE_SIZE)
    whole = forms.BooleanField(required=False)

    @property
    def days(self) -> dict[str, date]:
        return {name: self.cleaned_data[name] for name in ("since", "until") if self.cleaned_data.get(name)}

    @property
    def after(self) -> Key:
        said = self.cleaned_data
        value = said.get("v")
        return START if value is None else (said.get("p", ""), said.get("s", ""), value)


def _asked(request: HttpRequest) -> tuple[RegisterForm, Group]:
    form = RegisterForm(request.GET)
    form.full_clean()
    return form, get_object_or_404(Group, pk=form.cleaned_data.get("group") or Group.INVOICES)


def _address(group: Group, form: RegisterForm, after: Key | None = None) -> str:
    days = {name: day.isoformat() for name, day in form.days.items()}
    key = dict(zip("psv", map(str, after), strict=True)) if after else {}
    return urlencode({"group": group.pk, **days, **key})


@require_safe
def number_list(request: HttpRequest) -> HttpResponse:
    """The page; where few numbers are missing it looks on by itself, and each time gets some more of its rows."""
    form, group = _asked(request)
    size, looked = (PRINTED, ALL) if form.cleaned_data.get("whole") else (PAGE_SIZE, number_register.LOOKED)
    page = number_register.page(group.pk, form.after, size=size, looked=looked, **form.days)
    before = form.cleaned_data.get("shown") or 0
    shown = min(PAGE_SIZE, before + len(page.gaps))
    goes_on = page.after and not page.is_full and shown < PAGE_SIZE
    following = f"?{_address(group, form, page.after)}" if page.after else ""
    context = {
        "group": group,
        "page": page,
        "before": before,
        "next": "" if goes_on else following,
        "look_on": f"{following}&shown={shown}" if goes_on else "",
    }
    if request.htmx and request.htmx.target == "looking":  # type: ignore[attr-defined]  # django-htmx
        return render(request, "numbers/_rows.html", context)
    context |= {
        **_ahead(group.pk),
        "groups": Group.objects.order_by("-pk"),
        "form": form,
        "unknown": sum(gap.is_unknown for gap in page.gaps),
        "has_begun": number_register.has_begun(group.pk),
        "is_first": form.after == START,
        "whole": bool(form.cleaned_data.get("whole")),
        "address": _address(group, form),
    }
    return render(request, "numbers/list.html", context)


@require_safe
def number_tally(request: HttpRequest) -> HttpResponse:
    """How many there are, which takes as long as there are many: asked for once the page is there."""
    _, group = _asked(request)
    recorded, used, unrecorded = number_register.tally(group.pk)
    tally = {"recorded": recorded, "used": used, "unrecorded": unrecorded}
    return render(request, "numbers/_tally.html", {"tally": tally})


def _ahead(key: str) -> dict[str, Any]:
    """What is known of the numbers to come, and whether Sage is to be asked again."""
    connection = live_connection()
    seen = forecast.forecast(connection, key)
    return {
        "ahead": seen,
        "is_old": bool(connection and seen.asks_sage and forecast.is_old(connection, timezone.now())),
    }


@require_safe
def number_forecast(request: HttpRequest) -> HttpResponse:
    """The numbers to come, once Sage was asked; where it can't be, with what is known and since when."""
    _, group = _asked(request)
    connection, trouble = live_connection(), ""
    if connection and forecast.asks_sage(connection, group.pk) and forecast.is_old(connection, timezone.now()):
        try:
            forecast.refresh(connection, now=timezone.now())
        except forecast.PlatformError as error:
            trouble = error.message
    return render(request, "numbers/_ahead.html", {**_ahead(group.pk), "is_old": False, "trouble": trouble})


@require_safe
def number_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The whole register, as a spreadsheet reads it."""
    form, group = _asked(request)
    rows = (
        (
            *(gap.first, gap.last if gap.count > 1 else "", gap.count, gap.look[0], gap.reason, gap.who),
            f"{localtime(gap.at):%Y-%m-%d %H:%M}" if gap.at else "",
        )
        for gap in number_register.pages(group.pk, **form.days)
    )
    answer = StreamingHttpResponse(export.written(COLUMNS, rows), content_type="text/csv; charset=utf-8")
    name = f"numbers-{group.pk.lower()}-{timezone.localdate().isoformat()}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
