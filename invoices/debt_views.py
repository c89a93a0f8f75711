"""Who owes what: the aged debtors, a client's statement as a page, a PDF and an e-mail, and the reminders."""

import uuid
from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.views.decorators.http import require_http_methods, require_safe

from connectors.services import live_connection
from invoices import debt_services, debtor_pages, debtors, export, mailing, paper, statements
from invoices.drafts import Refused
from invoices.fields import DateInput
from invoices.mail_views import MailForm
from invoices.models import Client, Company
from invoices.push_views import person
from invoices.statements import Asked

FIRST = date(2000, 1, 1)


class DayForm(forms.Form):
    """The day that it is looked at, and which clients; what makes no sense is left out."""

    as_of = forms.DateField(required=False, widget=DateInput())
    q = forms.CharField(max_length=100, required=False)

    def day(self, today: date) -> date:
        day = self.cleaned_data.get("as_of")
        return min(max(day, FIRST), today + timedelta(days=366)) if day else today


def _asked_day(request: HttpRequest, today: date) -> tuple[DayForm, date, str]:
    form = DayForm(request.GET)
    form.full_clean()
    return form, form.day(today), form.cleaned_data.get("q", "").replace("\x00", "").strip()


@require_safe
def debtor_list(request: HttpRequest) -> HttpResponse:
    """What each client owes, by age; what all owe together comes with it only where Postgres keeps it."""
    today = timezone.localdate()
    form, as_of, q = _asked_day(request, today)
    keys = {side: request.GET.get(side, "").replace("\x00", "")[:300] for side in ("after", "before")}
    page = debtor_pages.page(as_of, today=today, client=q, **keys)
    is_known = page.is_whole or (as_of >= today and not q)
    sums = debtors.all_of(page.rows) if page.is_whole else debtors.sums(as_of, today=today) if is_known else []
    asked = {"as_of": as_of.isoformat(), "q": q}
    context = {
        "page": page,
        "before": f"?{urlencode({**asked, 'before': page.before})}" if page.before else "",
        "after": f"?{urlencode({**asked, 'after': page.after})}" if page.after else "",
        "sums": sums,
        "summed_at": "" if is_known else f"{reverse('debtor-sums')}?{urlencode(asked)}",
        "ages": [label for label, _ in debtors.AGES],
        "several": len({one.currency for one in (*sums, *page.rows)}) > 1,
        "as_of": as_of,
        "day": as_of.isoformat(),
        "is_today": as_of == today,
        "is_past": as_of < today,
        "q": q,
        "errors": form.errors,
    }
    return render(request, "debtors/list.html", context)


@require_safe
def debtor_sums(request: HttpRequest) -> HttpResponse:
    """What all owe together where it has to be added up: asked for once the page is there."""
    today = timezone.localdate()
    _, as_of, q = _asked_day(request, today)
    return render(request, "debtors/_sums.html", {"sums": debtors.sums(as_of, today=today, client=q)})


