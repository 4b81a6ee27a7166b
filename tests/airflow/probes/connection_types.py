"""Prints what the form of each of our connection types is made of, as the UI gets it."""

from __future__ import annotations

import json

from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.providers_manager import ProvidersManager

manager = ProvidersManager()
types = {meta.connection_type: meta.model_dump(mode="json") for meta in HookMetaService.hook_meta_data()}
print(
    json.dumps(
        {
            "types": {name: meta for name, meta in types.items() if name.startswith("pv_")},
            "hooks": {name: hook and hook.hook_name for name, hook in manager.hooks.items() if name.startswith("pv_")},
            "links": manager.extra_links_class_names,
            "converters": sorted(manager.asset_to_openlineage_converters),
        }
    )
)
