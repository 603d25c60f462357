"""A server of OpenID Connect, as companies run one: it answers by HTTP, and signs with a key.

Whoever asks it is signed in there already, as `person`. What it does wrong is set by tests.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "digits", "a secret of two servers"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider(ThreadingHTTPServer):
    """The server.

    person: the claims about whoever signs in.
    claims: what ID tokens say in place of the truth; None leaves one out.
    told: what is told about the person besides, when asked with an access token.
    discovered: what it says of itself in place of the truth.
    asked: the requests that it got, as method and path.
    """

    daemon_threads = True

    def __init__(self, port: int = 0):
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key, self.signs_with = new_key(), None
        self.person = {"sub": "person-1", "preferred_username": "grace", "name": "Grace Hopper"}
        self.claims, self.told, self.discovered, self.asked = {}, {}, {}, []
        self.algorithm = "RS256"
        self.refuses, self.has_id_token, self.codes, self.tokens = "", True, {}, {}

    def configuration(self) -> dict:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        } | self.discovered

    def keys(self) -> dict:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [key | {"kid": "one", "use": "sig", "alg": "RS256"}]}

    def redirect_of(self, query: dict[str, str]) -> str:
        """Return where a browser is sent that comes with a request for a sign-in."""
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query | {"person": dict(self.person)}
        answer = {"error": self.refuses} if self.refuses else {"code": code}
        return f"{query['redirect_uri']}?{urlencode(answer | {'state': query['state']})}"

    def tokens_for(self, form: dict[str, str], authorization: str) -> dict | None:
        """Return the tokens for a code; None where it is not this client's, or was used."""
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        begun = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            begun is None
            or authorization != f"Basic {expected}"
            or begun["redirect_uri"] != form.get("redirect_uri")
            or begun["code_challenge"] != challenge
        ):
            return None
        access = secrets.token_urlsafe(16)
        self.tokens[access] = begun["person"]
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 60}
        return answer | ({"id_token": self._id_token(begun)} if self.has_id_token else {})

    def _id_token(self, begun: dict) -> str:
        now = int(time.time())
        truth = {
            "iss": self.url,
            "sub": begun["person"]["sub"],
            "aud": CLIENT,
            "iat": now,
            "exp": now + 60,
            "nonce": begun.get("nonce"),
        }
        said = {name: value for name, value in (truth | self.claims).items() if value is not None}
        key = None if self.algorithm == "none" else self.signs_with or self.key
        return jwt.encode(said, key, self.algorithm, headers={"kid": "one"})


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        self.server.asked.append(f"GET {path}")
        if path == "/.well-known/openid-configuration":
            self._send(self.server.configuration())
        elif path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            self.send_response(302)
            self.send_header("Location", self.server.redirect_of(asked))
            self.end_headers()
        elif path == "/keys":
            self._send(self.server.keys())
        elif path == "/userinfo":
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            person = self.server.tokens.get(token)
            self._send(person | self.server.told if person else {}, 200 if person else 401)
        else:
            self._send({}, 404)

    def do_POST(self):
        self.server.asked.append(f"POST {self.path}")
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        fields = {name: values[0] for name, values in form.items()}
        answer = self.server.tokens_for(fields, self.headers.get("Authorization", ""))
        self._send(answer or {"error": "invalid_grant"}, 200 if answer else 400)

    def _send(self, answer: dict, status: int = 200):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running(port: int = 0):
    """A server that answers until the block ends."""
    with Provider(port) as provider:
        thread = threading.Thread(target=provider.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            provider.shutdown()
            thread.join()
