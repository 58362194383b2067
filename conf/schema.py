"""`zvon.toml`: the settings of the server. Every default stands here with its reason; no key is without effect."""

import hashlib
import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from conf.calendar_values import days_of
from conf.fields import (
    Check,
    Listen,
    Network,
    PortRange,
    Server,
    ascii_text,
    choice,
    domain,
    email_or_empty,
    external_host,
    host_or_empty,
    ip_address_or_empty,
    is_ip_address,
    listen_everywhere,
    listen_or_none,
    network,
    origin,
    port_range,
    route,
    server,
    server_or_none,
    signature,
    sip_server,
    storage_url,
    text,
    text_up_to,
    web_address_or_empty,
    whole_number,
)
from conf.model import Section
from conf.office_fields import LANGUAGES
from conf.telegram import TelegramSettings

Workers = int | Literal["embedded"]


def _workers(value: object) -> Workers:
    if value == "embedded":
        return "embedded"
    if isinstance(value, str):
        raise ValueError(f'must be a whole number or "embedded", not "{value}"')
    return NUMBER_OF_WORKERS(value)


NUMBER_OF_WORKERS = whole_number(0, 64)
WORKERS = Check(_workers, {"anyOf": [NUMBER_OF_WORKERS.schema, {"const": "embedded"}]})

SourceRate = int | Literal["preset"]


def _source_rate(value: object) -> SourceRate:
    if value == "preset":
        return "preset"
    if isinstance(value, str):
        raise ValueError(f'must be a whole number or "preset", not "{value}"')
    return RATE(value)


RATE = whole_number(0, 100_000)
SOURCE_RATE = Check(_source_rate, {"anyOf": [RATE.schema, {"const": "preset"}]})

Listeners = Annotated[tuple[Annotated[Listen, PlainValidator(listen_everywhere)], ...], Field(strict=False)]
Networks = Annotated[tuple[Annotated[Network, PlainValidator(network)], ...], Field(strict=False)]
Lifetime = Annotated[int, PlainValidator(whole_number(1, 86400))]  # s; RFC 3261 sets no limit, a day is plenty
Digest = Annotated[str, PlainValidator(choice("MD5", "SHA-256", "SHA-512-256"))]
Digests = Annotated[tuple[Digest, ...], Field(strict=False)]
CodecName = Annotated[str, PlainValidator(choice("opus", "G722", "PCMA", "PCMU", "G729", "L16"))]
CodecNames = Annotated[tuple[CodecName, ...], Field(strict=False)]
Origins = Annotated[tuple[Annotated[str, PlainValidator(origin)], ...], Field(strict=False)]
BackupPart = Annotated[str, PlainValidator(choice("settings", "sounds", "history", "recordings"))]
Scanners = Annotated[tuple[Annotated[str, PlainValidator(signature)], ...], Field(strict=False)]
Servers = Annotated[tuple[Annotated[Server, PlainValidator(sip_server)], ...], Field(strict=False)]
Domains = dict[Annotated[str, PlainValidator(domain)], Servers]


# What the tools of attackers call themselves in User-Agent, From or To (SEC-8); who uses sipsak gives a list
# without it.
SCANNERS = (
    *("friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sipsak", "sundayddr", "iWar", "VaxSIPUserAgent"),
    *("VaxIPUserAgent", "pplsip", "friendly-request", "sipscan"),
)


class CertificateSettings(Section):
    """One of `[[sip.more_certificates]]`: PEM files, relative to the data folder."""

    certificate: Annotated[str, PlainValidator(text_up_to(4096, at_least=1))]
    key: Annotated[str, PlainValidator(text_up_to(4096, at_least=1))]


