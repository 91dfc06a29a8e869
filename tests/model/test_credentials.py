import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.credentials import certificate_roles, hash_secret, is_same_hash, parse_token
from tq.model.errors import AccessDenied, InvalidArgument
from tq.model.identity import Role

SECRET = "s" * 43
TOKEN = f"tq_0123456789ab_{SECRET}"


def test_a_token_says_its_id_and_what_the_broker_keeps_of_its_secret() -> None:
    token = parse_token(TOKEN)

    assert token.token_id.hex() == "0123456789ab"
    assert is_same_hash(token.secret_hash, hash_secret(SECRET))
    assert SECRET not in repr(token)


@pytest.mark.parametrize(
    "text",
    [
        "tq_0123456789ab",
        f"tq_0123456789AB_{SECRET}",
        f"tq_0123456789ab_{SECRET}s",
        f"tq_0123456789ab_{SECRET[1:]}",
        f" {TOKEN}",
        f"{TOKEN}\n",
        f"tq_0123456789ab_{'٣' * 43}",
        "hunter2",
    ],
)
def test_what_is_no_token_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(AccessDenied) as refused:
        parse_token(text)

    assert text.strip() not in str(refused.value)


@given(st.text())
def test_no_text_at_all_is_taken_for_a_token_by_accident(text: str) -> None:
    with pytest.raises(AccessDenied):
        parse_token(text)


def test_roles_of_certificates_are_read_in_their_order() -> None:
    first, second = certificate_roles("ops.example.org=operator, *.example.org = worker,")

    assert [first[1], second[1]] == [Role.OPERATOR, Role.WORKER]
    assert second[0].matcher()("a.example.org")
    assert certificate_roles("") == []


def test_a_name_of_a_certificate_may_have_an_equals_sign() -> None:
    ((pattern, role),) = certificate_roles("spiffe://x/a=b=viewer")

    assert (pattern.literal, role) == ("spiffe://x/a=b", Role.VIEWER)


@pytest.mark.parametrize("text", ["ops.example.org", "ops=root", "=viewer", "ops=none"])
def test_roles_of_certificates_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="is not a name, = and a role"):
        certificate_roles(text)
