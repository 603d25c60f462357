"""All settings of Digits, read once from the environment. docs/settings.md lists them."""

import logging
import os
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from webapp.errors import start_sentry
from webapp.local import own_hosts, private_folder, redis_socket, secret_key
from webapp.values import bounds, bucket, env, issuer, networks, number, one_of, prefix, rate, word
from worker.reading.devices import ENGINES

BASE_DIR = Path(__file__).resolve().parent.parent

# Where things are
DATA_DIR = private_folder(Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve())
HOST = env.str("HOST", default="127.0.0.1")
PORT = number("PORT", 8000, 1, 65535)
URL_PREFIX = prefix("URL_PREFIX")
SITE_NAME = word("SITE_NAME", str(PORT))
REDIS_URL = env.str("REDIS_URL", default="") or f"unix://{redis_socket(DATA_DIR)}"
EMBEDDED_REDIS = not env.str("REDIS_URL", default="")

# Security
DEBUG = env.bool("DEBUG", default=False)
HTTPS = env.bool("HTTPS", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or secret_key(DATA_DIR)
_is_visible = HOST not in ("127.0.0.1", "localhost", "::1")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or (
    own_hosts(HOST) if _is_visible else ["127.0.0.1", "[::1]"]
)
ALLOWED_HOSTS.append("localhost")  # for health checks on the machine itself
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 365
SESSION_IDLE_MINUTES = number("SESSION_IDLE_MINUTES", 20160, 0, 525600)
SESSION_DAYS = number("SESSION_DAYS", 30, 0, 365)  # NIST SP 800-63B, at its lowest level
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
# Programs are not redirected, but refused: see digits.middleware.by_https.
SECURE_REDIRECT_EXEMPT = [
    f"^{re.escape(URL_PREFIX[1:])}{path}" for path in ("health/", "api/v1/", "mnist/classify")
]
# Browsers send the cookies of a host to all sites there, whatever their ports: each has its names.
# They take a cookie whose name begins so by HTTPS alone, and with __Host- from this very host alone
# and for all of its paths.
_guard = ("__Host-" if URL_PREFIX == "/" else "__Secure-") if HTTPS else ""
_begin = f"{_guard}digits-{SITE_NAME}"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = URL_PREFIX
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_begin}-session", f"{_begin}-csrf"
MESSAGES_COOKIE_NAME = f"{_begin}-messages"
MESSAGE_STORAGE = "webapp.cookies.Messages"
# What the first two were called before: see webapp.cookies.Sessions.
EARLIER_COOKIE_NAMES = (
    ("__Host-sessionid", "__Host-csrftoken") if HTTPS else ("sessionid", "csrftoken")
)
# With HTTPS a proxy is before the site: on this machine, or in a network of its own.
NEAR = "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
TRUSTED_PROXIES = networks("TRUSTED_PROXIES", NEAR if HTTPS else "")
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    # Browsers that ship a list of sites keep to it for years: it is asked for, never by default.
    SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # that HSTS_PRELOAD is off

# The address of the source code, for the footer; empty: no link
SOURCE_URL = env.str("SOURCE_URL", default="")

# Limits
MAX_UPLOAD_BYTES = number("MAX_UPLOAD_MB", 20, 1, 1000) * 1024 * 1024
MAX_PIXELS = number("MAX_MEGAPIXELS", 60, 1, 1000) * 1_000_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
DATA_UPLOAD_MAX_NUMBER_FILES = 200  # each is an open file while its request is under way
MAX_BATCH_BYTES = number("MAX_BATCH_MB", 200, 1, 10_000) * 1024 * 1024
MAX_BATCH_ROWS = number("MAX_BATCH_ROWS", 100000, 1, 10_000_000)
MAX_BATCH_FILES = number("MAX_BATCH_FILES", 10000, 1, 65535)
MAX_BATCH_UNPACKED_BYTES = number("MAX_BATCH_UNPACKED_MB", 1000, 1, 100_000) * 1024 * 1024
MAX_BATCH_RATIO = number("MAX_BATCH_RATIO", 100, 1, 2000)
BODY_SECONDS = number("BODY_SECONDS", 60, 1, 3600)
HEADER_SECONDS = number("HEADER_SECONDS", 10, 1, 3600)
MAX_CONNECTIONS = number("MAX_CONNECTIONS", 4000, 10, 1_000_000)
MAX_CONNECTIONS_OF_ADDRESS = number("MAX_CONNECTIONS_OF_ADDRESS", 400, 1, 1_000_000)
WEB_THREADS = number("WEB_THREADS", 32, 2, 256)

