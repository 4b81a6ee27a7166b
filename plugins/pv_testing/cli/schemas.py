"""Writes the JSON Schemas of the configuration, of the models that read it: ``python -m pv_testing.cli.schemas``."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pv_testing.billing.policy import BillingRules
from pv_testing.billing.prices import PriceList
from pv_testing.config.policy import Policy
from pv_testing.config.sections import IntegrationsFile
from pv_testing.core.model import json_schema
from pv_testing.core.places import SCHEMAS, project_root
from pv_testing.inventory.policy import InventoryPolicy
from pv_testing.projects.policy import ProjectRules
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.policy import QualityPolicy
from pv_testing.webhooks.file import WebhooksFile

POLICIES: tuple[type[Policy], ...] = (
    QualityPolicy,
    CapaPolicy,
    ProjectRules,
    BillingRules,
    PriceList,
    InventoryPolicy,
    WebhooksFile,
)


def schemas() -> Iterator[tuple[str, str]]:
    """Give the name and the text of each schema that is made of a model."""
    for name, model in (("integrations", IntegrationsFile), *((policy.NAME, policy) for policy in POLICIES)):
        yield name, json.dumps(json_schema(model), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the schemas into ``include/schemas``."""
    for name, text in schemas():
        (project_root() / SCHEMAS / f"{name}.schema.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
