"""The addresses under Accounts, as a person meets them."""

from django.urls import path

from invoices import (
    credit_views,
    editing,
    linking,
    list_views,
    mail_views,
    push_views,
    registers,
    type_ahead,
    views,
    void_views,
)

urlpatterns = [
    path("invoices/", list_views.invoice_list, name="invoice-list"),
    path("invoices/csv/", list_views.invoice_csv, name="invoice-csv"),
    path("invoices/columns/", list_views.invoice_columns, name="invoice-columns"),
    path("invoices/moving/", list_views.invoice_moving, name="invoice-moving"),
    path("invoices/chosen/", list_views.invoice_chosen, name="invoice-chosen"),
    path("invoices/approve/", list_views.invoice_approve_many, name="invoice-approve-many"),
    path("invoices/send/", list_views.invoice_send_many, name="invoice-send-many"),
    path("invoices/new/", editing.invoice_new, name="invoice-new"),
    path("invoices/<int:pk>/", views.invoice_detail, name="invoice-detail"),
    path("invoices/<int:pk>/pdf/", mail_views.invoice_pdf, name="invoice-pdf"),
    path("invoices/<int:pk>/mail/", mail_views.invoice_mail, name="invoice-mail"),
    path("invoices/<int:pk>/mails/", mail_views.invoice_mails, name="invoice-mails"),
    path("invoices/<int:pk>/edit/", editing.invoice_edit, name="invoice-edit"),
    path("invoices/scratches/<uuid:key>/", editing.scratch_keep, name="scratch-keep"),
    path("invoices/scratches/<uuid:key>/discard/", editing.scratch_discard, name="scratch-discard"),
    path("invoices/<int:pk>/approve/", views.invoice_approve, name="invoice-approve"),
    path("invoices/<int:pk>/draft/", views.invoice_draft, name="invoice-draft"),
    path("invoices/<int:pk>/discard/", views.invoice_discard, name="invoice-discard"),
    path("invoices/<int:pk>/ask/", views.invoice_ask, name="invoice-ask"),
    path("invoices/<int:pk>/push/", push_views.invoice_push, name="invoice-push"),
    path("invoices/<int:pk>/conflict/", push_views.invoice_conflict, name="invoice-conflict"),
    path("invoices/<int:pk>/next-number/", push_views.invoice_next_number, name="invoice-next-number"),
    path("invoices/<int:pk>/link/", push_views.invoice_link, name="invoice-link"),
    path("clients/choices/", type_ahead.client_choices, name="client-choices"),
    path("properties/choices/", type_ahead.property_choices, name="property-choices"),
    path("items/choices/", type_ahead.item_choices, name="item-choices"),
    path("clients/create/", type_ahead.client_create, name="client-create"),
    path("items/create/", type_ahead.item_create, name="item-create"),
    path("invoices/<int:pk>/void/", void_views.invoice_void, name="invoice-void"),
    path("invoices/<int:pk>/void/again/", void_views.invoice_void_again, name="invoice-void-again"),
    path("invoices/<int:pk>/void/stop/", void_views.invoice_void_stop, name="invoice-void-stop"),
    path("invoices/<int:pk>/credit/", credit_views.invoice_credit, name="invoice-credit"),
    path("clients/<uuid:key>/sage/", linking.client_sage, name="client-sage"),
    path("items/<uuid:key>/sage/", linking.item_sage, name="item-sage"),
]
for register in registers.ALL:
    view, plural, name = registers.views(register), register.title.lower(), register.name
    urlpatterns += [
        path(f"{plural}/", view["list"], name=f"{name}-list"),
        path(f"{plural}/new/", view["new"], name=f"{name}-new"),
        path(f"{plural}/<int:pk>/", view["edit"], name=f"{name}-edit"),
        path(f"{plural}/<int:pk>/archive/", view["archive"], name=f"{name}-archive"),
    ]
