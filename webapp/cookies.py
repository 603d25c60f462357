"""Cookies of a site with HTTPS, beside those that the settings name."""

from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class MessagesCookie(CookieStorage):
    cookie_name = "__Host-messages"


class Messages(FallbackStorage):
    """Keeps messages for the next page in a cookie, or in the session where they are long."""

    storage_classes = (MessagesCookie, SessionStorage)
