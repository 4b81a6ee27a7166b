"""Microsoft Project by MSPDI files: one plan in a shared folder, which the laboratory and its planner both write."""

from pv_testing.providers.microsoft_project.provider import MicrosoftProjectProvider

__all__ = ["MicrosoftProjectProvider"]
