"""Sage Accounting, whole, behind this one door."""

from connectors.sage_accounting.connector import SageAccounting
from connectors.sage_accounting.refusals import DIALECT, complaints
from connectors.sage_accounting.shapes import contact_body, invoice_body, item_body, remote_invoice

__all__ = ["DIALECT", "SageAccounting", "complaints", "contact_body", "invoice_body", "item_body", "remote_invoice"]
