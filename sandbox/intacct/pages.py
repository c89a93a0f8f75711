"""The pages on which a person sees a company's invoices and enters, amends, submits, pays and reverses them."""

from flask import Blueprint

pages = Blueprint("intacct_pages", __name__, url_prefix="/intacct")
