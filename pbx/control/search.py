"""What somebody types into the search of the history, as a query (CDR-8…12)."""

import re
from dataclasses import replace

from pbx.control.messages import ControlError
from storage.ports import HistoryQuery

_LINKEDID = re.compile(r"[\w.@:-]+-\d{6,}\.\d+")
_NUMBER = re.compile(r"[-+()*#\d]+")


def searched(text: str, query: HistoryQuery) -> HistoryQuery:
    """`query` with what the words of `text` add: `src:`, `dst:`, `did:` and `linkedid:` with a value, one or two
    numbers, a linkedid as it stands in another system, else a part of a name. Raises `ControlError`."""
    numbers, names = [], []
    for word in text.split():
        prefix, _, value = word.partition(":")
        match prefix.casefold():
            case "src" if value:
                query = replace(query, source=value)
            case "dst" if value:
                query = replace(query, target=value)
            case "did" if value:
                query = replace(query, line=value)
            case "linkedid" if value:
                query = replace(query, linkedid=value)
            case _ if _LINKEDID.fullmatch(word):
                query = replace(query, linkedid=word)
            case _ if _NUMBER.fullmatch(word):
                numbers.append(word)
            case _:
                names.append(word)
    if len(numbers) > 2:
        raise ControlError("at most two numbers can be looked for, without spaces in them")
    first, second = (*numbers, "", "")[:2]
    return replace(
        query,
        number=first or query.number,
        number2=second or query.number2,
        name=" ".join(names) or query.name,
    )
