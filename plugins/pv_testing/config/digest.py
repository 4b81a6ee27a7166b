"""One word for all the rules that the laboratory has written down."""

from __future__ import annotations

import hashlib

from pv_testing.config.load import config_path
from pv_testing.core.places import MAPPINGS, project_root


def rules_digest() -> str:
    """Return a digest of the configuration's files and of the contracts, so that it is noticed when they change."""
    folders = (config_path().parent, project_root() / MAPPINGS)
    files = sorted(path for folder in folders for path in folder.glob("*") if path.suffix in {".yaml", ".yml", ".wsdl"})
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
