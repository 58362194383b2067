"""A client of the control socket, for commands: blocking, one request at a time."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pbx.control.backups import (
    BackupView,
    GetBackups,
    GetRestore,
    MakeBackup,
    RemoveBackup,
    RestoreBackup,
    RestoreView,
    SendBackup,
    TakeBackup,
)
from pbx.control.clerk import (
    AccountFailureView,
    BanView,
    CalendarView,
    CallBack,
    ClearFailures,
    CloseMissed,
    DeviceView,
    GetBans,
    GetCalendars,
    GetDevices,
    GetFailures,
    GetMissed,
    GetNetworks,
    GetReport,
    NetworkView,
    RemoveBan,
    ReportView,
    SwitchCalendar,
    SwitchTo,
)
from pbx.control.desk import AddAudit, ChangedView, ChangeOffice, GetOffice, OfficeView
from pbx.control.history import AddHistory, ConversationView, ForgetHistory, Forgotten, GetConversations, NumbersOf
from pbx.control.messages import (
    LENGTH_BYTES,
    ApplyOffice,
    BadFrame,
    CallView,
    ControlError,
    ExplainCall,
    ExplanationView,
    ExportOffice,
    ExportRecording,
    GetCalls,
    GetHistory,
    GetLines,
    GetQueues,
    GetRecordings,
    GetRegistrations,
    GetStatus,
    HangUp,
    Hello,
    LineView,
    Originate,
    PlanOffice,
    PlanView,
    QueueView,
    RecordingFileView,
    RegistrationView,
    Request,
    SendTestMail,
    TraceCall,
    TraceView,
    TransferCall,
    Welcome,
    decode_body,
    decode_frame,
    encode_request,
    frame_length,
)
from pbx.control.place import socket_path
from pbx.control.settings import GetSettings, SettingsView
from pbx.control.sounds import AddSound, ChangeSound, GetSounds, RemoveSound, RestoreSounds, SoundView
from storage.ports import HistoryQuery, RecordingQuery
from storage.records import AuditEntry, CdrRow, MissedCall, Office, OfficeChange, StoredRecording

ANSWER_TIMEOUT_S = 60.0
PAGE = 1000
COMMAND_LINE = "command line"  # who has changed something

T = TypeVar("T")


class NotRunning(ControlError):
    """No server runs with the data folder."""


class ControlClient:
    """A connection to the server of one data folder; every failure is a `ControlError` with a sentence."""

    def __init__(self, data: Path, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._data = data
        self._socket = self._connected(timeout_s)
        try:
            self.server: Welcome = self._ask(Hello(), Welcome)
        except ControlError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def status(self) -> dict[str, object]:
        return self._ask(GetStatus(), dict[str, object])

    def registrations(self) -> Sequence[RegistrationView]:
        return self._ask(GetRegistrations(), list[RegistrationView])

    def settings(self) -> SettingsView:
        return self._ask(GetSettings(), SettingsView)

    def calls(self) -> Sequence[CallView]:
        return self._ask(GetCalls(), list[CallView])

    def queues(self) -> Sequence[QueueView]:
        return self._ask(GetQueues(), list[QueueView])

    def lines(self) -> Sequence[LineView]:
        return self._ask(GetLines(), list[LineView])

    def history(self, query: HistoryQuery) -> Sequence[CdrRow]:
        return self._ask(GetHistory(query), list[CdrRow])

    def whole_history(self, query: HistoryQuery, limit: int = 0) -> Iterator[CdrRow]:
        """Every row of the query, fetched page by page; at most `limit` of them when it is not 0."""
        seen: set[str] = set()  # a row that arrives meanwhile moves the pages
        for offset in range(query.offset, query.offset + limit if limit else 2**62, PAGE):
            page = self.history(replace(query, offset=offset, limit=PAGE))
            for row in page:
                if row.id not in seen and not (limit and len(seen) >= limit):
                    seen.add(row.id)
                    yield row
            if len(page) < PAGE:
                return

    def whole_conversations(self, query: HistoryQuery, limit: int = 0) -> Iterator[ConversationView]:
        """The same for whole conversations."""
        seen: set[str] = set()
        for offset in range(query.offset, query.offset + limit if limit else 2**62, PAGE):
            size = min(PAGE, limit) if limit else PAGE
            page = self._ask(GetConversations(replace(query, offset=offset, limit=size)), list[ConversationView])
            for each in page:
                if each.linkedid not in seen and not (limit and len(seen) >= limit):
                    seen.add(each.linkedid)
                    yield each
            if len(page) < size:
                return

    def numbers_of(self, wanted: NumbersOf) -> Sequence[str]:
        return self._ask(wanted, list[str])

    def forget_history(self, linkedid: str, *, with_recordings: bool = False) -> Forgotten:
        return self._ask(ForgetHistory(linkedid=linkedid, with_recordings=with_recordings), Forgotten)

    def add_history(self, rows: Sequence[CdrRow], recordings: Sequence[StoredRecording] = ()) -> int:
        return self._ask(AddHistory(tuple(rows), tuple(recordings)), int)

    def trace(self, wanted: str, *, with_secrets: bool = False) -> TraceView:
        return self._ask(TraceCall(wanted, with_secrets), TraceView)

    def hangup(self, call_id: str) -> bool:
        return self._ask(HangUp(call_id), bool)

    def originate(self, from_number: str, to_number: str, *, by_itself: bool = True) -> str:
        return self._ask(Originate(from_number, to_number, by_itself), str)

    def transfer(self, call_id: str, to_number: str) -> str:
        return self._ask(TransferCall(call_id, to_number), str)

    def explain(self, asked: ExplainCall) -> ExplanationView:
        return self._ask(asked, ExplanationView)

    def calendars(self) -> Sequence[CalendarView]:
        return self._ask(GetCalendars(), list[CalendarView])

    def missed(self, *, open_only: bool = True) -> Sequence[MissedCall]:
        return self._ask(GetMissed(open_only), list[MissedCall])

    def call_back(self, id: str, from_number: str) -> str:
        return self._ask(CallBack(id, from_number), str)

    def close_missed(self, id: str) -> MissedCall:
        return self._ask(CloseMissed(id), MissedCall)

    def report(self, asked: GetReport) -> ReportView:
        return self._ask(asked, ReportView)

    def switch_calendar(self, id: str, to: SwitchTo) -> CalendarView:
        return self._ask(SwitchCalendar(id, to), CalendarView)

    def bans(self, search: str = "") -> Sequence[BanView]:
        return self._ask(GetBans(search), list[BanView])

    def networks(self) -> Sequence[NetworkView]:
        return self._ask(GetNetworks(), list[NetworkView])

    def failures(self, number: str = "") -> Sequence[AccountFailureView]:
        return self._ask(GetFailures(number), list[AccountFailureView])

    def devices(self, number: str = "") -> Sequence[DeviceView]:
        return self._ask(GetDevices(number), list[DeviceView])

    def clear_failures(self, number: str) -> bool:
        return self._ask(ClearFailures(number), bool)

    def remove_ban(self, source: str) -> bool:
        return self._ask(RemoveBan(source), bool)

    def sounds(self, id: str = "") -> Sequence[SoundView]:
        return self._ask(GetSounds(id), list[SoundView])

    def add_sound(self, wanted: AddSound) -> SoundView:
        return self._ask(wanted, SoundView)

    def change_sound(self, wanted: ChangeSound) -> SoundView:
        return self._ask(wanted, SoundView)

    def remove_sound(self, id: str) -> bool:
        return self._ask(RemoveSound(id), bool)

    def restore_sounds(self) -> Sequence[str]:
        return self._ask(RestoreSounds(), list[str])

    def plan(self, text: str, source_name: str) -> PlanView:
        return self._ask(PlanOffice(text, source_name), PlanView)

    def apply(self, text: str, source_name: str) -> PlanView:
        return self._ask(ApplyOffice(text, source_name), PlanView)

    def export(self, *, with_secrets: bool = False) -> str:
        return self._ask(ExportOffice(with_secrets), str)

    def office(self) -> tuple[Office, int]:
        """The office in force, and its revision."""
        view = self._ask(GetOffice(), OfficeView)
        return view.office or Office(), view.revision

    def change_office(self, change: OfficeChange, revision: int) -> ChangedView:
        return self._ask(ChangeOffice(change, revision, "", COMMAND_LINE), ChangedView)

    def audit(self, action: str, object: str) -> bool:
        """Tell the audit what was done by this command."""
        entry = AuditEntry(time.time(), COMMAND_LINE, "", action, object)
        return self._ask(AddAudit(entry), bool)

    def recordings(self, query: RecordingQuery) -> Sequence[StoredRecording]:
        return self._ask(GetRecordings(query), list[StoredRecording])

    def export_recording(self, id: str) -> RecordingFileView:
        return self._ask(ExportRecording(id), RecordingFileView)

    def test_mail(self, address: str) -> str:
        return self._ask(SendTestMail(address), str)

    def backup(self, parts: Sequence[str]) -> BackupView:
        return self._ask(MakeBackup(tuple(parts)), BackupView)

    def backups(self) -> Sequence[BackupView]:
        return self._ask(GetBackups(), list[BackupView])

    def take_backup(self, path: str) -> BackupView:
        return self._ask(TakeBackup(path), BackupView)

    def remove_backup(self, name: str) -> bool:
        return self._ask(RemoveBackup(name), bool)

    def send_backup(self, name: str) -> str:
        return self._ask(SendBackup(name), str)

    def restore_backup(self, name: str, parts: Sequence[str]) -> RestoreView:
        return self._ask(RestoreBackup(name, tuple(parts)), RestoreView)

    def restored(self) -> RestoreView:
        return self._ask(GetRestore(), RestoreView)

    def _ask(self, request: Request, body: type[T]) -> T:
        with self._told():
            self._socket.sendall(encode_request(request))
            return decode_body(decode_frame(self._receive(frame_length(self._receive(LENGTH_BYTES)))), body)

    def _receive(self, length: int) -> bytes:
        received = bytearray(length)
        view = memoryview(received)
        while view:
            count = self._socket.recv_into(view)
            if count == 0:
                raise ConnectionResetError
            view = view[count:]
        return bytes(received)

    def _connected(self, timeout_s: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            with self._told(), socket_path(self._data) as path:
                connection.connect(path)
        except ControlError:
            connection.close()
            raise
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures of the connection as sentences."""
        data: Any = self._data
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise NotRunning(f"no zvon runs with data folder {data}; start it with `zvon run --data {data}`") from None
        except PermissionError:
            raise ControlError(f"only the user who runs the zvon of data folder {data} may talk to it") from None
        except TimeoutError:
            raise ControlError(f"the zvon of data folder {data} does not answer") from None
        except OSError:
            raise ControlError(f"the zvon of data folder {data} ended the connection") from None
        except BadFrame as error:
            raise ControlError(f"the zvon of data folder {data} is of another version: {error}") from None