@require_safe
def debtor_csv(request: HttpRequest) -> StreamingHttpResponse:
    """All clients that owe anything, as a spreadsheet reads it."""
    today = timezone.localdate()
    _, as_of, q = _asked_day(request, today)
    found = debtors.aged(as_of, today=today, client=q)
    columns = ("Client", "Currency", "Invoices", *(label for label, _ in debtors.AGES), "Total")
    rows = ((one.client, one.currency, one.invoices, *one.by_age, one.total) for one in found)
    answer = StreamingHttpResponse(export.written(columns, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="debtors-{as_of.isoformat()}.csv"'
    return answer


class StatementForm(forms.Form):
    """Of what a statement is: of what is open on a day, or, with a first day, of what happened since."""

    kind = forms.ChoiceField(choices=[("open", "Open"), ("activity", "Activity")], required=False)
    since = forms.DateField(required=False, label="From", widget=DateInput())
    until = forms.DateField(required=False, label="To", widget=DateInput())
    age = forms.TypedChoiceField(choices=[(n, n) for n in range(len(debtors.AGES))], coerce=int, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if cleaned.get("kind") == "activity" and since and until and since > until:
            self.add_error("since", "The first day is after the last.")
        return cleaned

    def asked(self, today: date) -> Asked:
        said = self.cleaned_data
        until = min(max(said.get("until") or today, FIRST), today)
        if said.get("kind") != "activity":
            return Asked(until=until)
        since = said.get("since") or until.replace(day=1)
        return Asked(until=until, since=min(max(since, FIRST), until))


def _asked_of(request: HttpRequest) -> tuple[StatementForm, Asked]:
    form = StatementForm(request.GET)
    form.full_clean()
    return form, form.asked(timezone.localdate())


def _address(asked: Asked) -> str:
    """The statement as it stands in an address."""
    days = {"kind": "activity", "since": asked.since.isoformat()} if asked.since else {"kind": "open"}
    return urlencode({**days, "until": asked.until.isoformat()})


@require_safe
def client_statement(request: HttpRequest, pk: int) -> HttpResponse:
    client = get_object_or_404(Client, pk=pk)
    form, asked = _asked_of(request)
    age = form.cleaned_data.get("age")
    age = None if asked.since or age in ("", None) else age
    most = statements.MOST if request.GET.get("all") else statements.AT_FIRST
    sheets = statements.sheets(client, asked, live_connection(), today=timezone.localdate(), most=most, age=age)
    context = {
        "client": client,
        "asked": asked,
        "errors": form.errors,
        "address": _address(asked),
        "sheets": [(sheet, _ages(sheet)) for sheet in sheets],
        "is_all": most == statements.MOST,
        "age": age,
        "ages": list(enumerate(label for label, _ in debtors.AGES)),
        "learned": statements.LEARNED,
        "mails": client.mails.select_related("requested_by").exclude(kind="INVOICE")[:10],
    }
    return render(request, "debtors/statement.html", context)


def _ages(sheet: statements.Sheet) -> list[tuple[str, Any]]:
    return [(label, amount) for (label, _), amount in zip(debtors.AGES, sheet.by_age, strict=False)]


@require_safe
def client_statement_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The statement on paper, shown by the browser and saved under its own name."""
    client = get_object_or_404(Client, pk=pk)
    _, asked = _asked_of(request)
    name = statements.file_name(client, asked)
    headers = {"Content-Disposition": content_disposition_header(False, name), "X-Content-Type-Options": "nosniff"}
    made = statements.pdf(client, asked, live_connection(), today=timezone.localdate())
    return HttpResponse(made, content_type="application/pdf", headers=headers)


@require_http_methods(["GET", "POST"])
def client_statement_mail(request: HttpRequest, pk: int) -> HttpResponse:
    """The e-mail with the statement before it goes: prefilled, to be changed."""
    client, sender = get_object_or_404(Client, pk=pk), person(request)
    _, asked = _asked_of(request)
    data = request.POST if request.method == "POST" else None
    form = MailForm(data, own_address=sender.email, initial=_prefilled(request, client, asked))
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            debt_services.mail_statement(client=client, asked=asked, letter=form.letter, actor=sender, now=now)
        except Refused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, f"The statement is on its way to {form.letter.to}.")
            return redirect(f"{reverse('client-statement', args=[pk])}?{_address(asked)}")
    context = {
        "client": client,
        "form": form,
        "address": _address(asked),
        "file_name": statements.file_name(client, asked),
        "company": Company.ours(),
        "is_set_up": settings.MAIL_IS_SET_UP,
        "not_set_up": mailing.NOT_SET_UP,
    }
    return render(request, "debtors/statement_mail.html", context, status=422 if form.errors else 200)


def _prefilled(request: HttpRequest, client: Client, asked: Asked) -> dict[str, Any]:
    company = Company.ours()
    sheets = statements.sheets(client, asked, live_connection(), today=timezone.localdate())
    balance = " and ".join(paper.amount(sheet.closing, sheet.currency) for sheet in sheets if sheet.closing)
    about = {"client": client, "company": company, "asked": asked, "balance": balance, "sender": person(request)}
    return {
        "key": uuid.uuid4(),
        "to": client.email,
        "subject": f"Statement from {company.name}, {paper.day(asked.until)}",
        "message": render_to_string("debtors/statement_body.txt", about).strip(),
    }
