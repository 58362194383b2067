"""What features remember."""

from pbx.states import States
from storage.memory import MemoryKept
from storage.records import StoredState


async def test_values_are_there_at_once_and_after_a_restart() -> None:
    store = MemoryKept[StoredState]()
    states = States(store)
    states.put("dnd", "101", "on")
    states.put("queue", "500/201", "here")
    states.put("queue", "500/202", "here")
    states.put("queue", "500/202", None)
    assert dict(states.of("queue")) == {"500/201": "here"}
    later = States(store)
    assert dict(later.of("queue")) == {}
    await later.restore()
    assert (dict(later.of("queue")), dict(later.of("dnd"))) == ({"500/201": "here"}, {"101": "on"})
