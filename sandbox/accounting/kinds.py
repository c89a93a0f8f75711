"""The kinds of document that books hold, each named as the API's bodies name it."""

INVOICE, CREDIT_NOTE, CONTACT = "sales_invoice", "sales_credit_note", "contact"
PRODUCT, SERVICE = "product", "service"
ITEMS = (PRODUCT, SERVICE)
