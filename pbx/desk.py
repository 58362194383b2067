"""What the web process asks of the running server (`pbx.control.desk`)."""

from pbx.bus import Bus
from pbx.control.desk import (
    AddAudit,
    ChangeOffice,
    DeskRequest,
    FollowEvents,
    GetAudit,
    GetOffice,
    GetRecording,
    GetStates,
    GetVersion,
    GetVersions,
    PutState,
)
from pbx.control.messages import ControlError
from pbx.event_log import EventLog, EventReader
from pbx.events import Audited
from pbx.office_desk import OfficeDesk
from pbx.states import States
from storage.ports import Storage, StorageUnavailable

AREA_PREFIX = "web "  # what the web process remembers stands apart from what features do


class WebDesk:
    """Of a whole server."""

    def __init__(self, office: OfficeDesk, storage: Storage, states: States, bus: Bus) -> None:
        self._office, self._storage, self._states, self._bus = office, storage, states, bus
        self.events = EventLog(bus)

    def follow(self, request: FollowEvents) -> EventReader:
        return self.events.follow(request)

    async def answer(self, request: DeskRequest) -> object:
        """Raises `ControlError` with a sentence."""
        try:
            return await self._answer(request)
        except StorageUnavailable as error:
            raise ControlError(str(error)) from None

    async def _answer(self, request: DeskRequest) -> object:
        storage = self._storage
        match request:
            case GetOffice(known):
                return self._office.view(known)
            case ChangeOffice():
                return await self._office.change(request)
            case GetVersions():
                return await storage.versions.newest()
            case GetVersion(id):
                return await storage.versions.get(id)
            case GetStates(area, key):
                found = self._states.of(AREA_PREFIX + area)
                return dict(found) if not key else {key: found[key]} if key in found else {}
            case PutState(area, key, value):
                self._states.put(AREA_PREFIX + area, key, value)
                return True
            case AddAudit(entry):
                self._bus.publish(Audited(entry.at, entry))
                await storage.audit.add(entry)
                return True
            case GetAudit(query):
                return await storage.audit.query(query)
            case GetRecording(id):
                return await storage.recordings.get(id)
