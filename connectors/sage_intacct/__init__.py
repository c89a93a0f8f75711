"""Sage Intacct, whole, behind this one door."""

from connectors.sage_intacct.connector import SageIntacct
from connectors.sage_intacct.refusals import DIALECT, complaints
from connectors.sage_intacct.shapes import customer_body, invoice_body, remote_invoice

__all__ = ["DIALECT", "SageIntacct", "complaints", "customer_body", "invoice_body", "remote_invoice"]
