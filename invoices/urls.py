"""The addresses under Accounts, as a person meets them."""

from django.urls import path

from invoices import linking, push_views, registers, views, void_views

urlpatterns = [
    path("", views.invoice_list, name="invoice-list"),
    path("invoices/csv/", views.invoice_csv, name="invoice-csv"),
    path("invoices/columns/", views.invoice_columns, name="invoice-columns"),
    path("invoices/new/", views.invoice_new, name="invoice-new"),
    path("invoices/<int:pk>/", views.invoice_detail, name="invoice-detail"),
    path("invoices/<int:pk>/edit/", views.invoice_edit, name="invoice-edit"),
    path("invoices/<int:pk>/approve/", views.invoice_approve, name="invoice-approve"),
    path("invoices/<int:pk>/draft/", views.invoice_draft, name="invoice-draft"),
    path("invoices/<int:pk>/discard/", views.invoice_discard, name="invoice-discard"),
    path("invoices/<int:pk>/ask/", views.invoice_ask, name="invoice-ask"),
    path("invoices/<int:pk>/push/", push_views.invoice_push, name="invoice-push"),
    path("invoices/<int:pk>/conflict/", push_views.invoice_conflict, name="invoice-conflict"),
    path("invoices/<int:pk>/next-number/", push_views.invoice_next_number, name="invoice-next-number"),
    path("invoices/<int:pk>/link/", push_views.invoice_link, name="invoice-link"),
    path("invoices/<int:pk>/void/", void_views.invoice_void, name="invoice-void"),
    path("invoices/<int:pk>/void/again/", void_views.invoice_void_again, name="invoice-void-again"),
    path("invoices/<int:pk>/void/stop/", void_views.invoice_void_stop, name="invoice-void-stop"),
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
