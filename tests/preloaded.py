"""What the fork server keeps ready beside modules: a contract, validators, and objects that no collection visits."""

from __future__ import annotations

import gc

from pv_testing.contracts import load_contract
from pv_testing.core.model import Model


def build(model: type[Model]) -> None:
    """Build the validators of all models below this one, which would else be built where they are first used."""
    for each in model.__subclasses__():
        each.model_rebuild()
        build(each)


load_contract("framework")
build(Model)
gc.freeze()