API_RATE = rate("API_RATE", "1200/minute")
API_ANONYMOUS_RATE = rate("API_ANONYMOUS_RATE", "120/minute")
FORM_RATE = rate("FORM_RATE", "1200/minute")
SIGN_UP_RATE = rate("SIGN_UP_RATE", "60/hour")
WRONG_PASSWORD_RATE = rate("WRONG_PASSWORD_RATE", "60/hour")
# What one sender may have: waiting uploads, images a day, stored uploads and megabytes, and bulk
# jobs under way; 0: no bound.
QUOTA = bounds(
    "QUOTA",
    {"waiting": 10_000, "day": 5_000_000, "files": 5_000_000, "megabytes": 50_000, "batches": 20},
)
QUOTA_ANONYMOUS = bounds(
    "QUOTA_ANONYMOUS",
    {"waiting": 5_000, "day": 500_000, "files": 1_000_000, "megabytes": 5_000, "batches": 5},
)

# Recognition
# worker.reading.devices reads it, too: it is used without Django.
ENGINE = env.str("ENGINE", default="auto")
if ENGINE not in ENGINES:
    raise ImproperlyConfigured(f'expected ENGINE to be one of {ENGINES}, received "{ENGINE}"')
CONVERTED_DIR = Path(env.str("CONVERTED_DIR", default="") or DATA_DIR / "converted").resolve()
GPUS = env.list("GPUS", default=[])
REQUIRE_GPU = env.bool("REQUIRE_GPU", default=False)
CLASSIFY_PROCESSES = number("CLASSIFY_PROCESSES", max(1, len(GPUS)), 1, 64)
CLASSIFY_BATCH = number("CLASSIFY_BATCH", 32, 1, 1024)
BULK_HELPERS = number("BULK_HELPERS", min(3, (os.cpu_count() or 1) - 1), 0, 64)

# Training
TRAIN_GPUS = env.list("TRAIN_GPUS", default=GPUS)
# worker.files.datasets reads it, too: it is used without Django.
MNIST_DIR = env.str("MNIST_DIR", default="")
if MNIST_DIR and not Path(MNIST_DIR).is_dir():
    raise ImproperlyConfigured(f"expected MNIST_DIR to be a folder, received {MNIST_DIR}")
TRAIN_THREADS = number("TRAIN_THREADS", max(2, (os.cpu_count() or 2) - 1), 1, 256)
RETRAIN_AFTER = number("RETRAIN_AFTER", 0, 0, 1_000_000)
TRUST = ("staff", "trusted", "account", "visitor", "earlier")
TRAIN_ON = env.list("TRAIN_ON", default=["staff", "trusted", "earlier"])
if not TRAIN_ON or not set(TRAIN_ON) <= set(TRUST):
    raise ImproperlyConfigured(
        f"expected TRAIN_ON to be some of {', '.join(TRUST)}, received {', '.join(TRAIN_ON)}"
    )

# Whether files keep what tells where, when and by whom a picture was taken.
KEEP_ORIGINALS = env.bool("KEEP_ORIGINALS", default=False)

# The queue
MIN_FREE_BYTES = number("MIN_FREE_MB", 100, 0, 10_000_000) * 1024 * 1024
MAX_QUEUED = number("MAX_QUEUED", 20_000, 1, 10_000_000)
LEASE_SECONDS = number("LEASE_SECONDS", 40, 5, 3600)
SWEEP_SECONDS = number("SWEEP_SECONDS", 10, 1, 600)
STUCK_SECONDS = number("STUCK_SECONDS", 30, 15, 3600)
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # by which Prometheus asks from elsewhere
MAX_ATTEMPTS = 3

