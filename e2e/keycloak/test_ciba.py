"""Approval by a user who is away (OpenID CIBA, poll mode): what Keycloak does with each answer of the user, and without one."""

import time
from itertools import count

import pytest

NUMBERS = count(1)


@pytest.fixture
def message() -> str:
    """What the user is shown, one for each test. No spaces: the server would refuse them."""
    return f"delete-repo-{next(NUMBERS)}"


@pytest.fixture
def request_id(keycloak, message) -> str:
    answer = keycloak.ask_for_approval("planner", "alice", message, "openid files:write")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["expires_in"], said["interval"]) == (120, 1)
    return said["auth_req_id"]


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_the_user_is_asked_what_the_agent_wants(keycloak, request_id, message):
    shown = keycloak.phones.shown(message)
    assert shown["login_hint"] == "alice" and "files:write" in shown["scope"].split()


def test_pending_then_approved_then_used(keycloak, request_id, message):
    assert error(keycloak.poll("planner", request_id)) == (400, "authorization_pending")
    keycloak.press(message, "SUCCEED")
    time.sleep(1.2)
    answer = keycloak.poll("planner", request_id)
    assert answer.status_code == 200, answer.text
    token = keycloak.claims(answer.json()["access_token"])
    assert (token["sub"], token["azp"]) == (keycloak.user("alice"), "planner")
    assert "files:write" in token["scope"].split()
    assert message not in str(token), "the token does not say what was approved: the gate has to remember it"
    time.sleep(1.2)
    assert error(keycloak.poll("planner", request_id)) == (400, "invalid_grant")


def test_asking_too_often_is_told_so(keycloak, request_id):
    keycloak.poll("planner", request_id)
    assert error(keycloak.poll("planner", request_id)) == (400, "slow_down")
    time.sleep(1.2)
    # It does not insist on the five seconds more that are asked of us then (CIBA core section 11).
    assert error(keycloak.poll("planner", request_id)) == (400, "authorization_pending")


@pytest.mark.parametrize("button", ["UNAUTHORIZED", "CANCELLED"])
def test_no_is_no(keycloak, request_id, message, button):
    keycloak.press(message, button)
    assert error(keycloak.poll("planner", request_id)) == (400, "access_denied")


def test_another_client_cannot_take_the_approval(keycloak, request_id, message):
    keycloak.press(message, "SUCCEED")
    assert error(keycloak.poll("researcher", request_id))[0] == 400


def test_who_is_not_known_is_not_asked(keycloak):
    answer = keycloak.ask_for_approval("planner", "nobody", "x")
    assert (error(answer), answer.json()["error_description"]) == ((400, "invalid_request"), "invalid_user")


@pytest.mark.parametrize("text", ["a" * 51, "delete the repository"], ids=["51 characters", "with spaces"])
def test_what_is_shown_is_short_and_without_spaces(keycloak, text):
    assert error(keycloak.ask_for_approval("planner", "alice", text)) == (400, "invalid_binding_message")


def test_fifty_characters_are_not_too_many(keycloak):
    assert keycloak.ask_for_approval("planner", "alice", "b" * 50).status_code == 200


def test_without_the_channel_nobody_is_asked(keycloak, message):
    keycloak.phones.stop()
    try:
        assert error(keycloak.ask_for_approval("planner", "alice", message)) == (503, "server_error")
    finally:
        keycloak.phones.start()
    assert keycloak.ask_for_approval("planner", "alice", message).status_code == 200
