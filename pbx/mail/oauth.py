"""Access to a mail provider without a password: access tokens that are renewed with a refresh token (RFC 6749 §6)."""

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from time import monotonic

from conf.schema import OAuthSettings

TIMEOUT_S = 15.0
EARLY_S = 60.0  # a token is renewed so long before it ends
LIFETIME_S = 3600.0  # where the provider names none


class AccessTokens:
    """The token in force; asked for again when it is about to end."""

    def __init__(self, settings: OAuthSettings) -> None:
        self._settings = settings
        self._token, self._until = "", 0.0

    async def get(self) -> str:
        """Raises `ValueError` with a sentence when the provider gives none."""
        if not self._token or monotonic() >= self._until:
            self._token, lifetime_s = await asyncio.to_thread(_renewed, self._settings)
            self._until = monotonic() + max(0.0, lifetime_s - EARLY_S)
        return self._token


def _renewed(settings: OAuthSettings) -> tuple[str, float]:
    form = {
        "grant_type": "refresh_token",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "refresh_token": settings.refresh_token,
    }
    body = urllib.parse.urlencode({name: value for name, value in form.items() if value}).encode()
    try:
        with urllib.request.urlopen(settings.token_url, body, timeout=TIMEOUT_S) as answer:
            found = json.load(answer)
        return str(found["access_token"]), float(found.get("expires_in", LIFETIME_S))
    except urllib.error.HTTPError as error:
        with error:
            raise ValueError(
                f"{settings.token_url} gives no access token: HTTP {error.code}{_why(error.read())}"
            ) from None
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{settings.token_url} gives no access token: {error}") from None


def _why(body: bytes) -> str:
    """What the provider says of it (RFC 6749 §5.2)."""
    try:
        found = json.loads(body)
        return f", {found['error']}"
    except (ValueError, KeyError, TypeError):
        return ""