class SipSettings(Section):
    """`[sip]`: listeners, what peers are told, limits of registrations."""

    # A phone server by itself; "proxy" is an edge that keeps the flows of phones in front of such servers; "redirect"
    # tells callers where the phones are and stays out of their calls.
    role: Annotated[str, PlainValidator(choice("server", "proxy", "redirect"))] = "server"
    # Of an edge: the servers behind it, the first that answers gets the requests.
    nodes: Servers = ()
    # CFG-10: whole offices behind one edge, each with servers of its own, by the domain that their phones register at.
    domains: Domains = Field(default_factory=dict)
    # Of a server: where its edges are. They are believed where a phone really is; nobody else is.
    edges: Networks = ()

    # Phones find a server on 5060 of either transport (RFC 3261 §19.1.2); a phone outside UDP's packet size needs TCP.
    udp: Listeners = (Listen("0.0.0.0", 5060),)
    tcp: Listeners = (Listen("0.0.0.0", 5060),)
    # Phones that are to use it are set up for it, so it is switched on by hand; 5061 by RFC 3261 §19.1.2.
    tls: Listeners = ()
    # Browsers (RFC 7118); pages loaded by https may connect to wss only, and only to a certificate they trust.
    ws: Listeners = ()
    wss: Listeners = ()
    # Pages that may connect. Empty: those of the very host that they connect to, whatever the port.
    ws_origins: Origins = ()
    # To each listener from one address (of IPv6: one /64): room for a branch office behind one router, or all browsers
    # behind a reverse proxy; a flood from one machine ends here.
    connections_per_source: Annotated[int, PlainValidator(whole_number(1, 100_000))] = 200
    # PEM files, relative to the data folder. Empty: the server makes its own at the first start.
    certificate: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    key: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    # For further host names by which the server is reached; the names stand in the certificates (SNI).
    more_certificates: Annotated[tuple[CertificateSettings, ...], Field(strict=False)] = ()
    # A PEM file of authorities: phones on `tls` must show a certificate signed by one of them. Empty: none is
    # asked for; browsers, which have none as a rule, are never asked.
    client_ca: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    # Empty: peers are told the address of the interface that reaches them, right for every site without NAT.
    external: Annotated[str, PlainValidator(external_host)] = ""
    # REG-7: told while the name in `external` has no address; empty: that of the interface.
    external_address: Annotated[str, PlainValidator(ip_address_or_empty)] = ""
    # Asked every minute by HTTP for the address that our requests come from, "https://api.ipify.org"; empty: nobody is.
    # A host name in `external` goes first.
    external_service: Annotated[str, PlainValidator(web_address_or_empty)] = ""
    # REG-2: where the router forwards other ports than those that we listen on; 0 = the same.
    external_port: Annotated[int, PlainValidator(whole_number(0, 65535))] = 0
    external_tls_port: Annotated[int, PlainValidator(whole_number(0, 65535))] = 0
    # Private (RFC 1918) and loopback addresses never need the external address.
    local_networks: Networks = tuple(
        ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")
    )
    # REG-3: below a minute the registrar only works for itself; above an hour a dead phone stays in the list too long.
    min_expires: Lifetime = 60
    default_expires: Lifetime = 120
    max_expires: Lifetime = 3600
    # s; phones that keep several flows (RFC 5626) are told to be heard of as often, 0 = they choose; §4.4.1 recommends
    # two minutes for connections, and most routers forget one after no less than that.
    flow_timer: Annotated[int, PlainValidator(whole_number(0, 3600))] = 120
    # RFC 3608: what phones are told to put into the Route of their own requests. Empty: they know the way already.
    service_route: Annotated[tuple[Annotated[str, PlainValidator(route)], ...], Field(strict=False)] = ()
    # Asked by HTTP to wake phones that sleep (RFC 8599); empty: nobody is asked, and they are rung as any phone.
    push_gateway: Annotated[str, PlainValidator(web_address_or_empty)] = ""
    # s that a call waits for such a phone; a notification takes a second or two, the phone's network as long again.
    push_wait: Annotated[int, PlainValidator(whole_number(1, 60))] = 15
    # REG-15: empty = made at the first start and kept in the data folder, so it names neither product nor machine.
    realm: Annotated[str, PlainValidator(ascii_text)] = ""
    # Challenges offered, the preferred one first (RFC 8760 §2.4). MD5 alone: many phones give up at a challenge they do
    # not know instead of taking the next one. ["SHA-256", "MD5"] where every phone can.
    digest: Digests = ("MD5",)
    # REG-15: the product without a version, which would tell an attacker what to try.
    user_agent: Annotated[str, PlainValidator(ascii_text)] = "Zvon"
    # REG-4: s between two OPTIONS to each phone, 0 = never; a phone that went away is not rung for longer than that.
    qualify: Annotated[int, PlainValidator(whole_number(0, 3600))] = 60
    # s between a few bytes to each phone behind NAT, 0 = never; home routers forget UDP after 30 s.
    keepalive: Annotated[int, PlainValidator(whole_number(0, 3600))] = 25
    # DNS servers for names of providers, "192.0.2.53:53"; empty: those of the system.
    dns: Annotated[tuple[Annotated[Listen, PlainValidator(server)], ...], Field(strict=False)] = ()
    # s between refreshes of a call, twice; RFC 4028 §4 recommends half an hour. 0: calls are not refreshed.
    session_expires: Annotated[int, PlainValidator(whole_number(0, 86400))] = 1800
    # s; RFC 4028 §5 allows no less than 90.
    min_se: Annotated[int, PlainValidator(whole_number(90, 86400))] = 90
    # RFC 3262; false helps a phone that stumbles over it, and costs early media only where packets get lost.
    prack: bool = True
    # MB of recent SIP messages for `zvon trace`, 0 = none: 16 hold about 1,500 calls of two phones.
    trace_mb: Annotated[int, PlainValidator(whole_number(0, 1024))] = 16
    # A capture server (Homer) that gets a copy of every message by HEPv3, "127.0.0.1:9060"; empty = none.
    hep: Annotated[Listen | None, PlainValidator(server_or_none)] = None
    # SEC-8: names that attackers' tools write into what they send; such requests are dropped without an answer.
    scanners: Scanners = SCANNERS
    # SEC-9: requests a second that begin something, from an address that has not authenticated yet; 0 = any number.
    # SEC-11: by the preset of [security]; where many terminals may stand behind one address, any number.
    source_rate: Annotated[SourceRate, PlainValidator(SOURCE_RATE)] = "preset"

    @property
    def external_ports(self) -> dict[str, int]:
        """The ports that peers outside are told, by transport; those that are the same are not there."""
        ports = {"UDP": self.external_port, "TCP": self.external_port, "TLS": self.external_tls_port}
        return {transport: port for transport, port in ports.items() if port}

    @model_validator(mode="after")
    def _in_its_role(self) -> Self:
        for name, servers in self.domains.items():
            if not servers:
                raise ValueError(f"domains.{name} has no server")
        behind = (*self.nodes, *(each for servers in self.domains.values() for each in servers))
        if (self.role == "proxy") != bool(behind):
            raise ValueError(
                'nodes and domains name the servers behind an edge: role = "proxy" needs some, other roles have none'
            )
        for node in behind:
            if not getattr(self, node.transport):
                raise ValueError(f"node {node} cannot be reached: {node.transport} has no address to listen on")
        return self

    @model_validator(mode="after")
    def _behind_a_router(self) -> Self:
        """REG-7: an address is of one family, and a server of both has to be known by both."""
        if self.external_address and (not self.external or is_ip_address(self.external)):
            raise ValueError("external_address is told while a name in external has no address: give that name")
        everywhere = (*self.udp, *self.tcp, *self.tls, *self.ws, *self.wss)
        hosts = {
            each.host for each in everywhere if each.host == "*" or not ipaddress.ip_address(each.host).is_loopback
        }
        has_both = "*" in hosts or len({":" in each for each in hosts}) > 1
        named = self.external_address or (self.external if is_ip_address(self.external) else "")
        if named and has_both:
            raise ValueError(
                f"{named} is of one family only, and the server listens on IPv4 and IPv6: "
                "external has to be a host name, without external_address"
            )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        listeners = {"udp": self.udp, "tcp": self.tcp, "tls": self.tls, "ws": self.ws, "wss": self.wss}
        if not any(listeners.values()):
            raise ValueError("nothing to listen on: give udp, tcp, tls, ws or wss an address")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together: give both files or none")
        if not self.min_expires <= self.default_expires <= self.max_expires:
            raise ValueError("min_expires, default_expires and max_expires must not decrease in this order")
        if self.session_expires and self.session_expires < self.min_se:
            raise ValueError("session_expires must not be less than min_se; 0 switches it off")
        if not self.digest:
            raise ValueError('no way to prove a password: give digest at least "MD5"')
        if "SHA-512-256" in self.digest and "sha512_256" not in hashlib.algorithms_available:
            raise ValueError("digest: the OpenSSL of this machine cannot compute SHA-512-256; SHA-256 is next best")
        for name, addresses in listeners.items():
            if len(set(addresses)) < len(addresses):
                raise ValueError(f"{name} names the same address and port twice")
        return self


