"""`zvon.toml`: defaults, every key, and rules between keys."""

import ipaddress
import tomllib
from pathlib import Path

import pytest

from conf.fields import Listen, PortRange
from conf.load import ConfInvalid, parse_settings
from conf.schema import (
    BackupSettings,
    CalendarSettings,
    LogSettings,
    MailSettings,
    MediaSettings,
    OAuthSettings,
    SecuritySettings,
    Settings,
    SipSettings,
    TextSettings,
    WebSettings,
)

FULL = """
data = "/srv/zvon"
drain_timeout = 0
reports = [{ name = "lines", to = ["head@example.com"], day = 1 }]

[sip]
role = "server"
nodes = []
domains = {}
edges = ["10.0.0.4"]
flow_timer = 0
push_gateway = "http://127.0.0.1:8000/wake"
push_wait = 5
service_route = ["sip:10.0.0.4;lr", "sip:[::1]:5060;transport=tcp;lr"]
udp = ["127.0.0.1:0", "[::1]:5060"]
tcp = []
tls = ["0.0.0.0:5061"]
ws  = ["127.0.0.1:8088"]
wss = ["0.0.0.0:8089"]
ws_origins = ["https://phone.example.com"]
connections_per_source = 500
certificate = "pbx.pem"
key = "/etc/zvon/key.pem"
more_certificates = [{ certificate = "shop.pem", key = "shop.key" }]
client_ca = "phones.pem"
external = "pbx.example.net"
external_address = "192.0.2.5"
external_service = "https://api.example.net/address"
external_port = 15060
external_tls_port = 15061
local_networks = ["192.0.2.0/24", "2001:db8::/32", "192.0.2.1"]
min_expires = 30
default_expires = 60
max_expires = 600
realm = "office"
digest = ["SHA-512-256", "SHA-256", "MD5"]
user_agent = "Phone server"
session_expires = 600
min_se = 120
prack = false
trace_mb = 0
hep = "[::1]:9060"
qualify = 0
keepalive = 10
dns = ["192.0.2.53:53", "[2001:db8::53]:53"]
scanners = ["friendly-scanner"]
source_rate = 50

[media]
ports = "20000-20003"
workers = "embedded"
silence = 0
silence_hold = 60
silence_outside = 20
silence_outside_hold = 30
codecs = ["G722", "PCMA"]

[storage]
url = "sqlite:////srv/zvon.db"

[texts]
keep_days = 0
most = 5

[calendars]
update = true
production_url = "https://example.com/{year}.json"

[telegram]
enabled = true
token = "123456:ABC-def_0123456789"
chat = "@office"
api = "http://127.0.0.1:8081"
voicemail = false
missed_calls = false
system = false
sign_ins = true

[mail]
enabled = true
voicemail = false
missed_calls = false
system = false
sign_ins = true
host = "mail.example.com"
port = 587
encryption = "starttls"
verify = false
login = "pbx@example.com"
password = ""
from_address = "pbx@example.com"
from_name = "АТС"
common_address = "office@example.com"
administrator_address = "admin@example.com"

[mail.oauth]
token_url = "https://oauth2.googleapis.com/token"
client_id = "zvon"
client_secret = "client-secret"
refresh_token = "refresh-secret"

[stir]
certificate_url = "https://pbx.example.net/stir.pem"
key = "stir.key"
authorities = "ca.pem"
verify = "refuse"

[updates]
url = "https://zvon.example.com/latest.json"

[speech]
models = { ru = "/srv/speech/ru" }

[backup]
at = "03:30"
parts = ["settings", "recordings"]
keep = 3

[web]
listen = "192.0.2.1:8443"
tls = true
certificate = "web.pem"
key = "web-key.pem"
plain = false
trust_local = false

[security]
protection = "paranoid"
attempts = 4
within = 60
ban = 120
allow = ["203.0.113.7", "2001:db8::/32"]
firewall = true
ssh_port = 2222
ssh_log = "/var/log/secure"

[log]
level = "debug"
format = "json"
"""