INSTALLED_APPS = [
    "digits.apps.DigitsConfig",
    "digits.apps.DigitsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
]
MIDDLEWARE = [
    "digits.middleware.guarded",  # static files and redirects to HTTPS, too
    "django.middleware.security.SecurityMiddleware",
    "digits.middleware.by_https",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "webapp.cookies.Sessions",
    "digits.middleware.Slash",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "digits.middleware.signed_in",
    "digits.middleware.owner",
    "digits.middleware.throttled",
    "digits.middleware.SignInFirst",
    "digits.middleware.with_second_factor",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
# For programs, whose requests have no cookies: see webapp.asgi.
PROGRAM_MIDDLEWARE = ["digits.middleware.for_programs"]
FORCE_SCRIPT_NAME = URL_PREFIX.rstrip("/") or None
ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
ASGI_APPLICATION = "webapp.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "digits.context.version",
                "digits.context.rights",
            ]
        },
    }
]

# Database
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # FULL: what is committed survives a power cut. 512 KB of pages for each thread's connection
        # instead of 2 MB: with 100,000 uploads no page and no upload took longer.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-512;"
        ),
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }
    DATABASES["default"].update(ENGINE="digits.sqlite", CONN_MAX_AGE=None)
else:
    DATABASES["default"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)

# Files
MEDIA_ROOT = DATA_DIR / "media"
BUCKET = bucket("MEDIA_URL")  # None: files lie in MEDIA_ROOT
BUCKET_KEYS = {
    "access_key": env.str("AWS_ACCESS_KEY_ID", default=None),
    "secret_key": env.str("AWS_SECRET_ACCESS_KEY", default=None),
}
STATIC_URL = f"{URL_PREFIX}static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "digits.files.Files"},
    "files": {"BACKEND": "digits.object_storage.ObjectFiles", "OPTIONS": BUCKET | BUCKET_KEYS}
    if BUCKET
    else {
        "BACKEND": "digits.files.SyncedFiles",
        "OPTIONS": {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "webapp.storage.StaticStorage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Accounts
CSRF_FAILURE_VIEW = "digits.views.errors.csrf_failure"
SIGN_UP = env.bool("SIGN_UP", default=True)
ANONYMOUS = env.bool("ANONYMOUS", default=True)
# After some wrong passwords, that name is locked out from that address for a while.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "digits.addresses.network_of_request"
AXES_LOCKOUT_TEMPLATE = "digits/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code"]  # in what it logs and keeps
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "index"
LOGOUT_REDIRECT_URL = "index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTH_PASSWORD_VALIDATORS.append({"NAME": "digits.accounts.passwords.NoWordsOfTheSite"})

AUTH_PASSWORD_VALIDATORS.append({"NAME": "digits.audit.signals.RecordedPasswords"})
AUDIT_DAYS = number("AUDIT_DAYS", 0, 0, 36_500)
RETAIN_UPLOADS_DAYS = number("RETAIN_UPLOADS_DAYS", 0, 0, 36_500)  # 0: for ever

ADMIN_PASSWORD = env.str("ADMIN_PASSWORD", default="")

# A second factor, with allauth's parts: see docs/decisions/second-factor.md
SECOND_FACTOR = one_of("SECOND_FACTOR", ("off", "optional", "staff"), "optional")
WRONG_CODE_RATE = (10, 3600)  # of one account, from wherever they come
MFA_ADAPTER = "digits.accounts.adapters.SecondFactors"
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds that a telephone's clock may be off
MFA_FORMS = {
    "authenticate": "digits.accounts.codes.SignInForm",
    "reauthenticate": "digits.accounts.codes.ConfirmForm",
    "activate_totp": "digits.accounts.codes.ActivateForm",
}
MFA_ALLOW_UNVERIFIED_EMAIL = True  # no mail is sent, and no address is asked for
ACCOUNT_ADAPTER = "digits.accounts.adapters.Accounts"
ACCOUNT_FORMS = {"reauthenticate": "digits.accounts.codes.PasswordForm"}
ACCOUNT_EMAIL_VERIFICATION = SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SIGNUP_FIELDS = ["username*"]
ACCOUNT_RATE_LIMITS = False  # wrong codes and passwords are counted with all others

# Signing in by another server, with OpenID Connect: see digits/accounts/oidc.py
OIDC_ISSUER = issuer("OIDC_ISSUER")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_NAME = env.str("OIDC_NAME", default="") or urlsplit(OIDC_ISSUER).hostname or ""
if bool(OIDC_ISSUER) != bool(OIDC_CLIENT_ID):
    raise ImproperlyConfigured("expected OIDC_ISSUER and OIDC_CLIENT_ID to be set both or neither")
SOCIALACCOUNT_ADAPTER = "digits.accounts.adapters.OtherServers"

# The API: see digits/api/
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "digits.api.auth.TokenAuthentication",
        "digits.api.auth.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["digits.api.auth.ForSenders"],
    "DEFAULT_THROTTLE_CLASSES": ["digits.api.throttles.Throttle"],
    "DEFAULT_PAGINATION_CLASS": "digits.api.pages.Pages",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "digits.api.schema.Operation",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "digits.api.errors.handle",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Digits",
    "DESCRIPTION": "Reads handwritten digits: images in, readings out.",
    "TAGS": [
        {"name": "uploads", "description": "Images and their readings."},
        {"name": "digits", "description": "Digits found in uploads, and their labels."},
        {
            "name": "batches",
            "description": "Many images or rows at once; results as CSV.",
        },
        {"name": "models", "description": "The trained models, and how well they read."},
        {"name": "training-runs", "description": "Trainings of new models from corrections."},
    ],
    "VERSION": "1",
    "SERVERS": [{"url": URL_PREFIX.rstrip("/")}] if FORCE_SCRIPT_NAME else [],
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "UploadStatus": "digits.models.uploads.Status",
        "TrainingStatus": "digits.models.training.RunStatus",
        "ActivationStatus": "digits.models.versions.Activation.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "digits.api.schema.add_problems",
    ],
}

LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True

# Celery: messages are wake-ups that carry ids at most; the rows in the database are the truth.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest late-acknowledged task, the same for all workers.
    "visibility_timeout": 600,
    "socket_connect_timeout": 2,
    "socket_keepalive": not REDIS_URL.startswith("unix:"),
    "health_check_interval": 15,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_WORKER_CONCURRENCY = CLASSIFY_PROCESSES
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 300  # a process loads TensorFlow and the model before it answers
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # beat gives a sign of life each time
CELERY_BEAT_SCHEDULER = "webapp.beat:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    # It has no expiry, which would compare the clocks of two machines: see webapp.beat.
    "sweep": {"task": "digits.sweep", "schedule": SWEEP_SECONDS}
}


def _not_health(record: logging.LogRecord) -> bool:
    """Return whether a log record is not about a request of a health check."""
    path: str = getattr(getattr(record, "request", None), "path_info", "")
    return not path.startswith("/health/")


# Errors, sent to Sentry or a server like it; without what people sent, or who they are
SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    start_sentry(SENTRY_DSN)
# OpenTelemetry's own variables say the rest: see digits.tracing.
TRACING = bool(env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default=""))
LOG_FORMAT = one_of("LOG_FORMAT", ("text", "json"), "text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "webapp.logs.Line",
            "format": "%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s",
        },
        "object": {"()": "webapp.logs.Object"},
    },
    "filters": {"no_health": {"()": "django.utils.log.CallbackFilter", "callback": _not_health}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "object" if LOG_FORMAT == "json" else "line",
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "django.request": {"filters": ["no_health"]},
        "django.server": {"handlers": [], "propagate": True},
        # Every wake-up would be two lines.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "PIL": {"level": "INFO"},
    },
}
