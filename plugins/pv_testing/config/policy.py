"""The laboratory's own rules, such as prices and CAPA thresholds: one YAML file each, beside ``integrations.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PrivateAttr

from pv_testing.config.load import config_path, lab_zone
from pv_testing.core.model import Model
from pv_testing.core.validation import parse
from pv_testing.core.yaml_file import Document, read_yaml

if TYPE_CHECKING:
    from typing_extensions import Self


class Policy(Model):
    """The rules of one field: the model of a file, of which also its JSON Schema in ``include/schemas`` is made."""

    NAME: ClassVar[str]
    """The file's name without its ending."""

    @classmethod
    def read(cls, path: str | Path | None = None) -> Self:
        """Read the rules.

        Args:
            path: the file; the one of its name beside the configuration file by default.

        Raises:
            ConfigError: with file, line, key and remedy for each thing that is wrong.
        """
        return parse(cls, read_yaml(Path(path) if path else config_path().with_name(f"{cls.NAME}.yaml")))

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Self:
        """Return the rules that a mapping of the shape of the file describes.

        Raises:
            ConfigError: with the key of each thing that is wrong.
        """
        return parse(cls, Document(f"{cls.NAME}.yaml", written, {(): 0}, ""))


class ZonedPolicy(Policy):
    """Rules that count calendar days, in the laboratory's time zone that ``integrations.yaml`` says."""

    _zone: tzinfo = PrivateAttr(timezone.utc)

    @property
    def zone(self) -> tzinfo:
        """Where calendar dates are taken."""
        return self._zone

    @classmethod
    def read(cls, path: str | Path | None = None) -> Self:
        """Read the rules, and the time zone from the configuration; see :meth:`Policy.read`."""
        return super().read(path).within(lab_zone())

    @classmethod
    def of(cls, written: Mapping[str, Any], zone: tzinfo = timezone.utc) -> Self:
        """Return the rules that a mapping describes, with a time zone; see :meth:`Policy.of`."""
        return super().of(written).within(zone)

    def within(self, zone: tzinfo) -> Self:
        """Return the same rules in a time zone."""
        other = self.model_copy()
        other._zone = zone  # noqa: SLF001 - of the same class
        return other
