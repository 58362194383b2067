"""What a call can be: every app of the server, and what stands behind which number."""

from features._cascade import leads_somewhere
from features.agent_codes import AgentLogin, AgentPause
from features.barred import Barred
from features.call_codes import CallCodes, abort
from features.call_recording import CallRecording
from features.conference import Conferences
from features.do_not_disturb import SetDoNotDisturb
from features.external import External, claim
from features.fax import FAX, TakeFax
from features.forward_codes import ForwardAll, ForwardNoMore
from features.incoming import Incoming
from features.ivr import Menu
from features.joined import Join
from features.masked import claim_substitute
from features.off_hours import OFF_HOURS, OutOfHours
from features.outside_call import OutsideCall
from features.page import Announcer
from features.parking import ParkingLot
from features.pickup import Pickup
from features.queue import Queues
from features.ring_group import RingGroup
from features.services import Busy, DidToUser, HangUp
from features.short_number import ShortCall
from features.spending import Spending
from features.supervise import Mode, Supervision
from features.terminal_call import TerminalCall
from features.test_numbers import (
    ECHO_NUMBER,
    OWN_NUMBER,
    RECORDING_NUMBER,
    TONE_NUMBER,
    Echo,
    MilliwattTone,
    RecordAndPlayBack,
    SayOwnNumber,
)
from features.transfer_codes import attended_transfer, blind_transfer
from features.unknown import UnknownNumber
from features.voicemail import Voicemail
from features.voicemail_visit import ListenToMessages
from features.working_hours import claim_switch
from pbx.api import (
    BARRED,
    COMMON,
    UNKNOWN,
    Application,
    Apps,
    Conference,
    Group,
    Ivr,
    Paging,
    Queue,
    ShortNumber,
    Terminal,
)


def make_apps() -> Apps:
    """The apps of one server: those that share something longer than a call share it within."""
    lot, queues, conferences, recording = ParkingLot(), Queues(), Conferences(), CallRecording()
    spending = Spending()
    codes = CallCodes(
        {
            "blind_transfer": blind_transfer,
            "attended_transfer": attended_transfer,
            "abort": abort,
            "park": lot.by_code,
            "record": recording.by_code,
        }
    )
    return Apps(
        of_entry={
            Application: External,
            Terminal: TerminalCall,
            Group: RingGroup,
            Ivr: Menu,
            Queue: queues.app,
            Conference: conferences.app,
            Paging: Announcer,
            ShortNumber: lambda short: ShortCall(short, spending),
        },
        numbers={
            OWN_NUMBER: SayOwnNumber(),
            ECHO_NUMBER: Echo(),
            TONE_NUMBER: MilliwattTone(),
            RECORDING_NUMBER: RecordAndPlayBack(),
        },
        services={
            BARRED: Barred(),
            UNKNOWN: UnknownNumber(),
            "hangup": HangUp(),
            "busy": Busy(),
            "did2user": DidToUser(),
            COMMON: Voicemail(),
            OFF_HOURS: OutOfHours(),
            FAX: TakeFax(),
        },
        joining=Join,
        codes={
            "dnd_on": lambda rest: SetDoNotDisturb(is_on=True, dialled_after=rest),
            "dnd_off": lambda rest: SetDoNotDisturb(is_on=False, dialled_after=rest),
            "forward_on": ForwardAll,
            "forward_off": ForwardNoMore,
            "pickup": Pickup,
            "agent_login": lambda rest: AgentLogin(rest, is_in=True),
            "agent_logout": lambda rest: AgentLogin(rest, is_in=False),
            "agent_pause": AgentPause,
            "listen": lambda rest: Supervision(rest, Mode.LISTEN),
            "whisper": lambda rest: Supervision(rest, Mode.WHISPER),
            "barge": lambda rest: Supervision(rest, Mode.BARGE),
            "voicemail": ListenToMessages,
        },
        claims=(lot.claim, claim, claim_switch, claim_substitute),
        outside=lambda number: OutsideCall(number, spending),
        incoming=lambda ctx, arrival: Incoming(arrival) if leads_somewhere(ctx.office, arrival) else None,
        observers=(codes, recording, queues, spending),
        queues=queues.views,
    )
