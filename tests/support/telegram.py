"""A server that speaks as much of the Bot API of Telegram as is asked of it, on the loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.e2e.webserver import web_server

TOKEN, CHAT = "123456:ABC-def_0123456789", "-1001234567890"


class BotApi:
    """`url` is its address; `refuse` is a status that it answers instead of taking messages."""

    def __init__(self) -> None:
        self.url, self.refuse = "", 0
        self.messages: list[str] = []

    def asked(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path != f"/bot{TOKEN}/sendMessage":
            return 404, {"ok": False, "error_code": 404, "description": "Not Found"}
        if self.refuse:
            return self.refuse, {"ok": False, "error_code": self.refuse, "description": "Too Many Requests"}
        if body.get("chat_id") != CHAT:
            return 400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
        self.messages.append(body["text"])
        return 200, {"ok": True, "result": {"message_id": len(self.messages)}}


@contextmanager
def bot_api() -> Iterator[BotApi]:
    api = BotApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = api.asked(self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    with web_server(Handler) as url:
        api.url = url
        yield api
