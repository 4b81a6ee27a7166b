"""Names the place of an error in the code of a provider, in one line."""

from __future__ import annotations

import traceback


def blamed(error: Exception, provider: type) -> str:
    """Return an error that a provider should not raise, with the last place in the provider's package.

    Args:
        error: that was raised.
        provider: the provider's class.
    """
    package = provider.__module__.partition(".")[0]
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [each for each in frames if str(each[0].f_globals.get("__name__")).partition(".")[0] == package]
    frame, line = (own or frames)[-1]
    place = f"{frame.f_code.co_filename}:{line}"
    return f"the provider {provider.__name__} ends in {type(error).__name__}: {error} ({place})"
