"""Every setting, read once from the environment; a wrong value stops the start with its name and an example."""

import os
import re
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from reflow.planning import Planned, Planning

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(os.environ.get("REFLOW_STATE_DIR") or BASE_DIR / ".reflow")

env = environ.Env()
for env_file in (BASE_DIR / ".env", STATE_DIR / "env"):
    if env_file.is_file():
        env.read_env(env_file)


def stop(name: str, why: str, example: str) -> NoReturn:
    """Ends the start: exit code 1 and one line that says what is wrong and how a right value looks."""
    raise SystemExit(f"Reflow cannot start: {name} {why}. For example: {name}={example}")


def text(name: str, example: str, default: str | None = None) -> str:
    """The value as it stands: `env.str` would take one that begins with $ for the name of another variable."""
    value = str(env.ENVIRON.get(name, default or "")).strip()
    if not value and default is None:
        stop(name, "is not set", example)
    return value


def number(name: str, default: int, low: int, high: int) -> int:
    try:
        value = int(text(name, str(default), str(default)))
    except ValueError:
        stop(name, "is not a whole number", str(default))
    if not low <= value <= high:
        stop(name, f"must be from {low} to {high}", str(default))
    return value


def parts_of(name: str, value: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  # raises where it is none
    except ValueError:
        stop(name, "is not an address", example)
    return parts


def address(name: str, default: str, *, loopback_only_http: bool = True) -> str:
    """An http(s) URL without a trailing slash; plain http only to this machine or to SANDBOX_HOST."""
    value = text(name, default, default).rstrip("/")
    parts = parts_of(name, value, default)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        stop(name, f"is not a web address: {value!r}", default)
    if loopback_only_http and parts.scheme == "http" and parts.hostname not in (*LOOPBACK, SANDBOX_HOST):
        stop(name, f"must be https, as {parts.hostname} is not this machine (nor SANDBOX_HOST)", default)
    return value


LOOPBACK = ("127.0.0.1", "localhost", "::1")
SANDBOX_HOST = text("SANDBOX_HOST", "sandbox", "")

# Django -------------------------------------------------------------------------------------------------
DEBUG = text("DEBUG", "false", "false").lower() in ("true", "1", "yes", "on")
if not DEBUG and text("DEBUG", "false", "false").lower() not in ("false", "0", "no", "off"):
    stop("DEBUG", "is neither true nor false", "false")
SECRET_KEY = text("SECRET_KEY", "fifty-or-more-random-characters")
if len(SECRET_KEY) < 32:  # noqa: PLR2004
    stop("SECRET_KEY", "is shorter than 32 characters", "fifty-or-more-random-characters")
SITE_URL = address("SITE_URL", "http://127.0.0.1:8000", loopback_only_http=False)
ALLOWED_HOSTS = [h for h in text("ALLOWED_HOSTS", "reflow.example.com", "").split(",") if h] or [
    urlsplit(SITE_URL).hostname or "",
    *LOOPBACK[:2],
]
CSRF_TRUSTED_ORIGINS = [SITE_URL]
HTTPS = SITE_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "axes",
    "reflow",
    "settings_ui",
    "invoices",
    "incrementors",
    "connectors",
]
MIDDLEWARE = [
    "reflow.logs.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # inside WhiteNoise, which has its files compressed already
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "reflow.access.AccessMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "reflow.urls"
WSGI_APPLICATION = "reflow.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "settings_ui.banner.trouble",
            ],
            "builtins": ["invoices.icons"],
        },
    }
]
LANGUAGE_CODE = "en-gb"
TIME_ZONE = text("TIME_ZONE", "Europe/London", "Europe/London")
try:
    ZoneInfo(TIME_ZONE)
except (ValueError, KeyError, OSError):
    stop("TIME_ZONE", "is not a time zone", "Europe/London")
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_MANIFEST_STRICT = False
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000  # an invoice of the most lines, and some more to say that it is too many

# Sign-in and cookies ------------------------------------------------------------------------------------
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "settings_ui.signed_in.SignedIn"]
PASSWORD_RESET_TIMEOUT = int(timedelta(days=3).total_seconds())
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Wrong passwords are counted per user name and address, in Postgres, so that all processes count alike.
TRUSTED_PROXIES = number("TRUSTED_PROXIES", 0, 0, 10)
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "settings_ui.throttle.client_ip"
AXES_LOCKOUT_CALLABLE = "settings_ui.throttle.held_back"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_USERNAME_FORM_FIELD = "username"
AXES_SENSITIVE_PARAMETERS = ["username", "csrfmiddlewaretoken", "next"]
SESSION_ENGINE = "settings_ui.sessions"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "reflow-session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "reflow-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# Postgres -----------------------------------------------------------------------------------------------
DATABASE_URL = text("DATABASE_URL", "postgres://reflow:password@127.0.0.1:5432/reflow")
try:
    is_postgres = DATABASE_URL.startswith(("postgres://", "postgresql://"))
    DATABASES = {"default": env.db_url_config(DATABASE_URL) if is_postgres else {}}
except (ValueError, ImproperlyConfigured):
    DATABASES = {"default": {}}
if not DATABASES["default"].get("NAME"):
    stop("DATABASE_URL", "is not a Postgres address", "postgres://reflow:password@127.0.0.1:5432/reflow")
DATABASES["default"] |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
DATABASES["default"].setdefault("OPTIONS", {}).update(connection_factory=Planning, cursor_factory=Planned)

