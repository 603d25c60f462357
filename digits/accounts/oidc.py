"""Signing in by another server with OpenID Connect: the one of OIDC_ISSUER.

allauth speaks with it. This site adds what the standard asks of a client and allauth leaves out:
the issuer is the configured one, the ID token is there and signed, both answers are about the same
person, and the token was made for this very sign-in.
"""

import hashlib
import logging
import secrets
from typing import Any

import jwt
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from digits.addresses import is_confidential

logger = logging.getLogger(__name__)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
# What a server raises that does not answer, or not as the standard says.
WRONG = (
    *(OAuth2Error, OSError, jwt.PyJWTError),
    *(AttributeError, KeyError, TypeError, ValueError),
)
# What OpenID Connect has for signatures with a key that nobody shares.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)


class Server(OpenIDConnectOAuth2Adapter):
    """The server: where it is asked, and what must be right about its answers."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the server says of itself.

        Raises:
            OAuth2Error: it is another server, or is to be asked where others can listen.
        """
        config: dict[str, Any] = super().openid_config
        if str(config["issuer"]).rstrip("/") != _issuer():
            raise OAuth2Error(f"expected the issuer {_issuer()}, received {config['issuer']}")
        if open_ones := [name for name in ENDPOINTS if not is_confidential(str(config[name]))]:
            raise OAuth2Error(f"expected https:// in {', '.join(open_ones)}")
        return config

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("oidc-callback"))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **words: Any) -> Any:
        id_token = words["response"].get("id_token")
        if not id_token:
            raise OAuth2Error("expected an ID token, received none")
        algorithm = jwt.get_unverified_header(id_token)["alg"]
        if algorithm not in ALGORITHMS:
            raise OAuth2Error(f"expected a signature by one of {ALGORITHMS}, received {algorithm}")
        self.did_fetch_access_token = False  # allauth checks signatures of other tokens alone
        return super().complete_login(request, app, token, **words)


class Provider(OpenIDConnectProvider):
    """What is asked about people, and what is kept of it."""

    oauth2_adapter_class = Server
    pkce_enabled_default = True

    def get_default_scope(self) -> list[str]:
        return ["openid", "profile"]

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        return []

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"username": data["userinfo"].get("preferred_username")}

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def sociallogin_from_response(self, request: HttpRequest, response: dict[str, Any]) -> Any:
        if response["userinfo"]["sub"] != response["id_token"]["sub"]:
            raise OAuth2Error("the ID token and the answer about its person are of two people")
        login = super().sociallogin_from_response(request, response)
        login.nonce = response["id_token"].get("nonce")
        return login


def provider(request: HttpRequest) -> Provider:
    """Return the server of the settings.

    The issuer is in its key, so that people of one server are never taken for those of another.
    """
    app = SocialApp(
        provider=Provider.id,
        provider_id=f"oidc-{hashlib.sha256(_issuer().encode()).hexdigest()[:32]}",
        name=settings.OIDC_NAME,
        client_id=settings.OIDC_CLIENT_ID,
        secret=settings.OIDC_CLIENT_SECRET,
        settings={"server_url": _issuer()},
    )
    return Provider(request, app=app)


def begin(request: HttpRequest, leads_to: str) -> str:
    """Begin a sign-in; return the server's address to send the browser to.

    leads_to: the address on this site to go to afterwards.

    Raises: those of WRONG.
    """
    nonce = secrets.token_urlsafe(32)
    answer = provider(request).redirect(
        request,
        AuthProcess.LOGIN,
        next_url=leads_to,
        auth_params={"nonce": nonce},
        nonce=nonce,
    )
    return str(answer.url)


def end(request: HttpRequest) -> HttpResponse:
    """Return the answer to a browser that the server sent back: signed in, or not.

    Raises: those of WRONG.
    """
    server = Server(request, provider(request).app.provider_id)
    answer: HttpResponse = OAuth2CallbackView.adapter_view(server)(request)
    return answer


def must_belong_together(login: Any) -> None:
    """Do nothing where an ID token was made for the sign-in that it comes with.

    Raises:
        OAuth2Error: it was made for another one.
    """
    if not login.state.get("nonce") or login.nonce != login.state["nonce"]:
        raise OAuth2Error("the ID token was made for another sign-in")


def log_failure(reason: object) -> None:
    logger.warning("no sign-in by %s: %s", settings.OIDC_NAME, str(reason)[:500])


def _issuer() -> str:
    issuer: str = settings.OIDC_ISSUER
    return issuer.rstrip("/")
