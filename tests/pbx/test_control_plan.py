"""The changes of an office document as clients see them."""

from conf.diff import plan
from pbx.control.messages import PlanView
from pbx.views import plan_view
from storage.records import Office, Terminal, User

OLD = Office(name="Horns", terminals=(Terminal("101"), Terminal("102")), users=(User("anna", "Anna"),))
NEW = Office(name="Hooves", terminals=(Terminal("101", max_calls=2), Terminal("103")), users=(User("anna", "Anna"),))


def test_every_kind_of_change_is_a_line_that_reads_like_the_plan_itself() -> None:
    found = plan(OLD, NEW)
    assert [str(change) for change in plan_view(found).changes] == str(found).splitlines()
    assert [change.action for change in plan_view(found).changes] == ["change", "add", "change", "remove"]


def test_no_change_is_an_empty_view() -> None:
    assert plan_view(plan(OLD, OLD), applied=True) == PlanView((), applied=True)


def test_passwords_are_never_shown() -> None:
    secret = Office(terminals=(Terminal("101", password="Long-Enough_1"),))
    assert "Long" not in str(plan_view(plan(OLD, secret)))