# The queue: Redis carries hints, so it may be wiped at any time -----------------------------------------
REDIS_URL = text("REDIS_URL", "redis://127.0.0.1:6379/0")
if parts_of("REDIS_URL", REDIS_URL, "redis://127.0.0.1:6379/0").scheme not in ("redis", "rediss", "redis+socket"):
    stop("REDIS_URL", "is not a Redis address", "redis://127.0.0.1:6379/0")
CLOCK_DIVISOR = number("CLOCK_DIVISOR", 1, 1, 1000)
CALLS_A_MINUTE = number("CALLS_A_MINUTE", 300, 10, 5000)  # to a connected platform, by all workers together
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "health_check_interval": 15,
    "max_retries": 0,  # who presses Send does not wait for a broker that is away
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    name: {"task": f"invoices.tasks.{name}", "schedule": timedelta(seconds=seconds) / CLOCK_DIVISOR}
    for name, seconds in {
        "sweep_pushes": 10,
        "sweep_mails": 15,
        "sweep_imports": 15,
        "read_numbers": 60,
        "remind": 60,
        "look_ahead": 900,
        "pull_changes": 30,
        "fold_totals": 60,
        "send_digests": 60,
        "keep_alive": 3600,
    }.items()
}

# Sage ---------------------------------------------------------------------------------------------------
SUPPORT_EMAIL = text("SUPPORT_EMAIL", "help@example.com", "")
if SUPPORT_EMAIL and not re.fullmatch(r"[^@\s]+@[^@\s]+", SUPPORT_EMAIL):
    stop("SUPPORT_EMAIL", "is not an e-mail address", "help@example.com")
NEW_KEY = "$(openssl rand -base64 32 | tr '+/' '-_')"
TOKEN_KEYS = [key.strip() for key in text("TOKEN_KEYS", NEW_KEY).split(",")]
for key in TOKEN_KEYS:
    try:
        Fernet(key)
    except ValueError:
        stop("TOKEN_KEYS", "holds something that is not a Fernet key", NEW_KEY)
INTACCT = "https://api.intacct.com/ia/api/v1"
SAGE_ACCOUNTING = {
    "authorize_url": address("SAGE_ACCOUNTING_AUTHORIZE_URL", "https://www.sageone.com/oauth2/auth/central"),
    "token_url": address("SAGE_ACCOUNTING_TOKEN_URL", "https://oauth.accounting.sage.com/token"),
    "revoke_url": address("SAGE_ACCOUNTING_REVOKE_URL", "https://oauth.accounting.sage.com/revoke"),
    "api_url": address("SAGE_ACCOUNTING_API_URL", "https://api.accounting.sage.com/v3.1"),
    "client_id": text("SAGE_ACCOUNTING_CLIENT_ID", "uuid/uuid", ""),
    "client_secret": text("SAGE_ACCOUNTING_CLIENT_SECRET", "the secret from developer.sage.com", ""),
}
SAGE_INTACCT = {
    "authorize_url": address("SAGE_INTACCT_AUTHORIZE_URL", f"{INTACCT}/oauth2/authorize"),
    "token_url": address("SAGE_INTACCT_TOKEN_URL", f"{INTACCT}/oauth2/token"),
    "revoke_url": address("SAGE_INTACCT_REVOKE_URL", f"{INTACCT}/oauth2/revoke"),
    "api_url": address("SAGE_INTACCT_API_URL", INTACCT),
    "client_id": text("SAGE_INTACCT_CLIENT_ID", "the client id from developer.sage.com", ""),
    "client_secret": text("SAGE_INTACCT_CLIENT_SECRET", "the secret from developer.sage.com", ""),
}

# Mail: without it links are handed over by an admin -----------------------------------------------------
EMAIL_EXAMPLE = "smtp+tls://user:password@mail.example.com:587"
EMAIL_URL = text("EMAIL_URL", EMAIL_EXAMPLE, "")
MAIL_IS_SET_UP = bool(EMAIL_URL)
try:
    mail = env.email_url_config(EMAIL_URL or "dummymail://")
except (ImproperlyConfigured, ValueError):
    stop("EMAIL_URL", "is not the address of a mail server", EMAIL_EXAMPLE)
EMAIL_BACKEND = mail["EMAIL_BACKEND"]
EMAIL_USE_TLS = bool(mail.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(mail.get("EMAIL_USE_SSL"))
if EMAIL_BACKEND.endswith("smtp.EmailBackend") and not mail["EMAIL_HOST"]:
    stop("EMAIL_URL", "names no mail server", EMAIL_EXAMPLE)
EMAIL_HOST = mail["EMAIL_HOST"] or "localhost"
EMAIL_PORT = mail["EMAIL_PORT"] or (587 if EMAIL_USE_TLS else 465 if EMAIL_USE_SSL else 25)
EMAIL_HOST_USER = mail["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = mail["EMAIL_HOST_PASSWORD"] or ""
EMAIL_FILE_PATH = mail["EMAIL_FILE_PATH"]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", "Reflow <reflow@example.com>", SUPPORT_EMAIL)
if MAIL_IS_SET_UP and "@" not in parseaddr(DEFAULT_FROM_EMAIL)[1]:
    stop("DEFAULT_FROM_EMAIL", "is not an e-mail address", "Reflow <reflow@example.com>")

# Logs ---------------------------------------------------------------------------------------------------
LOG_LEVEL = text("LOG_LEVEL", "INFO", "INFO").upper()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR"):
    stop("LOG_LEVEL", "is not DEBUG, INFO, WARNING or ERROR", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "reflow.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # These print tokens or whole bodies at DEBUG.
        "requests_oauthlib": {"level": "WARNING"},
        "oauthlib": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # Its INFO lines tell what it does, not what happened.
        "axes": {"level": "WARNING"},
        # A line for every sweep, every few seconds, says nothing.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