class MediaSettings(Section):
    """`[media]`: the RTP ports, where the engine runs, the codecs."""

    # 2,500 calls of two sides with two ports each; below the range from which systems take ports for themselves.
    ports: Annotated[PortRange, PlainValidator(port_range)] = PortRange(10000, 19999)
    # One process per core that signalling leaves free.
    workers: Annotated[Workers, PlainValidator(WORKERS)] = 0
    # REG-13: what is offered and answered, the best first. Two parties share the first that both have; G.711 is always
    # there in the end. Opus and G.722 carry twice the bandwidth of a telephone, G.729 an eighth of the bits.
    codecs: CodecNames = ("opus", "G722", "PCMA", "PCMU", "G729")
    # s without RTP after which a party counts as gone (REG-10), 0 = never; phones that suppress silence still send
    # comfort noise more often than this.
    silence: Annotated[int, PlainValidator(whole_number(0, 86400))] = 120
    # The same for a party that has put the other one on hold, and may send nothing meanwhile.
    silence_hold: Annotated[int, PlainValidator(whole_number(0, 86400))] = 600
    # The same for who is at the other end of a provider, where a call that is left over costs money.
    silence_outside: Annotated[int, PlainValidator(whole_number(0, 86400))] = 60
    silence_outside_hold: Annotated[int, PlainValidator(whole_number(0, 86400))] = 300


