"""The in-process bus: events go to whoever asked for their kind, at once and in order."""

import logging
from collections.abc import Callable, Iterable

from pbx.events import BusEvent

Observer = Callable[[BusEvent], None]
Detach = Callable[[], None]

log = logging.getLogger(__name__)


class Bus:
    """Synchronous publish and subscribe. An observer that raises is logged and disturbs nobody."""

    def __init__(self) -> None:
        self._observers: dict[type[BusEvent], tuple[Observer, ...]] = {}

    def subscribe(self, kinds: Iterable[type[BusEvent]], observer: Observer) -> Detach:
        """Call `observer` with every event of these kinds until the returned function is called."""
        wanted = tuple(kinds)
        for kind in wanted:
            self._observers[kind] = (*self._observers.get(kind, ()), observer)

        def detach() -> None:
            for kind in wanted:
                self._observers[kind] = tuple(each for each in self._observers[kind] if each is not observer)

        return detach

    def publish(self, event: BusEvent) -> None:
        """Hand the event to the observers of its kind, in the order in which they subscribed."""
        for observer in self._observers.get(type(event), ()):
            try:
                observer(event)
            except Exception:
                log.exception("an observer failed on %s", type(event).__name__)