def test_an_empty_file_gives_the_documented_defaults() -> None:
    settings = parse_settings("")
    assert settings.data == "var"
    assert settings.drain_timeout == 30
    assert settings.sip.udp == settings.sip.tcp == (Listen("0.0.0.0", 5060),)
    assert (settings.sip.min_expires, settings.sip.default_expires, settings.sip.max_expires) == (60, 120, 3600)
    assert (settings.sip.external, settings.sip.realm, settings.sip.user_agent) == ("", "", "Zvon")
    assert [str(network) for network in settings.sip.local_networks] == [
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8",
    ]  # fmt: skip
    assert (str(settings.media.ports), settings.media.workers, settings.media.silence) == ("10000-19999", 0, 120)
    assert settings.media.silence_hold == 600
    assert (settings.media.silence_outside, settings.media.silence_outside_hold) == (60, 300)
    assert (settings.sip.session_expires, settings.sip.min_se, settings.sip.prack) == (1800, 90, True)
    assert settings.storage.url == "sqlite:///zvon.db"
    assert (settings.log.level, settings.log.format) == ("info", "text")


@pytest.mark.row("REG-3")
def test_registrations_last_one_minute_to_an_hour_and_two_minutes_by_default() -> None:
    sip = parse_settings("").sip
    assert (sip.min_expires, sip.default_expires, sip.max_expires) == (60, 120, 3600)


def test_every_key_is_read() -> None:
    settings = parse_settings(FULL)
    assert (settings.data, settings.drain_timeout) == ("/srv/zvon", 0)
    assert settings.sip.udp == (Listen("127.0.0.1", 0), Listen("::1", 5060))
    assert list(map(str, settings.sip.udp)) == ["127.0.0.1:0", "[::1]:5060"]
    assert settings.sip.tcp == ()
    assert settings.sip.tls == (Listen("0.0.0.0", 5061),)
    assert (settings.sip.ws, settings.sip.wss) == ((Listen("127.0.0.1", 8088),), (Listen("0.0.0.0", 8089),))
    (more,) = settings.sip.more_certificates
    assert (more.certificate, more.key, settings.sip.client_ca) == ("shop.pem", "shop.key", "phones.pem")
    assert settings.sip.connections_per_source == 500
    assert settings.sip.ws_origins == ("https://phone.example.com",)
    assert (settings.sip.certificate, settings.sip.key) == ("pbx.pem", "/etc/zvon/key.pem")
    assert settings.sip.external == "pbx.example.net"
    assert settings.sip.external_service == "https://api.example.net/address"
    assert settings.sip.external_ports == {"UDP": 15060, "TCP": 15060, "TLS": 15061}
    assert settings.sip.local_networks[1:] == (
        ipaddress.IPv6Network("2001:db8::/32"), ipaddress.IPv4Network("192.0.2.1/32"),
    )  # fmt: skip
    assert (settings.sip.min_expires, settings.sip.default_expires, settings.sip.max_expires) == (30, 60, 600)
    assert (settings.sip.realm, settings.sip.user_agent) == ("office", "Phone server")
    assert (settings.sip.session_expires, settings.sip.min_se, settings.sip.prack) == (600, 120, False)
    assert settings.sip.digest == ("SHA-512-256", "SHA-256", "MD5")
    assert settings.media.ports == PortRange(20000, 20003)
    assert (settings.media.workers, settings.media.silence, settings.media.silence_hold) == ("embedded", 0, 60)
    assert settings.media.codecs == ("G722", "PCMA")
    assert settings.storage.url == "sqlite:////srv/zvon.db"
    assert settings.texts == TextSettings(keep_days=0, most=5)
    assert (settings.mail.port, settings.mail.encryption, settings.mail.from_name) == (587, "starttls", "АТС")
    assert settings.mail.oauth.client_id == "zvon"
    assert (settings.stir.key, settings.stir.authorities, settings.stir.verify) == ("stir.key", "ca.pem", "refuse")
    assert settings.speech.models == {"ru": "/srv/speech/ru"}
    assert settings.backup == BackupSettings(at="03:30", parts=("settings", "recordings"), keep=3)
    assert (settings.web.listen, settings.web.tls) == (Listen("192.0.2.1", 8443), True)
    assert (settings.web.certificate, settings.web.key) == ("web.pem", "web-key.pem")
    assert (settings.log.level, settings.log.format) == ("debug", "json")


