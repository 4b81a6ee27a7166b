"""Whether a system knows the caller, asked of a product that can't say as whom: by a read that it refuses to strangers.

A product may answer strangers with an empty success, so that a read which works proves nothing by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.core.errors import AuthenticationError, ConfigError, Rejected, ResponseError, SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.transports import pagination
from pv_testing.transports.auth import Auth
from pv_testing.transports.rest import RestSession

MOST = 3
"""The most reads that are tried."""


async def known_by_a_read(contract: Contract, session: RestSession) -> str:
    """Return in words that the system knows the caller.

    Each read is sent without credentials first. What refuses that is sent with them; it must succeed.

    Args:
        contract: has the reads.
        session: with the system.

    Raises:
        AuthenticationError: the system doesn't know the caller.
        ConfigError: no read of the contract tells the caller from a stranger.
    """
    tried = []
    for spec in _reads(contract):
        tried.append(spec.name)
        if await _turns_strangers_away(contract, spec, session) and await _serves(contract, spec, session):
            return f"a caller who may {spec.name}; {contract.provider} doesn't say as whom"
    problem = (
        f"none of its reads ({', '.join(tried)}) tells us from a stranger" if tried else "no read without arguments"
    )
    message = f"{contract.file} has no identity, and {problem}; add the request that says who is asking"
    raise ConfigError(message, system=contract.system, provider=contract.provider, code=Reason.NO_IDENTITY)


def _reads(contract: Contract) -> Iterator[OperationSpec]:
    """Give the first reads that need no arguments, listings before others."""
    plain = filter(_is_plain_read, contract.operations.values())
    yield from sorted(plain, key=lambda spec: spec.pagination is None)[:MOST]


def _is_plain_read(spec: OperationSpec) -> bool:
    is_request = not spec.kind and spec.list_file is None
    return is_request and spec.call.method == "GET" and not spec.call.path.names and spec.answer == "json"


async def _turns_strangers_away(contract: Contract, spec: OperationSpec, session: RestSession) -> bool:
    """Say whether a read needs credentials; where we have none besides a certificate, a stranger can't even connect."""
    if type(session.auth) is Auth:
        return True
    stranger = copy.copy(session)  # over the same connections and limits; it isn't to be closed
    stranger.auth = Auth()
    try:
        await _read(contract, spec, stranger)
    except (AuthenticationError, Rejected, ResponseError, SecurityError):
        return True
    return False


async def _serves(contract: Contract, spec: OperationSpec, session: RestSession) -> bool:
    """Say whether a read succeeds; one that wants more than it was given proves nothing."""
    try:
        await _read(contract, spec, session)
    except Rejected:
        return False
    return True


async def _read(contract: Contract, spec: OperationSpec, session: RestSession) -> None:
    """Read the first item of a listing, or the answer of another read."""
    request, classify = spec.call.request(), contract.classify(spec)
    if spec.pagination is None:
        await session.request(
            request.method, request.path, params=request.params, operation=spec.name, classify=classify
        )
        return
    async for _ in pagination.items(
        session, request.path, spec.pagination, request.params, operation=spec.name, classify=classify
    ):
        return
