"""Who we bill, what for, the invoices, and each invoice's way into the books with every attempt on record."""

from invoices.models.business import Client, Company, Item, Property, TaxRate
from invoices.models.digest import DigestMail, DigestWish
from invoices.models.invoice import Event, Invoice, InvoiceLine, ViewChoice
from invoices.models.mail import InvoiceMail
from invoices.models.pull import Pull
from invoices.models.push import Push, PushAttempt, PushBatch, RemoteInvoice
from invoices.models.scratch import Scratch
from invoices.models.total import InvoiceTotal
from invoices.models.voiding import Voiding

__all__ = [
    "Client",
    "Company",
    "DigestMail",
    "DigestWish",
    "Event",
    "Invoice",
    "InvoiceLine",
    "InvoiceMail",
    "InvoiceTotal",
    "Item",
    "Property",
    "Pull",
    "Push",
    "PushAttempt",
    "PushBatch",
    "RemoteInvoice",
    "Scratch",
    "TaxRate",
    "ViewChoice",
    "Voiding",
]