def test_the_file_of_defaults_gives_them_and_names_every_key_in_force() -> None:
    text = Path("conf/default.toml").read_text()
    assert parse_settings(text) == Settings()
    written = tomllib.loads(text)
    assert set(Settings.model_fields) == set(written)
    assert set(SipSettings.model_fields) == set(written["sip"])
    assert set(MediaSettings.model_fields) == set(written["media"])
    assert set(CalendarSettings.model_fields) == set(written["calendars"])
    assert set(MailSettings.model_fields) == set(written["mail"])
    assert set(OAuthSettings.model_fields) == set(written["mail"]["oauth"])
    assert set(BackupSettings.model_fields) == set(written["backup"])
    assert set(WebSettings.model_fields) == set(written["web"])
    assert set(SecuritySettings.model_fields) == set(written["security"])
    assert set(LogSettings.model_fields) == set(written["log"])


def test_the_example_names_every_key_there_is() -> None:
    written = tomllib.loads(FULL)
    assert {name for name, value in written.items() if not isinstance(value, dict)} | {"sip", "media", "storage"} | {
        "texts",
        "updates",
        "calendars",
        "mail",
        "telegram",
        "speech",
        "stir",
        "backup",
        "web",
        "security",
        "log",
    } == set(Settings.model_fields)
    for section in (
        "sip",
        "media",
        "storage",
        "texts",
        "updates",
        "calendars",
        "mail",
        "telegram",
        "speech",
        "stir",
        "web",
        "security",
        "log",
    ):
        assert set(written[section]) == set(type(getattr(Settings(), section)).model_fields)


def test_secrets_of_the_mail_stay_out_of_what_is_printed() -> None:
    mail = parse_settings(FULL).mail
    assert "client-secret" not in repr(mail)
    assert "refresh-secret" not in repr(mail)
    assert "Secret_1" not in repr(MailSettings(login="pbx", password="Secret_1"))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_settings("").data = "elsewhere"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sip]\nudp = []\ntcp = []", "zvon.toml:1: sip: nothing to listen on: give udp, tcp, tls, ws or wss an "
         "address"),
        (
            "[sip]\nmin_expires = 600",
            "zvon.toml:1: sip: min_expires, default_expires and max_expires must not decrease in this order",
        ),
        (
            '[sip]\nudp = ["127.0.0.1:5060", "127.0.0.1:5060"]',
            "zvon.toml:1: sip: udp names the same address and port twice",
        ),
        (
            "[sip]\nsession_expires = 100\nmin_se = 120",
            "zvon.toml:1: sip: session_expires must not be less than min_se; 0 switches it off",
        ),
        (
            "[mail]\nenabled = true",
            "zvon.toml:1: mail: mail needs a server and a sender: give host and from_address",
        ),
        (
            '[mail]\npassword = "Secret_1"',
            "zvon.toml:1: mail: a password belongs to a login: give both or none",
        ),
        (
            '[mail]\nlogin = "pbx"\noauth = { client_id = "zvon" }',
            "zvon.toml:1: mail: oauth needs login, token_url, client_id and refresh_token, and takes no password",
        ),
        (
            '[mail]\ncommon_address = "office at example.com"',
            'zvon.toml:2: mail.common_address: must be an e-mail address, not "office at example.com"',
        ),
        ("[sip]\nmin_se = 89", "zvon.toml:2: sip.min_se: must be at least 90, not 89"),
        (
            '[sip]\ncertificate = "pbx.pem"',
            "zvon.toml:1: sip: certificate and key belong together: give both files or none",
        ),
        (
            '[sip]\ntls = ["127.0.0.1:5061", "127.0.0.1:5061"]',
            "zvon.toml:1: sip: tls names the same address and port twice",
        ),
        (
            '[sip]\nws_origins = ["https://phone.example.com/page"]',
            'zvon.toml:2: sip.ws_origins[0]: must be an origin such as "https://phone.example.com" or "*", not '
            '"https://phone.example.com/page"',
        ),
        ("sip = 5", "zvon.toml:1: sip: must be a section, not a number"),
        ('[media]\nports = "20000-20002"', "zvon.toml:2: media.ports: must hold at least four ports: a call has two "
         "sides with two ports each"),
        ('[media]\nports = "20000"',
         'zvon.toml:2: media.ports: must be two port numbers such as "10000-19999", not "20000"'),
        ("[media]\nworkers = 65", "zvon.toml:2: media.workers: must be at most 64, not 65"),
        ('[storage]\nurl = "sqlite:///:memory:"', "zvon.toml:2: storage.url: must name a file and nothing else: "
         "what is kept in memory is lost at the end"),
        ('[storage]\nurl = "zvon.db"', 'zvon.toml:2: storage.url: must be "sqlite:///FILE" or '
            '"postgresql://USER:PASSWORD@HOST/NAME", not "zvon.db"'),
        ('[stir]\nkey = "a.pem"', "zvon.toml:1: stir: key and certificate_url belong together: give both or none"),
        ('[stir]\nkey = "a.pem"\ncertificate_url = "http://a/b"', "zvon.toml:1: stir: certificate_url must begin "
         "with https://, or nobody believes it (RFC 8226)"),
        ('[sip]\nudp = ["*:5060"]\nexternal = "192.0.2.5"', "zvon.toml:1: sip: 192.0.2.5 is of one family only, and "
         "the server listens on IPv4 and IPv6: external has to be a host name, without external_address"),
        ('[sip]\nudp = ["0.0.0.0:5060"]\ntcp = ["[::]:5060"]\nexternal = "pbx.example.net"\n'
         'external_address = "192.0.2.5"', "zvon.toml:1: sip: 192.0.2.5 is of one family only, and the "
         "server listens on IPv4 and IPv6: external has to be a host name, without external_address"),
        ('[sip]\nexternal_address = "192.0.2.5"', "zvon.toml:1: sip: external_address is told while a name in external "
         "has no address: give that name"),
        ('[sip]\nexternal = "1.2.3"', 'zvon.toml:2: sip.external: must be an IP address or a host name without a port, '
         'not "1.2.3"'),
    ],
)  # fmt: skip
def test_rules_of_values(text: str, sentence: str) -> None:
    with pytest.raises(ConfInvalid) as raised:
        parse_settings(text)
    assert str(raised.value) == sentence


