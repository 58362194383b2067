"""How messages find their transaction: RFC 3261 §17.1.3, §17.2.3, §8.2.2.2."""

import pytest

from sipcore.message import Request
from sipcore.transaction.keys import client_key, merge_key, server_key
from tests.support.schedule import request, response


def test_a_response_is_found_by_branch_and_method() -> None:
    own = response(request("INVITE", branch="z9hG4bK-1"), 200)
    assert client_key(own) == ("z9hG4bK-1", "INVITE")
    assert client_key(response(request("CANCEL", branch="z9hG4bK-1"), 200)) != client_key(own)


def test_an_ack_belongs_to_its_invite() -> None:
    assert server_key(request("ACK", to_tag="b")) == server_key(request("INVITE"))


def test_a_cancel_has_a_transaction_of_its_own_and_finds_the_invite() -> None:
    cancel = request("CANCEL")
    assert server_key(cancel) != server_key(request("INVITE"))
    assert server_key(cancel, "INVITE") == server_key(request("INVITE"))


@pytest.mark.parametrize("sent_by", ["10.0.0.9:5060", "10.0.0.2:5070", "10.0.0.2"])
def test_the_same_branch_from_somebody_else_is_another_transaction(sent_by: str) -> None:
    assert server_key(request("INVITE", sent_by=sent_by)) != server_key(request("INVITE"))


@pytest.mark.parametrize("branch", ["", "1", "z9hG4bK"])
class TestWithoutAMagicBranch:
    """RFC 2543 peers, and those that send the bare cookie (RFC 4475 §3.2.1)."""

    def test_a_copy_matches(self, branch: str) -> None:
        assert server_key(request("INVITE", branch=branch)) == server_key(request("INVITE", branch=branch))

    def test_an_ack_with_our_tag_matches(self, branch: str) -> None:
        assert server_key(request("ACK", branch=branch, to_tag="b")) == server_key(request("INVITE", branch=branch))

    def test_a_cancel_finds_the_invite(self, branch: str) -> None:
        invite = request("INVITE", branch=branch)
        assert server_key(request("CANCEL", branch=branch), "INVITE") == server_key(invite)

    @pytest.mark.parametrize("other", ["cseq", "sent_by", "method"])
    def test_another_request_does_not_match(self, branch: str, other: str) -> None:
        def changed() -> Request:
            match other:
                case "cseq":
                    return request("INVITE", branch=branch, cseq=2)
                case "sent_by":
                    return request("INVITE", branch=branch, sent_by="10.0.0.9")
                case _:
                    return request("BYE", branch=branch)

        assert server_key(changed()) != server_key(request("INVITE", branch=branch))


def test_requests_of_one_fork_merge_whatever_path_they_took() -> None:
    one, two = request("INVITE", branch="z9hG4bK-1"), request("INVITE", branch="z9hG4bK-2", sent_by="10.0.0.9")
    assert merge_key(one) == merge_key(two)
    assert merge_key(one) != merge_key(request("INVITE", cseq=2))
