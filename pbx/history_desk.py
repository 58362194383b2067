"""The history of calls as people ask for it: whole conversations, who is meant by whom, what is deleted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from conf.places import people_at
from pbx.control.history import (
    AddHistory,
    ConversationView,
    ForgetHistory,
    Forgotten,
    GetConversations,
    GetRow,
    HistoryRequest,
    NumbersOf,
)
from pbx.control.messages import ControlError
from pbx.conversation_view import conversation
from pbx.missed import MissedCalls
from pbx.recordings import Recordings
from storage.ports import CdrStore, HistoryQuery, StorageUnavailable
from storage.records import CdrRow, Office

PAGE = 500  # rows at once

log = structlog.get_logger("history")


class HistoryDesk:
    """One per server; `office` is the one in force."""

    def __init__(
        self, history: CdrStore, recordings: Recordings, missed: MissedCalls, office: Callable[[], Office]
    ) -> None:
        self._history, self._recordings, self._missed, self._office = history, recordings, missed, office

    async def answer(self, request: HistoryRequest) -> object:
        """Raises `ControlError` with a sentence."""
        try:
            match request:
                case GetConversations(query):
                    return await self.conversations(query)
                case GetRow(id):
                    return await self._history.get(id)
                case NumbersOf():
                    return self._numbers_of(request)
                case ForgetHistory():
                    return await self._forget(request)
                case AddHistory(rows, recordings):
                    for recording in recordings:
                        self._recordings.add(recording)
                    return await self._add(rows)
        except StorageUnavailable as error:
            raise ControlError(str(error)) from None

    async def rows(self, query: HistoryQuery) -> Sequence[CdrRow]:
        """Raises `ControlError` with a sentence."""
        try:
            return await self._history.query(self._here(query))
        except StorageUnavailable as error:
            raise ControlError(str(error)) from None

    async def conversations(self, query: HistoryQuery) -> list[ConversationView]:
        ids = (await self._linkedids(self._here(query)))[query.offset :]
        rows: dict[str, list[CdrRow]] = {id: [] for id in ids}
        for row in await self._history.of_conversations(ids):
            rows[row.linkedid].append(row)
        return [conversation(found, self._missed.get(id)) for id, found in rows.items() if found]

    async def _linkedids(self, query: HistoryQuery) -> list[str]:
        """The newest conversations with a row that is wanted, as many as come before the end of the page."""
        ids: dict[str, None] = {}
        for offset in range(0, 10**9, PAGE):
            page = await self._history.query(replace(query, limit=PAGE, offset=offset))
            ids |= dict.fromkeys(row.linkedid for row in page)
            if len(page) < PAGE or len(ids) >= query.offset + query.limit:
                break
        return list(ids)[: query.offset + query.limit]

    def _here(self, query: HistoryQuery) -> HistoryQuery:
        return replace(query, number_length=self._office().number_length)

    def _numbers_of(self, asked: NumbersOf) -> list[str]:
        office = self._office()
        members = {each.id: each.members for each in office.employee_groups}
        for kind, wanted, known in (
            ("employee", asked.people, {each.id for each in office.users}),
            ("employee group", asked.groups, set(members)),
            ("location group", asked.places, {each.id for each in office.location_groups}),
        ):
            if missing := [each for each in wanted if each not in known]:
                raise ControlError(f'there is no {kind} "{missing[0]}" in the office')
        meant = {*asked.people, *(member for group in asked.groups for member in members[group])}
        meant |= people_at(office, asked.places)
        numbers = [each.number for each in office.terminals if each.owner in meant]
        numbers += [each.mobile for each in office.users if each.id in meant and each.mobile]
        if not numbers:
            raise ControlError(f"there is no number of {', '.join(sorted(meant)) or 'an empty group'}")
        return numbers

    async def _forget(self, request: ForgetHistory) -> Forgotten:
        row = await self._history.get(request.id) if request.id else None
        rows = [row] if row is not None else await self._history.of_conversations([request.linkedid])
        if not rows:
            raise ControlError(f"there is no row {request.id}" if request.id else f"there is no {request.linkedid}")
        recordings = 0
        if request.with_recordings:
            for id in (id for row in rows for id in row.recording.split()):
                recordings += await self._forget_recording(id)
        gone = await self._history.remove([row.id for row in rows])
        log.info("history deleted", rows=gone, recordings=recordings, linkedid=rows[0].linkedid)
        return Forgotten(gone, recordings)

    async def _forget_recording(self, id: str) -> bool:
        recording = await self._recordings.get(id)
        if recording is None or recording.kind != "call" or recording.state == "running":
            return False
        try:
            await asyncio.to_thread(self._recordings.file(recording).unlink, missing_ok=True)
        except OSError as error:
            raise ControlError(f"the recording {id} cannot be deleted: {error.strerror}") from None
        self._recordings.remove(recording)
        return True

    async def _add(self, rows: Sequence[CdrRow]) -> int:
        linkedids = list({row.linkedid for row in rows})
        known = {row.id for row in await self._history.of_conversations(linkedids)}
        fresh = [row for row in rows if row.id not in known]
        for row in fresh:
            self._history.append(row)
        return len(fresh)