class StorageSettings(Section):
    """`[storage]`: the database."""

    # One file in the data folder: nothing to install or start.
    url: Annotated[str, PlainValidator(storage_url)] = Field(default="sqlite:///zvon.db", repr=False)


class StirSettings(Section):
    """`[stir]`: signatures of the numbers of callers (RFC 8224, SHAKEN)."""

    # Of our own key: where others have its certificate from, and the key itself, a PEM file relative to `data`.
    certificate_url: Annotated[str, PlainValidator(web_address_or_empty)] = ""
    key: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    # A PEM file of the authorities that are believed. Empty: nothing is looked at.
    authorities: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    # A wrong signature is only told, until an operator is known to send good ones.
    verify: Annotated[str, PlainValidator(choice("mark", "refuse"))] = "mark"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.key) != bool(self.certificate_url):
            raise ValueError("key and certificate_url belong together: give both or none")
        if self.certificate_url and not self.certificate_url.startswith("https://"):
            raise ValueError("certificate_url must begin with https://, or nobody believes it (RFC 8226)")
        return self


class TextSettings(Section):
    """`[texts]`: text messages for terminals that are not there."""

    # Days that a text waits, 0 = it does not; a week covers an absence that nobody would call one.
    keep_days: Annotated[int, PlainValidator(whole_number(0, 365))] = 7
    # For one terminal; more than anybody reads, and 100 of the longest are 80 KB.
    most: Annotated[int, PlainValidator(whole_number(1, 10_000))] = 100


