"""The kinds of document that books hold, each named as the API's bodies name it."""

INVOICE, CONTACT = "sales_invoice", "contact"
PRODUCT, SERVICE = "product", "service"
ITEMS = (PRODUCT, SERVICE)
