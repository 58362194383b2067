"""Records for storage tests."""

from storage.records import (
    Application,
    Calendar,
    Callback,
    CallerList,
    CdrRow,
    Conference,
    EmployeeGroup,
    ExternalNumber,
    Features,
    Forward,
    ForwardingPolicy,
    Group,
    InboundPolicy,
    InboundRule,
    Ivr,
    LampList,
    LocationGroup,
    LostCallAlarm,
    NetworkFilter,
    NumberRule,
    OffHours,
    Office,
    OutboundPolicy,
    OutboundRoute,
    Paging,
    Parking,
    Provider,
    Queue,
    RecordingPolicy,
    Registration,
    ShortNumber,
    Sound,
    StoredLetter,
    StoredRecording,
    StoredSubscription,
    StoredText,
    Tariff,
    Terminal,
    User,
    VoicemailBox,
    VoicemailPolicy,
    VoiceMessage,
)


def cdr(id: str, started_at: float = 1000.0, **values: object) -> CdrRow:
    """A missed call from 101 to 102; `values` override."""
    plain: dict[str, object] = {
        "id": id,
        "linkedid": f"call-{id}",
        "started_at": started_at,
        "ended_at": started_at + 5,
        "from_number": "101",
        "to_number": "102",
        "disposition": "NOANSWER",
    }
    return CdrRow(**{**plain, **values})  # type: ignore[arg-type]  # a test names only fields that exist


def answered(id: str, started_at: float = 1000.0, **values: object) -> CdrRow:
    return cdr(
        id, started_at, **{"disposition": "ANSWERED", "answered_at": started_at + 2, "talk_seconds": 3.0, **values}
    )


def registration(
    aor: str = "sip:101@zvon", contact: str = "sip:101@10.0.0.1", expires_at: float = 2000.0
) -> Registration:
    return Registration(
        aor=aor,
        contact=contact,
        call_id="f81d4fae",
        cseq=7,
        expires_at=expires_at,
        registered_at=expires_at - 120,
        q=0.5,
        user_agent="Телефон/1.0",
        received="192.0.2.7:40000",
        transport="tcp",
        instance="<urn:uuid:f81d4fae>",
        reg_id=1,
        path=("<sip:edge;lr>", "<sip:edge2;lr>"),
    )


def subscription(id: str, expires_at: float = 2000.0) -> StoredSubscription:
    return StoredSubscription(id, expires_at, "103", "dialog", "102", "zvon", '{"a":"\\"Ä"}', 12.5)


def text(id: str, **values: object) -> StoredText:
    plain: dict[str, object] = {
        "id": id,
        "number": "101",
        "sender": "102",
        "sender_name": "Борис",
        "sent_at": 1000.25,
        "expires_at": 2000.0,
        "body": "Привет".encode(),
    }
    return StoredText(**{**plain, **values})  # type: ignore[arg-type]  # a test names only fields that exist


def letter(id: str, recipient: str = "b@example.com", attempts: int = 0) -> StoredLetter:
    return StoredLetter(
        *(id, "voicemail", recipient, "Сообщение", "Строка\nДва", 1000.5, 1060.25, attempts, "mail/1.mp3", "1.mp3")
    )


def voice_message(id: str, mailbox: str = "101", state: str = "new") -> VoiceMessage:
    return VoiceMessage(id, mailbox, 1000.5, 12.5, "+74951234567", "Иван", "zvon-1.1", state)


def recording(id: str, started_at: float = 1000.0, **values: object) -> StoredRecording:
    """A conversation of 101 with 102, both apart; `values` override."""
    plain: dict[str, object] = {
        "id": id,
        "call": f"call-{id}",
        "linkedid": f"linked-{id}",
        "started_at": started_at,
        "from_number": "101",
        "to_number": "102",
        "state": "done",
        "seconds": 12.5,
        "channels": 2,
        "caller_channel": 1,
        "format": "opus",
        "suffix": ".opus",
    }
    return StoredRecording(**{**plain, **values})  # type: ignore[arg-type]  # a test names only fields that exist