class OAuthSettings(Section):
    """`[mail.oauth]`: instead of a password, for providers that take none any more (XOAUTH2). The address where tokens
    are had, and what the provider gave for this server when it was registered there."""

    token_url: Annotated[str, PlainValidator(web_address_or_empty)] = ""
    client_id: Annotated[str, PlainValidator(text_up_to(1024))] = ""
    client_secret: Annotated[str, PlainValidator(text_up_to(1024))] = Field(default="", repr=False)
    refresh_token: Annotated[str, PlainValidator(text_up_to(8192))] = Field(default="", repr=False)


class MailSettings(Section):
    """`[mail]` (NOT-1, NOT-2): the server that takes our mail, who it comes from, and what is sent at all."""

    # NOT-2: nothing leaves the server by mail before somebody wants it.
    enabled: bool = False
    voicemail: bool = True
    missed_calls: bool = True
    system: bool = True
    # Administrators sign in every day: whoever wants to hear of it says so.
    sign_ins: bool = False
    host: Annotated[str, PlainValidator(host_or_empty)] = ""
    # NOT-1: a relay in the own network as it is; providers on the Internet want 587 with "starttls" or 465 with "tls".
    port: Annotated[int, PlainValidator(whole_number(1, 65535))] = 25
    encryption: Annotated[str, PlainValidator(choice("none", "starttls", "tls"))] = "none"
    verify: bool = True
    login: Annotated[str, PlainValidator(text_up_to(255))] = ""
    password: Annotated[str, PlainValidator(text_up_to(255))] = Field(default="", repr=False)
    oauth: OAuthSettings = OAuthSettings()
    from_address: Annotated[str, PlainValidator(email_or_empty)] = ""
    from_name: Annotated[str, PlainValidator(text_up_to(100))] = "Zvon"
    # NOT-3: who gets what belongs to nobody in particular.
    common_address: Annotated[str, PlainValidator(email_or_empty)] = ""
    # NOT-6: who is told of lines and disks; empty is the common address.
    administrator_address: Annotated[str, PlainValidator(email_or_empty)] = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.enabled and not (self.host and self.from_address):
            raise ValueError("mail needs a server and a sender: give host and from_address")
        if self.password and not self.login:
            raise ValueError("a password belongs to a login: give both or none")
        oauth = self.oauth
        given = [oauth.token_url, oauth.client_id, oauth.refresh_token]
        if any(given) and not (all(given) and self.login and not self.password):
            raise ValueError("oauth needs login, token_url, client_id and refresh_token, and takes no password")
        return self


class UpdateSettings(Section):
    """`[updates]` (NOT-6): where it is said which version of Zvon is the latest."""

    # Nothing is asked on the network before somebody wants it.
    url: Annotated[str, PlainValidator(web_address_or_empty)] = ""


class CalendarSettings(Section):
    """`[calendars]` (CAL-4): whether production calendars of coming years are fetched, and where."""

    # Nothing is asked on the Internet before somebody wants it; decreed years are part of the program.
    update: bool = False
    production_url: Annotated[str, PlainValidator(web_address_or_empty)] = (
        "https://xmlcalendar.ru/data/ru/{year}/calendar.json"
    )


SpokenLanguage = Annotated[str, PlainValidator(choice(*LANGUAGES))]
Folder = Annotated[str, PlainValidator(text_up_to(4096, at_least=1))]


class SpeechSettings(Section):
    """`[speech]`: spoken commands of menus."""

    # Folders of PocketSphinx models by language, relative to the working directory; English comes with the engine.
    models: dict[SpokenLanguage, Folder] = Field(default_factory=dict)


def _time_of_day(value: object) -> str:
    found = text(value)
    if found and not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", found):
        raise ValueError(f'must be a time of day such as "03:30", or "", not "{found}"')
    return found


