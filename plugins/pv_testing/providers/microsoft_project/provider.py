"""Microsoft Project by a plan's file: the contract's requests are answered from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.contracts.model import Contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.providers.microsoft_project.plan_file import PlanFile
from pv_testing.providers.microsoft_project.wire import PlanSession
from pv_testing.providers.rest import RestProvider
from pv_testing.transports.files.store import LocalStore, open_store
from pv_testing.transports.rest import RestSession
from pv_testing.transports.settings import RestSettings

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig


class MicrosoftProjectProvider(RestProvider):
    """Speaks to a plan in a folder of this machine, ``options.file_store``, in the file ``options.plan``."""

    known_options: ClassVar[Mapping[str, Any]] = {"plan": "pv-testing.xml"}

    @classmethod
    def own_session(cls, config: SystemConfig, contract: Contract) -> RestSession | None:
        """Return a session with the plan's file.

        Raises:
            ConfigError: no folder is configured, or one that has no locks.
        """
        store = open_store(str(config.options.get("file_store") or "."))
        if not config.options.get("file_store") or not isinstance(store, LocalStore):
            message = "Microsoft Project needs options: {file_store: FOLDER}, a folder of this machine or a mounted one"
            raise ConfigError(message, system=config.system, code=Reason.STORE_UNUSABLE)
        limits = contract.limits
        settings = RestSettings(
            base_url="",
            system=config.system,
            provider=contract.provider,
            attempt_timeout=limits.attempt_timeout,
            total_timeout=limits.total_timeout,
            concurrency=limits.concurrency,
        )
        name = str(config.options.get("plan") or cls.known_options["plan"])
        return PlanSession(PlanFile(store, name), settings)