OFFICE = Office(
    name='Рога "и" копыта',
    language="ru",
    timezone="Europe/Moscow",
    number_length=4,
    login_suffix="-7k",
    users=(
        User(id="zoe", name="Zoe", role="supervisor", scope=("all", "user:belkina")),
        User(
            id="belkina",
            name="Белкина Ирина",
            email="b@example.com",
            mobile="+79161234567",
            mobile_dial="79161234567",
            record=False,
            forward_to_mobile=False,
            skills=("german",),
        ),
    ),
    terminals=(
        Terminal(
            number="202",
            owner="zoe",
            main=True,
            line="74951234567",
            login="zoe.desk",
            permit=("192.0.2.0/24", "10.0.0.0/8"),
            deny=("10.9.0.0/16",),
            codecs=("G722", "PCMA"),
            headers={"X-Room": "12"},
            variables={"branch": "север"},
            password="Long-Enough_1",
            max_calls=3,
            max_contacts=2,
            dtmf="rfc4733",
            ringback="hello",
            record=False,
            forward=Forward("101", "busy", "voicemail", "+79161234567", 20, {"101": "hangup"}),
            show_in_phonebook=False,
            public_access=False,
        ),
        Terminal(number="101", trust="192.0.2.0/24", network="192.0.2.0/24", transport="tcp", disabled=True),
    ),
    providers=(
        Provider(
            id="telco",
            host="sip.example.net",
            name="Телеком",
            port=5070,
            transport="tcp",
            outbound_proxy="proxy.example.net:5080",
            login="74951234567",
            password="se cret",
            qualify=30,
            note="contract 7",
            addresses=("192.0.2.16/28",),
            dtmf="info",
            srtp="required",
            from_user="7495",
            from_domain="example.net",
            show_caller=True,
            identity="asserted",
            max_calls=4,
            only=True,
            network="192.0.2.0/24",
            cid_source="P-Asserted-Identity",
            cid_between=("<", ">"),
            cid_regex="[0-9]+",
            did_source="X-Did",
            did_between=("did:",),
            did_regex="x",
            log_sources=True,
            script="770",
        ),
        Provider(id="gate", host="192.0.2.9", kind="ip", qualify=0, disabled=True),
    ),
    sounds=(Sound("hello", "/s/hello.wav", name="Привет", note="said first"),),
    location_groups=(LocationGroup("house"), LocationGroup("room", "Room 12", "house", "a note")),
    employee_groups=(
        EmployeeGroup(
            "sales", "Sales", ("zoe",), True, True, True, ("2XX",), "a note", ("City",), "7495", {"City": "7499"}
        ),
    ),
    groups=(Group("600", "Sales", "a note", ("202",), "linear", 20, True, "101"),),
    queues=(
        Queue("500"),
        Queue(
            "501",
            "Consulting",
            "a note",
            "consult",
            "-",
            ("202", "+79161234567"),
            True,
            {"202": 1},
            ("german",),
            "rrmemory",
            20,
            2,
            3,
            4,
            True,
            "music",
            "hello",
            True,
            True,
            "hello",
            60,
            0,
            "101",
            "voicemail",
            5,
            "600",
            6,
            "hangup",
            {"1": "202"},
            Callback("5", True, 2, 10, 1, 60),
        ),
    ),
    ivrs=(Ivr("700", "500", "Main", "a note", "hello", 5, 3, 2, True, {"1": "202"}, {"1": ("продажи", "sales")}),),
    conferences=(Conference("800", "Daily", "a note", "0471", False, 20),),
    paging=(Paging("750", "Everybody", "a note", ("202", "101")),),
    applications=(Application("*77X", "/scripts/hello.py", "Hello", "a note"),),
    short_numbers=(ShortNumber("77", "+441632960000", ",205#", "London", "a note"),),
    voicemail_boxes=(VoicemailBox("202", "12", "hello", "z@example.com", True, True), VoicemailBox("voicemail")),
    lamp_lists=(LampList("desk", ("202", "101")), LampList("empty")),
    calendars=(
        Calendar(
            "office-hours",
            "ru",
            "Hours",
            "of all",
            {"mon-fri": ("09:00-18:00",)},
            ("2026-12-26",),
            ("*-01-01",),
            30,
            "https://example.com/office.ics",
            True,
            "belkina",
            "Secret_1",
            "*60",
        ),
        Calendar("other"),
    ),
    external_numbers=(
        ExternalNumber(
            "74951234567",
            "telco",
            "500",
            60,
            "Sales",
            "n",
            "welcome",
            True,
            9,
            2,
            "office-hours",
            "101",
            "welcome",
            True,
            5,
            10,
            True,
            False,
            True,
            True,
            True,
            True,
        ),
        ExternalNumber("78005553535", "telco"),
    ),
    tariffs=(Tariff("mobile", "telco", "79", 250, 50, 1, 3, "n"), Tariff("city", "telco")),
    networks=(
        NetworkFilter("office", "10.0.0.0/8", "Office", 1, False, True, False, True, True, False, True, True, "n"),
        NetworkFilter("all", "0.0.0.0/0"),
    ),
    lost_call_alarms=(LostCallAlarm("line", "74951234567", 5, 20, "office-hours", "a@example.com", "n"),),
    inbound_rules=(InboundRule("first", "telco", "7495.", "101", 20, "welcome", 3, "First", "n", True),),
    number_rules=(NumberRule("trunk", "telco", 11, "8", "7"),),
    caller_lists=(CallerList("spam", "white", "telco", ("7999.", "79161234567"), "n"),),
    inbound=InboundPolicy("500", "welcome", True, ("7999.",), ("telco",), guests=True),
    off_hours=(
        OffHours(
            "night",
            "2026-01-01",
            "2026-12-31",
            "mon",
            "fri",
            "18:00",
            "08:00",
            5,
            ("74951234567",),
            "",
            "101",
            "n",
            True,
        ),
    ),
    outbound_routes=(
        OutboundRoute("Country", "telco"),
        OutboundRoute(
            "City", "telco", ("gate",), "least_used", "9", 7, 9, 1, "7495", True, "7495", True, "a note", True
        ),
    ),
    outbound=OutboundPolicy(("112",), 100, 60, 20, ("810",), "20:00-08:00"),
    features=Features(park="", pickup="*7", transfer_outside=("8",), parking=Parking("700", "701-720", 60)),
    forwarding=ForwardingPolicy(True, True, True, True, 3, True),
    recording=RecordingPolicy(False, False, False, "mp3", "hello", "hello", 30, 100),
    voicemail=VoicemailPolicy("box@example.com", 60, 5, "Voice", "Hello,\nthere is one", "Bye"),
)
