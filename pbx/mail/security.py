"""Mail to the administrator about who comes in (NOT-6): sign-ins and other passwords, addresses that attack, and
versions that mend something."""

from collections.abc import Sequence

from pbx.bus import Bus
from pbx.events import AddressBanned, Audited, BusEvent, NewVersion, SystemPasswordsChanged
from pbx.mail.mailer import Mailer
from pbx.mail.merged import Merged
from pbx.mail.wording import date_text
from storage.records import AuditEntry

SIGN_INS_S = 300.0
PASSWORDS_S = 300.0
ATTACKS_S = 3600.0  # an attack comes from many addresses
SIGN_IN, PASSWORDS = "sign in", ("change password", "reset password")  # actions of the audit


class SecurityMail:
    """One per server."""

    def __init__(self, mailer: Mailer, bus: Bus) -> None:
        self._mailer = mailer
        self._sign_ins = Merged(SIGN_INS_S, self._signed_in)
        self._passwords = Merged(PASSWORDS_S, self._password_changed)
        self._system_passwords = Merged(PASSWORDS_S, self._system_password_changed)
        self._attacks = Merged(ATTACKS_S, self._attacked)
        if mailer.sends("sign_in"):
            bus.subscribe([Audited], self._audited_sign_in)
        if mailer.sends("password"):
            bus.subscribe([Audited, AddressBanned, SystemPasswordsChanged, NewVersion], self._told)

    def close(self) -> None:
        """What waits to be told together is told now."""
        self._sign_ins.close()
        self._passwords.close()
        self._system_passwords.close()
        self._attacks.close()

    def _audited_sign_in(self, event: BusEvent) -> None:
        assert isinstance(event, Audited)
        entry = event.entry
        if entry.action == SIGN_IN:
            self._sign_ins.add(f"{entry.user} {entry.address}", entry)

    def _told(self, event: BusEvent) -> None:
        match event:
            case Audited(_, entry) if entry.action in PASSWORDS:
                self._passwords.add(entry.object, entry)
            case AddressBanned():
                self._attacks.add("", event)
            case SystemPasswordsChanged():
                self._system_passwords.add("", event)
            case NewVersion(at, version, notes):
                self._post("version", at, version=version, notes=notes)

    def _signed_in(self, entries: Sequence[AuditEntry], count: int) -> None:
        last = entries[-1]
        self._post("sign_in", last.at, who=last.user, address=last.address, times=str(count))

    def _password_changed(self, entries: Sequence[AuditEntry], count: int) -> None:
        last = entries[-1]
        account = last.object.removeprefix("accounts/")
        self._post("password", last.at, account=account, who=last.user, address=last.address, times=str(count))

    def _system_password_changed(self, events: Sequence[SystemPasswordsChanged], count: int) -> None:
        self._post("system_password", events[-1].at)

    def _attacked(self, bans: Sequence[AddressBanned], count: int) -> None:
        administrator = next(iter(self._mailer.administrators), None)
        if administrator is None:
            return
        zone = self._mailer.office.timezone
        lines = [
            f"{ban.source}: {', '.join(f'{why} × {times}' for why, times in ban.reasons)}"
            f" → {date_text(ban.until_at, administrator.language, zone)}"
            for ban in bans
        ]
        if count > len(lines):
            lines.insert(0, "…")
        self._post("attack", bans[-1].at, addresses="\n".join(lines), times=str(count))

    def _post(self, kind: str, at: float, **values: str) -> None:
        for administrator in self._mailer.administrators:
            self._mailer.post(kind, administrator, values, at=at)
