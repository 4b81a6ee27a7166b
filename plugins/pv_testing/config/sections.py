"""The keys of ``config/integrations.yaml``, of which its JSON Schema and the connections' forms are made, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from pv_testing.core.model import Model, Text
from pv_testing.core.places import project_root

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from typing_extensions import Self

AuthType = Literal[
    "none",
    "api_key",
    "basic",
    "bearer",
    "jwt",
    "login",
    "oauth2",
    "oauth2_jwt",
    "mtls",
    "wsse",
    "wsse_digest",
    "soap_arguments",
    "starlims",
]
AUTH_TYPES: tuple[AuthType, ...] = get_args(AuthType)
NEEDED: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "api_key": ("api_key",),
    "basic": ("username", "password"),
    "bearer": ("token",),
    "jwt": ("username", "password"),
    "login": ("username", "password"),
    "oauth2": ("client_id", "client_secret"),
    "oauth2_jwt": ("client_id", "signing_key", "signing_key_id"),
    "mtls": ("client_cert", "client_key"),
    "wsse": ("username", "password"),
    "wsse_digest": ("username", "password"),
    "soap_arguments": ("username", "password"),
    "starlims": ("client_id", "client_secret"),
}
LOGIN: Mapping[str, str] = {
    "basic": "username",
    "jwt": "username",
    "login": "username",
    "oauth2": "client_id",
    "oauth2_jwt": "client_id",
    "mtls": "client_id",
    "wsse": "username",
    "wsse_digest": "username",
    "soap_arguments": "username",
    "starlims": "client_id",
}
PASSWORD: Mapping[str, str] = {
    "api_key": "api_key",
    "basic": "password",
    "bearer": "token",
    "jwt": "password",
    "login": "password",
    "oauth2": "client_secret",
    "mtls": "client_secret",
    "wsse": "password",
    "wsse_digest": "password",
    "soap_arguments": "password",
    "starlims": "client_secret",
}
"""Which key a connection's login and password give, by the way of authenticating."""
ALIASES: Mapping[str, str] = {"api_token": "token"}
"""What the integration guide calls otherwise than the keys here."""


