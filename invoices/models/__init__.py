"""Who we bill, what for, the invoices, and each invoice's way into the books with every attempt on record."""

from invoices.models.bulk import BulkMember, BulkSend
from invoices.models.business import Client, Company, Item, Property, TaxRate
from invoices.models.debts import PaymentSeen, Reminder, ReminderHold, ReminderSettings, ReminderStep
from invoices.models.digest import DigestMail, DigestWish
from invoices.models.importing import Import, ImportedRow
from invoices.models.invoice import Event, Invoice, InvoiceLine, ViewChoice
from invoices.models.mail import InvoiceMail
from invoices.models.period import PeriodRun, RaisedInvoice
from invoices.models.pull import Pull
from invoices.models.push import Push, PushAttempt, PushBatch, RemoteInvoice
from invoices.models.scratch import Scratch
from invoices.models.total import ClientOwed, InvoiceTotal
from invoices.models.voiding import Voiding

__all__ = [
    "BulkMember",
    "BulkSend",
    "Client",
    "ClientOwed",
    "Company",
    "DigestMail",
    "DigestWish",
    "Event",
    "Import",
    "ImportedRow",
    "Invoice",
    "InvoiceLine",
    "InvoiceMail",
    "InvoiceTotal",
    "Item",
    "PaymentSeen",
    "PeriodRun",
    "Property",
    "Pull",
    "Push",
    "PushAttempt",
    "PushBatch",
    "RaisedInvoice",
    "Reminder",
    "ReminderHold",
    "ReminderSettings",
    "ReminderStep",
    "RemoteInvoice",
    "Scratch",
    "TaxRate",
    "ViewChoice",
    "Voiding",
]
