"""Passwords: made, measured, and looked up among those that everybody tries first (API-10, EXT-6)."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from conf.password_strength import LONGEST, SHORTEST, Strength, strength
from conf.passwords import generate_password
from storage.records import Office
from web.answers import answer, refused
from web.body import record_of
from web.common_passwords import is_common
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore

router = APIRouter(tags=["passwords"])
MOST = 1000  # passwords of one request
TEXT = {"type": "string", "maxLength": 1000}
STRENGTH = thing(
    score={"type": "integer", "minimum": 0, "maximum": 100},
    label={"enum": ["very weak", "weak", "fair", "good", "strong"]},
    problems=many({"type": "string"}),
    is_known="boolean",
    fits="boolean",
)
ONE, MANY = takes(thing(password=TEXT)), takes(thing(passwords={**many(TEXT), "maxItems": MOST}))


class OnePassword(msgspec.Struct, forbid_unknown_fields=True):
    password: str


class ManyPasswords(msgspec.Struct, forbid_unknown_fields=True):
    passwords: list[str]


@router.get("/passwords:generate", responses=gives(thing(password="string", score="integer", label="string")))
async def generate(who: Caller, length: Annotated[int, Query(ge=SHORTEST, le=LONGEST)] = 20) -> Response:
    """A random password that every phone takes, of that many characters."""
    who.check("passwords", "read")
    password = generate_password(length)
    measured = measure(password)
    return answer({"password": password, "score": measured.score, "label": measured.label})


@router.post("/passwords:validate", responses=gives(STRENGTH), openapi_extra=ONE)
async def validate(request: Request, who: Caller) -> Response:
    """How strong a password is: 0 to 100, and what takes points away."""
    who.check("passwords", "read")
    return answer(asdict(measure((await record_of(request, OnePassword)).password)))


@router.post("/passwords:checkDictionary", responses=gives(thing(is_known="boolean")), openapi_extra=ONE)
async def check_dictionary(request: Request, who: Caller) -> Response:
    """Whether a password is among those that everybody tries first."""
    who.check("passwords", "read")
    return answer({"is_known": is_common((await record_of(request, OnePassword)).password)})


@router.post("/passwords:validateBatch", responses=gives(many(STRENGTH)), openapi_extra=MANY)
async def validate_batch(request: Request, who: Caller, core: TheCore) -> Response:
    """The same of many, in their order."""
    who.check("passwords", "read")
    given = (await record_of(request, ManyPasswords)).passwords
    if len(given) > MOST:
        raise refused(422, f"at most {MOST} at a time", "passwords")
    return answer(await core.beside(lambda: [asdict(measure(each)) for each in given]))


@router.get(
    "/passwords:audit",
    responses=gives(many(thing(object="string", score="integer", label="string", is_known="boolean"))),
)
async def audit(
    who: Caller,
    core: TheCore,
    below: Annotated[int, Query(ge=0, le=101, description="Those of a lower score, and those that are known.")] = 60,
) -> Response:
    """The weak passwords of terminals and providers, the weakest first; the passwords themselves are not told."""
    who.check("passwords", "write")
    return answer(await core.beside(_weak, (await core.snapshot()).office, below))


def measure(password: str) -> Strength:
    return strength(password, is_known=is_common(password))


def _weak(office: Office, below: int) -> list[dict[str, Any]]:
    stored = [(f"terminals/{each.number}", each.password) for each in office.terminals]
    stored += [(f"providers/{each.id}", each.password) for each in office.providers]
    found = ((name, measure(password)) for name, password in stored if password)
    weak = [(name, each) for name, each in found if each.is_known or each.score < below]
    return [
        {"object": name, "score": each.score, "label": each.label, "is_known": each.is_known}
        for name, each in sorted(weak, key=lambda pair: pair[1].score)
    ]