class Secret(str):
    """Text that is not shown when what holds it is printed; ``str`` methods and requests see it as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _whole_path(path: str) -> str:
    return str(project_root() / path) if path else path


def _split(scopes: Any) -> Any:
    return scopes.split() if isinstance(scopes, str) else scopes


Address = Annotated[
    str,
    Field(
        pattern=r"^(https?://[^\s?#@/]+(/[^\s?#]*)?|.*\$\{.*)$",
        description="an address such as https://lims.company.com/api/v2, without user, query and fragment",
    ),
]
BaseAddress = Annotated[
    str,
    Field(
        pattern=(
            r"^(https?://[^\s?#@/]+(/[^\s?#]*)?"
            r"|(postgresql|mariadb|mysql|mssql|oracle)://[^\s#@/]+(/[^\s#]*)?|sqlite:///[^\s?#]+|.*\$\{.*)$"
        ),
        description=(
            "an address such as https://lims.company.com/api/v2, without user, query and fragment; of a database one "
            "such as postgresql://db.company.com:5432/lims"
        ),
    ),
]
SecretText = Annotated[str, AfterValidator(Secret)]
PathText = Annotated[str, BeforeValidator(_as_text)]
Certificate = Annotated[PathText, AfterValidator(_whole_path)]
Scopes = Annotated[
    tuple[str, ...],
    BeforeValidator(_split),
    Field(strict=False),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Option = Annotated[str | int | float | bool, WithJsonSchema({"type": ["string", "number", "boolean"]})]


class SharedLimitSection(Model):
    """What a system takes from all tasks and hosts together."""

    requests: int = Field(0, ge=1, description="How many requests it takes in `per` seconds; they are spread evenly.")
    per: float = Field(1.0, gt=0, le=3600, description="In how many seconds; 1 without it.")
    hourly: int = Field(0, ge=1, description="How many requests it takes in any hour.")
    daily: int = Field(0, ge=1, description="How many requests it takes in any day.")
    reserve: float = Field(
        0.1, ge=0, lt=1, description="The share of `hourly` and `daily` that a backfill leaves to the others."
    )
    redis_url: SecretText = Field(
        Secret(),
        description="A Redis that keeps who may send when, such as rediss://redis.company.com:6380/0; else the ledger.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.requests or self.hourly or self.daily):
            raise ValueError("says no limit: set requests, hourly or daily")
        return self


class SystemSection(Model):
    """One system, as its section of the file says it."""

    # A field with a title is also one of the form of the system's Airflow connection, with that label.

    enabled: bool = Field(default=True, description="Whether it takes part; true without it.")
    provider: str = Field(
        "",
        title="Provider",
        description=(
            "The product, with or without its version: SENAITE, SOAP, Redmine, Tryton, Custom, or another that a "
            "contract is there for, such as StarLIMS or LabVantage. It chooses the contract where none is named; "
            "LabWare is the one for its import folder, and `contract` names its others."
        ),
    )
    contract: PathText = Field(
        "",
        title="Contract",
        description="A contract in include/mappings without its ending, or a path; the provider's own without it.",
    )
    provider_class: str = Field(
        "",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description=(
            "the Python class that speaks for the product, as package.module:Class, where an operation takes several "
            "steps"
        ),
    )
    connection: str = Field("", min_length=1, description="The Airflow connection that gives address and secrets.")
    base_url: BaseAddress = ""
    auth_type: AuthType = Field(
        cast("AuthType", ""),
        title="Authentication",
        description="How it knows us; a client certificate may come with any of them.",
    )
    api_key: SecretText = Field(Secret(), title="API key", description="For api_key.")
    api_key_header: str = Field(
        "",
        title="API key header",
        pattern="^[A-Za-z0-9-]+$",
        description="the header that carries the key, of letters, digits and hyphens; X-API-Key without it",
    )
    username: str = Field("", description="For basic, jwt, login, wsse, wsse_digest and soap_arguments.")
    password: SecretText = Field(Secret(), description="For basic, jwt, login, wsse, wsse_digest and soap_arguments.")
    token: SecretText = Field(
        Secret(), description="For bearer; for starlims, the session id, where the scripts want one."
    )
    api_token: SecretText = Field(Secret(), repr=False, description="The integration guide's name for token.")
    client_id: str = Field(
        "",
        title="Client id",
        description="For oauth2, also together with mtls, and for oauth2_jwt; for starlims, the access key.",
    )
    client_secret: SecretText = Field(Secret(), title="Client secret", description="For oauth2 and starlims.")
    signing_key: Certificate = Field(
        "",
        title="Signing key",
        description="For oauth2_jwt: file of the private key; a relative path counts from the project.",
    )
    signing_key_id: str = Field(
        "",
        title="Signing key id",
        description="For oauth2_jwt: the id under which the system knows the certificate of that key.",
    )
    token_url: Address = Field(
        "",
        title="Token URL",
        description="the address where tokens are fetched for oauth2 and oauth2_jwt, without user, query and fragment",
    )
    scopes: Scopes = Field(
        (),
        title="Scopes",
        description="For oauth2 and oauth2_jwt: what the token is to allow; a list, or one text with spaces.",
    )
    client_cert: Certificate = Field(
        "",
        title="Client certificate",
        description="For mutual TLS: file of our certificate; a relative path counts from the project.",
    )
    client_key: Certificate = Field("", title="Client key", description="For mutual TLS: file of its key.")
    ca_cert: Certificate = Field(
        "", title="CA certificate", description="File of the authority that vouches for the system."
    )
    sync_interval: float = Field(300.0, ge=0, description="Seconds between two synchronisations; 0 for only on demand.")
    bidirectional: bool = Field(
        default=True, description="In the section lims: whether statuses also come back from it."
    )
    mappings: Mapping[str, Text] = Field({}, description="What it calls otherwise than its contract does.")
    options: Mapping[str, Option] = Field({}, description="What its provider wants to know besides.")
    shared_limit: SharedLimitSection | None = Field(
        None, description="What it takes from all tasks and hosts together; without it, each task keeps the contract's."
    )
    allow_http: bool = Field(
        default=False, description="Whether an address without TLS is accepted that is not on this machine."
    )

    def given(self) -> dict[str, Any]:
        """Return the values of the keys that are written, by our own names."""
        return {ALIASES.get(name, name): value for name, value in super().given().items()}


class LabConfig(Model):
    """The laboratory."""

    time_zone: str = Field(
        "UTC",
        description="Where calendar dates such as an invoice's are taken; an IANA name such as Europe/Berlin.",
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.time_zone)


class LedgerSection(Model):
    """The ledger, where no Airflow connection pv_ledger says it."""

    url: SecretText = Field(Secret(), description="SQLAlchemy's form; a SQLite file in the Airflow home without it.")


class SystemSections(Model):
    """The systems; they may stand at the top level as well."""

    framework: SystemSection | None = None
    lims: SystemSection | None = None
    qms: SystemSection | None = None
    pm: SystemSection | None = None
    erp: SystemSection | None = None


class IntegrationsFile(SystemSections):
    """The whole file; one that is empty configures nothing."""

    model_config = ConfigDict(
        title="Which systems the laboratory has, where they are and who asks",
        json_schema_extra={"type": ["object", "null"]},
    )

    integrations: SystemSections | None = None
    lab: LabConfig = LabConfig()
    ledger: LedgerSection = LedgerSection()


SYSTEMS = tuple(SystemSections.model_fields)
SECRETS = frozenset(
    name
    for model in (SystemSection, SharedLimitSection, LedgerSection)
    for name, field in model.model_fields.items()
    if isinstance(field.default, Secret)
)
"""The keys whose values are never shown."""
KEYS = tuple(name for name in SystemSection.model_fields if name not in ALIASES)
"""The keys of a system's section, by our own names."""


def default_auth_type(system: str, known: Mapping[str, Any]) -> str:
    """Return the way of authenticating that the given credentials are for."""
    if known.get("api_key"):
        return "api_key"
    if known.get("client_id"):
        return "oauth2"
    if known.get("token"):
        return "bearer"
    if known.get("client_cert"):
        return "mtls"
    if known.get("username") and system != "framework":
        return "basic"
    return "jwt" if system == "framework" else "api_key"
