import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.client.addresses import Address, SshAddress, TcpAddress, UnixAddress, parse_address
from tq.model.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:6379", TcpAddress("localhost", 6379)),
        (" 10.0.0.1:1 ", TcpAddress("10.0.0.1", 1)),
        ("tcp://broker.example:7000", TcpAddress("broker.example", 7000)),
        ("TCP://broker/", TcpAddress("broker", 6379)),
        ("[::1]:65535", TcpAddress("::1", 65535)),
        ("tcp://[fe80::1]", TcpAddress("fe80::1", 6379)),
        ("tls://broker.example", TcpAddress("broker.example", 6379, is_tls=True)),
        ("TLS://[::1]:7000/", TcpAddress("::1", 7000, is_tls=True)),
        ("unix:///run/tq/tq.sock", UnixAddress("/run/tq/tq.sock")),
        ("unix:///run/with%20space", UnixAddress("/run/with space")),
        ("ssh://prod", SshAddress("prod")),
        ("ssh://anna@broker-1.example:2222/", SshAddress("broker-1.example", "anna", 2222)),
        ("ssh://[::1]:22/run/tq/tq.sock", SshAddress("::1", "", 22, "/run/tq/tq.sock")),
        (
            "ssh://a@corp@host/with%20space?tq=/opt/my%20tq",
            SshAddress("host", "a@corp", 0, "/with space", "/opt/my tq"),
        ),
    ],
)
def test_an_address_is_read_in_each_of_its_forms(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("localhost", "the port is missing, such as localhost:6379"),
        ("", "the host is missing"),
        (":6379", "the host is missing"),
        ("localhost:", "'' is not a port from 1 to 65535"),
        ("localhost:0", "'0' is not a port"),
        ("localhost:65536", "'65536' is not a port"),
        ("localhost:99999999999999999999", "is not a port"),
        ("localhost:6379x", "'6379x' is not a port"),
        ("localhost:٣", "is not a port"),
        ("::1:6379", "an IPv6 address stands in brackets"),
        ("[::1:6379", "the bracket of an IPv6 address is not closed"),
        ("[::1]6379", "the bracket of an IPv6 address is not closed"),
        ("tcp://user@host:1", "'user@host' is not a host"),
        ("http://host:1", "'http' is no known scheme"),
        ("ssh://", "the host is missing"),
        ("ssh://-oProxyCommand=id", "'-oProxyCommand=id' is not a host"),
        ("ssh://-l@host", "'-l' is not the name of a user"),
        ("ssh://a%20b@host", "'a b' is not the name of a user"),
        ("ssh://@host", "'' is not the name of a user"),
        ("ssh://host`id`", "is not a host"),
        ("ssh://host:22x", "'22x' is not a port"),
        ("ssh://host/a%0ab", "a path has no control characters"),
        ("ssh://host?tq=", "only tq=PATH may stand"),
        ("ssh://host?command=x", "only tq=PATH may stand"),
        ("unix://relative.sock", "must be absolute"),
        ("unix://", "must be absolute"),
        ("unix:///nul%00", "must be absolute"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason_and_the_forms(text: str, why: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_address(text)

    assert why in caught.value.message
    assert caught.value.hint == (
        'write it as "host:port", "tcp://host:port", "tls://host:port", "unix:///path/to.sock" or "ssh://user@host"'
    )


@given(st.text(max_size=40) | st.text(max_size=40).map("ssh://{}".format))
def test_any_text_is_an_address_or_an_invalid_argument(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidArgument:
        return
    assert parse_address(str(address)) == address
