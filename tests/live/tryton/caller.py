"""A person at Tryton's own JSON-RPC, apart from the provider: sees what is there and does what people do."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import requests
from typing_extensions import Self

WITHIN = 60.0


class Refused(Exception):
    """Tryton refused a call; the arguments are its answer."""


class Caller:
    """One user of Tryton.

    Args:
        url: the address of the database.
        login: the user.
        password: the user's.
    """

    def __init__(self, url: str, login: str, password: str) -> None:
        self._url = f"{url}/rpc/"
        self._session = requests.Session()
        user, token, *_ = self.rpc("common.db.login", login, {"password": password})
        session = base64.b64encode(f"{login}:{user}:{token}".encode()).decode()
        self._session.headers["Authorization"] = f"Session {session}"
        self.context = self.rpc("model.res.user.get_preferences", True, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def post(self, method: str, *params: Any) -> requests.Response:
        """Return the answer to a call as it came."""
        call = {"id": 1, "method": method, "params": list(params)}
        return self._session.post(self._url, json=call, timeout=WITHIN)

    def rpc(self, method: str, *params: Any) -> Any:
        """Make a call.

        Raises:
            Refused: Tryton answers with an error.
        """
        response = self.post(method, *params)
        response.raise_for_status()
        answer = response.json()
        if "error" in answer:
            raise Refused(*answer["error"])
        return plain(answer["result"])

    def call(self, model: str, method: str, *params: Any) -> Any:
        """Call a method of a model in the user's own context."""
        return self.rpc(f"model.{model}.{method}", *params, self.context)

    def search(self, model: str, domain: Sequence[Any], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Return what a search finds, oldest first."""
        rows = self.call(model, "search_read", list(domain), 0, None, [["id", "ASC"]], list(fields))
        return list(rows)

    def one(self, model: str, domain: Sequence[Any]) -> int:
        """Return the id of the only record that a search finds."""
        (record,) = self.search(model, domain, ["id"])
        return int(record["id"])


def plain(value: Any) -> Any:
    """Return an answer with decimals and dates as Python has them."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if kind == "Decimal":
        return Decimal(value["decimal"])
    if kind == "date":
        return date(value["year"], value["month"], value["day"])
    return {name: plain(each) for name, each in value.items()}


def decimal(value: str) -> dict[str, str]:
    """Return a decimal number as Tryton's JSON has it."""
    return {"__class__": "Decimal", "decimal": value}


def day(value: date) -> dict[str, Any]:
    """Return a date as Tryton's JSON has it."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
