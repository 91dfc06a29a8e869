"""Where the broker is, when nobody says: TQ_URL, the settings, the socket of the local broker, the default port."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tq.config.loading import DEFAULT, LoadedSettings, load_settings
from tq.config.profiles import named_profile
from tq.model.identity import Role
from tq.model.settings import Settings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - listened on, not connected to
NO_SOCKET = "none"


def default_addresses(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The addresses to try, in order; at least one.

    TQ_URL, if it is set: one address, several with commas between, or a profile. Else what `settings_addresses` says.

    Raises:
        ConfigInvalid: the settings, or the profiles, cannot be read.
        InvalidArgument: TQ_URL names a profile that there is not.
    """
    environment = os.environ if environment is None else environment
    if profile := named_profile(None, environment):
        return profile.addresses
    named = tuple(part.strip() for part in environment.get("TQ_URL", "").split(",") if part.strip())
    return named or settings_addresses(load_settings(environment=environment))


class Destination(NamedTuple):
    """Where to, with which token, and as no more than which role."""

    address: str | Sequence[str] | None
    token: str
    role: Role


def destination(
    address: str | Sequence[str] | None,
    token: str = "",
    role: Role = Role.ADMIN,
    environment: Mapping[str, str] | None = None,
) -> Destination:
    """What was given, with the name of a profile, if it is one (or TQ_URL, where it is None), replaced by what the
    profile says. A token that is given counts more than that of the profile; a role is at most that of the profile.

    Raises:
        ConfigInvalid, InvalidArgument: as `default_addresses`; or the token of the profile cannot be read.
    """
    profile = named_profile(address, environment)
    if profile is None:
        return Destination(address, token, role)
    return Destination(profile.addresses, token or profile.token(), role.within(profile.role))


def settings_addresses(loaded: LoadedSettings) -> tuple[str, ...]:
    """Where a broker with these settings listens, as seen from this machine.

    A host or port that the settings name comes first. Without one, or with TLS, for which the certificate would have to
    be for this very host, the unix socket does if it exists: it is there as long as the broker is, and the default port
    may be another's.
    """
    broker = loaded.settings.broker
    host = _EVERYWHERE.get(broker.host, broker.host)
    scheme = "tls" if broker.tls_cert else "tcp"
    tcp = f"{scheme}://[{host}]:{broker.port}" if ":" in host else f"{scheme}://{host}:{broker.port}"
    path = socket_path(loaded.settings)
    has_socket = path is not None and path.is_socket()
    is_named = loaded.sources["broker.host"] != DEFAULT or loaded.sources["broker.port"] != DEFAULT
    local = (f"unix://{path}",) if has_socket else ()
    if broker.port == 0 and path is not None:  # a free one, which the broker alone knows
        return (f"unix://{path}",)
    return (tcp, *local) if is_named and not broker.tls_cert else (*local, tcp)


def socket_path(settings: Settings) -> Path | None:
    """The unix socket of a broker with these settings, absolute: tq.sock in its data directory if nothing is said.

    None: it has none.
    """
    configured = settings.broker.socket
    if configured == NO_SOCKET:
        return None
    path = Path(configured) if configured else Path(settings.persistence.data_dir) / "tq.sock"
    return path.expanduser().absolute()