def _days(value: object) -> str:
    days_of(found := text(value))
    return found


class AwaySettings(Section):
    """`[backup.away]` (CFG-7): backups by the clock on a server elsewhere."""

    # Empty: none.
    protocol: Annotated[str, PlainValidator(choice("", "sftp", "ftp", "webdav"))] = ""
    host: Annotated[str, PlainValidator(host_or_empty)] = ""
    # 0: that of the protocol, 22, 21, 443 (80 without TLS).
    port: Annotated[int, PlainValidator(whole_number(0, 65535))] = 0
    login: Annotated[str, PlainValidator(text_up_to(255))] = ""
    password: Annotated[str, PlainValidator(text_up_to(255))] = Field(default="", repr=False)
    path: Annotated[str, PlainValidator(text_up_to(1024))] = ""
    # FTP and WebDAV: without it the password and all that is in a backup could be read on the way.
    tls: bool = True
    # The certificate that a server of one's own shows; otherwise those that the system trusts.
    ca: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    # The key that an SSH server shows, "ssh-ed25519 AAAA…"; otherwise the one that it showed first.
    host_key: Annotated[str, PlainValidator(text_up_to(2000))] = ""
    days: Annotated[str, PlainValidator(_days)] = "mon-sun"
    at: Annotated[str, PlainValidator(_time_of_day)] = "03:30"
    parts: Annotated[tuple[BackupPart, ...], Field(strict=False)] = ("settings", "sounds", "history")
    keep: Annotated[int, PlainValidator(whole_number(1, 1000))] = 7

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.protocol and not (self.host and self.at):
            raise ValueError("backups elsewhere need a server and a time: give host and at")
        if self.password and not self.login:
            raise ValueError("a password belongs to a login: give both or none")
        return self


class BackupSettings(Section):
    """`[backup]` (CFG-6): backups by the clock, below the data folder."""

    # Empty: none. Whoever wants them knows where they shall be copied to.
    at: Annotated[str, PlainValidator(_time_of_day)] = ""
    # Recordings are most of the disk and are kept on it anyway.
    parts: Annotated[tuple[BackupPart, ...], Field(strict=False)] = ("settings", "sounds", "history")
    # A week, so that what somebody broke on Friday is found on Monday.
    keep: Annotated[int, PlainValidator(whole_number(1, 1000))] = 7
    away: AwaySettings = AwaySettings()


# As `pbx.reports.reporter.NAMES`, and the history itself.
REPORTS = (
    *("agents", "events", "funnel", "history", "line-health", "lines", "missed", "outgoing", "problems", "providers"),
    *("quality", "queues", "spend", "terminal-load"),
)
Weekday = Annotated[str, PlainValidator(choice("mon", "tue", "wed", "thu", "fri", "sat", "sun"))]


class ReportSchedule(Section):
    """One of `[[reports]]` (CDR-14): a report that is sent by mail by the clock."""

    name: Annotated[str, PlainValidator(choice(*REPORTS))]
    to: Annotated[tuple[Annotated[str, PlainValidator(email_or_empty)], ...], Field(strict=False)]
    # Before work begins: the report is about days that are over.
    at: Annotated[str, PlainValidator(_time_of_day)] = "07:00"
    days: Annotated[tuple[Weekday, ...], Field(strict=False)] = ()
    day: Annotated[int, PlainValidator(whole_number(0, 31))] = 0
    period: Literal["day", "week", "month"] = "day"
    format: Literal["csv", "xlsx", "pdf"] = "xlsx"
    language: Literal["", "en", "ru"] = ""
    step: Literal["", "hour", "day"] = ""
    by: Annotated[str, PlainValidator(text_up_to(20))] = ""
    search: Annotated[str, PlainValidator(text_up_to(200))] = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.to or not all(self.to):
            raise ValueError("a report needs somebody who gets it: give addresses in to")
        if not self.at or not (self.days or self.day):
            raise ValueError("a report needs a time: give at, and days of the week or the day of the month")
        if self.search and self.name != "history":
            raise ValueError("only the history is searched: leave search out")
        return self


