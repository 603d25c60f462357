"""Cookies under names of this site's own, beside what the settings name."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase


class MessagesCookie(CookieStorage):
    cookie_name: str = settings.MESSAGES_COOKIE_NAME

    def _update_cookie(self, encoded_data: str, response: HttpResponseBase) -> None:
        super()._update_cookie(encoded_data, response)  # type: ignore[misc]  # the stubs lack it
        response.cookies[self.cookie_name]["path"] = settings.SESSION_COOKIE_PATH


class Messages(FallbackStorage):
    """Keeps messages for the next page in a cookie, or in the session where they are long."""

    storage_classes = (MessagesCookie, SessionStorage)


class Sessions(SessionMiddleware):
    """Takes over the sessions of those who come with a cookie of the name that it had before.

    The cookie then gets its present name. The one of before is left alone: another site on this
    host may have set it, or may still use it.
    """

    def process_request(self, request: HttpRequest) -> None:
        names = (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
        session, csrf = settings.EARLIER_COOKIE_NAMES
        is_earlier = session in request.COOKIES and names[0] not in request.COOKIES
        if is_earlier:
            request.COOKIES[names[0]] = request.COOKIES[session]
        super().process_request(request)
        if is_earlier and request.session.keys():  # it is a session of this site
            request.session.modified = True
            if csrf in request.COOKIES and names[1] not in request.COOKIES:
                request.COOKIES[names[1]] = request.COOKIES[csrf]
                request.META["CSRF_COOKIE_NEEDS_UPDATE"] = True
