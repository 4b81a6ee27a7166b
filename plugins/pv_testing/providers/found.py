"""Provider classes of others: found by entry point or by their dotted path, and refused with what to do about it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, metadata
from typing import Any

from pv_testing.core.errors import ConfigError, redact
from pv_testing.core.places import word_of
from pv_testing.core.problems import allowed
from pv_testing.providers.rest import RestProvider

ENTRY_POINTS = "pv_testing.providers"
CODE = "PROVIDER_UNUSABLE"
PAGE = "docs/how-to/providers.md shows one"
_CALLED: Mapping[str, tuple[Sequence[str], Callable[[Any], bool]]] = {
    "__init__": (("self", "config", "contract", "session"), inspect.isfunction),
    "own_auth": (("config", "on_token"), lambda each: not inspect.iscoroutinefunction(each)),
    "operation": (("self", "name"), lambda each: not inspect.iscoroutinefunction(each)),
    "call": (("self", "name"), inspect.iscoroutinefunction),
    "body": (("self", "name"), inspect.iscoroutinefunction),
    "listing": (("self", "name"), lambda each: not inspect.iscoroutinefunction(each)),
    "identity": (("self",), inspect.iscoroutinefunction),
    "aclose": (("self",), inspect.iscoroutinefunction),
}
"""How the methods of a provider are called, and which kind of function each must be."""


def entry_point_of(words: Sequence[str], ours: str) -> str:
    """Return the class that an installed package names for a product, as ``package.module:Class``; empty for none.

    Args:
        words: by which the product is known, each as :func:`~pv_testing.core.places.word_of` gives it.
        ours: the project's own class for it; empty for none.

    Raises:
        ConfigError: several classes claim the product.
    """
    claims = sorted({value for name, value in _entry_points() if word_of(name) in words})
    if len(claims) > 1 or (claims and ours):
        several = ", ".join([*claims, *([ours] if ours else [])])
        message = f"several classes claim the provider {words[-1]!r}: {several}; choose one by provider_class"
        raise ConfigError(message, code=CODE)
    return claims[0] if claims else ""


@functools.cache
def _entry_points() -> tuple[tuple[str, str], ...]:
    """Return name and class of each entry point; packages that are installed later are seen by the next process.

    Only files that name the group are parsed, as each task is a process of its own and most packages have none.
    """
    classes: list[tuple[str, str]] = []
    for package in metadata.distributions():
        if ENTRY_POINTS in (package.read_text("entry_points.txt") or ""):
            ours = package.entry_points.select(group=ENTRY_POINTS)
            classes += [(each.name, each.value) for each in ours]
    return tuple(classes)


def usable(path: str, named_by: str) -> type[RestProvider]:
    """Return a provider class, once it is known that it can be used as one.

    Args:
        path: such as ``site_lab.sunlab:SunLabProvider``.
        named_by: who names it, for messages.

    Raises:
        ConfigError: it can't be imported, or it isn't made like a provider.
    """
    kind = _imported(path, named_by)
    if not (inspect.isclass(kind) and issubclass(kind, RestProvider)):
        raise _refused(named_by, f"is no class derived from pv_testing.providers.rest.RestProvider; {PAGE}")
    for name, (arguments, is_kind) in _CALLED.items():
        method = getattr(kind, name)
        try:
            inspect.signature(method).bind(*arguments)
        except TypeError as error:
            raise _refused(named_by, f"has {name}, which must take ({', '.join(arguments)}): {error}; {PAGE}") from None
        if not is_kind(method):
            raise _refused(
                named_by, f"has {name} of another kind than RestProvider.{name}, as to async and yield; {PAGE}"
            )
    _refuse_unusable_options(kind.known_options, named_by)
    return kind


def _imported(path: str, named_by: str) -> Any:
    module_name, _, name = path.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            remedy = "install its package, put its folder on PYTHONPATH of every component, or correct the path"
            raise _refused(named_by, f"there is no module {error.name!r}; {remedy}") from None
        raise _refused(named_by, f"its module needs {error.name!r}, which isn't there; install it") from None
    except (Exception, SystemExit) as error:  # whatever another's module does is said where it was named
        problem = f"its module raises {type(error).__name__} when it is imported: {redact(str(error))}; correct it"
        raise _refused(named_by, problem) from error
    if not hasattr(module, name):
        classes = [each for each, value in vars(module).items() if inspect.isclass(value)]
        raise _refused(named_by, f"its module has no {name!r}; {allowed(name, classes)}")
    return getattr(module, name)


def _refuse_unusable_options(options: Any, named_by: str) -> None:
    if not isinstance(options, Mapping) or any(type(default) not in {bool, int, str} for default in options.values()):
        problem = "known_options must map names to defaults that are text, whole numbers or truth values"
        raise _refused(named_by, f"{problem}; {PAGE}")


def _refused(named_by: str, problem: str) -> ConfigError:
    return ConfigError(f"{named_by}: {problem}", code=CODE)