@pytest.mark.row("REG-7")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pbx.example.net:5080", "pbx.example.net"),
        ("192.0.2.5:5080", "192.0.2.5"),
        ("[2001:db8::5]:5080", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
    ],
)
def test_a_port_behind_the_external_host_is_ignored(written: str, meant: str) -> None:
    assert parse_settings(f'[sip]\nexternal = "{written}"').sip.external == meant
    both = parse_settings('[sip]\nexternal = "a.example.net"\nexternal_address = "192.0.2.5:5080"').sip
    assert both.external_address == "192.0.2.5"


@pytest.mark.row("REG-7")
def test_a_server_of_both_families_is_known_by_a_name() -> None:
    assert parse_settings('[sip]\nudp = ["*:5060"]\nexternal = "pbx.example.net"').sip.external == "pbx.example.net"


def test_the_file_that_errors_name_is_the_one_given(tmp_path: Path) -> None:
    with pytest.raises(ConfInvalid) as raised:
        parse_settings("x = 1", "/etc/zvon.toml")
    assert str(raised.value) == '/etc/zvon.toml:1: x: unknown key "x"'


def test_an_edge_has_servers_of_its_own_or_by_domain() -> None:
    head = '[sip]\nrole = "proxy"\ntcp = []\n'
    found = parse_settings(f'{head}domains = {{ "Horns.Example." = ["10.0.0.7:5060"] }}').sip.domains
    assert [(name, str(*servers)) for name, servers in found.items()] == [("horns.example", "udp:10.0.0.7:5060")]
    for wrong, why in (
        (head, "needs some"),
        (f'{head}domains = {{ "10.0.0.7" = ["10.0.0.7:5060"] }}', "must be a host name"),
        (f'{head}domains = {{ "horns.example" = [] }}', "has no server"),
        (f'{head}domains = {{ "horns.example" = ["tcp:10.0.0.7:5060"] }}', "tcp has no address"),
        ('[sip]\ndomains = { "horns.example" = ["10.0.0.7:5060"] }', "other roles have none"),
    ):
        with pytest.raises(ConfInvalid, match=why):
            parse_settings(wrong)
