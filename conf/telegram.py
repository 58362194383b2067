"""`[telegram]` of `zvon.toml` (NOT-8)."""

import re
from typing import Annotated, Self

from pydantic import Field, PlainValidator, model_validator

from conf.fields import text, web_address_or_empty
from conf.model import Section


def _token(value: object) -> str:
    """As @BotFather gives it; the message names no part of it."""
    found = text(value)
    if found and not re.fullmatch(r"[0-9]{1,20}:[A-Za-z0-9_-]{10,100}", found):
        raise ValueError("must be the token of a bot, as @BotFather gives it")
    return found


def _chat(value: object) -> str:
    found = text(value)
    if found and not re.fullmatch(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64}", found):
        raise ValueError(f'must be the id of a chat such as "-1001234567890" or "@channel", not "{found}"')
    return found


class TelegramSettings(Section):
    """A bot that tells a chat what the mail tells; which kinds, as there."""

    enabled: bool = False
    token: Annotated[str, PlainValidator(_token)] = Field(default="", repr=False)
    chat: Annotated[str, PlainValidator(_chat)] = ""
    # Another one where the Bot API runs on a server of one's own.
    api: Annotated[str, PlainValidator(web_address_or_empty)] = "https://api.telegram.org"
    voicemail: bool = True
    missed_calls: bool = True
    system: bool = True
    sign_ins: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.enabled and not (self.token and self.chat and self.api):
            raise ValueError("Telegram needs a bot and a chat: give token and chat")
        return self
