"""Who in an office uses which sound (SND-7)."""

from collections.abc import Iterator, Mapping

from storage.records import OFFICE_LISTS, Office

# Keys that hold the id of a sound, by list and by section of the document.
OF_LISTS: Mapping[str, tuple[str, ...]] = {
    "terminals": ("ringback",),
    "queues": ("music", "announcement"),
    "ivrs": ("greeting",),
    "voicemail_boxes": ("greeting",),
    "off_hours": ("sound",),
    "external_numbers": ("greeting", "closed_sound"),
    "inbound_rules": ("sound",),
}
OF_SECTIONS: Mapping[str, tuple[str, ...]] = {"recording": ("notice_in", "notice_out"), "inbound": ("sound",)}


def uses_of_sounds(office: Office) -> Mapping[str, tuple[str, ...]]:
    """By the id of a sound: each place that names it, such as `queue 500 (music)`."""
    found: dict[str, tuple[str, ...]] = {}
    for sound, place in _uses(office):
        found[sound] = (*found.get(sound, ()), place)
    return found


def _uses(office: Office) -> Iterator[tuple[str, str]]:
    for of in OFFICE_LISTS:
        for key in OF_LISTS.get(of.name, ()):
            for entry in of.of(office):
                if sound := getattr(entry, key):
                    yield sound, f"{of.kind} {of.key_of(entry)} ({key})"
    for name, keys in OF_SECTIONS.items():
        for key in keys:
            if sound := getattr(getattr(office, name), key):
                yield sound, f"{name}.{key}"
