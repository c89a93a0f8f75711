"""Where the pretend Sage answers, what Reflow is called there, and who can sign in."""

SAGE_ADDRESSES = {
    "SAGE_ACCOUNTING_AUTHORIZE_URL": "/accounting/oauth2/auth/central",
    "SAGE_ACCOUNTING_TOKEN_URL": "/accounting/token",
    "SAGE_ACCOUNTING_REVOKE_URL": "/accounting/revoke",
    "SAGE_ACCOUNTING_API_URL": "/accounting/v3.1",
    "SAGE_INTACCT_AUTHORIZE_URL": "/intacct/ia/api/v1/oauth2/authorize",
    "SAGE_INTACCT_TOKEN_URL": "/intacct/ia/api/v1/oauth2/token",
    "SAGE_INTACCT_REVOKE_URL": "/intacct/ia/api/v1/oauth2/revoke",
    "SAGE_INTACCT_API_URL": "/intacct/ia/api/v1",
}
SANDBOX_CLIENTS = {
    "SAGE_ACCOUNTING_CLIENT_ID": "reflow-sandbox",
    "SAGE_ACCOUNTING_CLIENT_SECRET": "reflow-sandbox-secret",
    "SAGE_INTACCT_CLIENT_ID": "reflow-intacct",
    "SAGE_INTACCT_CLIENT_SECRET": "reflow-intacct-secret",
}
SANDBOX_SIGN_INS = {
    "Sage Accounting": ("/accounting/books", "bookkeeper@harbour.example, password harbour"),
    "Sage Intacct": ("/intacct/", "company HARBOUR, user bookkeeper, password harbour"),
}