class WebSettings(Section):
    """`[web]`: the REST API."""

    # This machine only: what opens the office to the network is decided by a person. "" is no web.
    listen: Annotated[Listen | None, PlainValidator(listen_or_none)] = Listen("127.0.0.1", 8080)
    tls: bool = False
    # PEM files, relative to the data folder. Empty: those of [sip].
    certificate: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    key: Annotated[str, PlainValidator(text_up_to(4096))] = ""
    # Behind a proxy that speaks TLS on another machine, plain HTTP is right; anywhere else passwords could be read.
    plain: bool = False
    # Programs of this machine are administrators without signing in: whoever has an account on it is, too.
    trust_local: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together: give both files or none")
        if self.listen is None or self.tls or self.plain or ipaddress.ip_address(self.listen.host).is_loopback:
            return self
        raise ValueError(
            f"passwords would go over the network in the clear at {self.listen}: set tls = true, "
            "or plain = true behind a proxy that encrypts"
        )


class SecuritySettings(Section):
    """`[security]` (SEC-*): who is heard at all, and who is not heard any longer."""

    # SEC-6, SEC-11: a preset of the next three and of sip.source_rate; "off": nobody is banned, and networks keep
    # nobody out.
    protection: Annotated[str, PlainValidator(choice("off", "weak", "normal", "enhanced", "paranoid"))] = "weak"
    # SEC-10: so many failures within so many seconds, and the address is not heard for so many; 0 = as the preset says.
    attempts: Annotated[int, PlainValidator(whole_number(0, 1000))] = 0
    within: Annotated[int, PlainValidator(whole_number(0, 31_536_000))] = 0
    ban: Annotated[int, PlainValidator(whole_number(0, 31_536_000))] = 0
    # SEC-13: addresses and networks where nobody is banned.
    allow: Networks = ()
    # Bans and networks in the kernel too (nftables), where the server may change them.
    firewall: bool = False
    # SEC-2: where the SSH server of this machine listens, which the firewall opens to networks that may.
    ssh_port: Annotated[int, PlainValidator(whole_number(1, 65535))] = 22
    # SEC-12: where it writes down who failed to sign in; no such file, or "": nobody is counted.
    ssh_log: Annotated[str, PlainValidator(text_up_to(4096))] = "/var/log/auth.log"


class LogSettings(Section):
    """`[log]`: what is told on standard error."""

    # Starts, stops, registrations refused, calls; not single messages.
    level: Annotated[str, PlainValidator(choice("debug", "info", "warning", "error"))] = "info"
    # People read it first; a log collector sets "json".
    format: Annotated[str, PlainValidator(choice("text", "json"))] = "text"


class Settings(Section):
    """The whole of `zvon.toml`."""

    # Relative to the working directory; `make run` starts in the project's folder.
    data: Annotated[str, PlainValidator(text_up_to(4096, at_least=1))] = "var"
    # s; most people finish their sentence, and no service manager loses patience (systemd waits 90 s).
    drain_timeout: Annotated[int, PlainValidator(whole_number(0, 86400))] = 30
    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    storage: StorageSettings = StorageSettings()
    stir: StirSettings = StirSettings()
    texts: TextSettings = TextSettings()
    mail: MailSettings = MailSettings()
    telegram: TelegramSettings = TelegramSettings()
    updates: UpdateSettings = UpdateSettings()
    calendars: CalendarSettings = CalendarSettings()
    speech: SpeechSettings = SpeechSettings()
    backup: BackupSettings = BackupSettings()
    reports: Annotated[tuple[ReportSchedule, ...], Field(strict=False)] = ()
    web: WebSettings = WebSettings()
    security: SecuritySettings = SecuritySettings()
    log: LogSettings = LogSettings()
