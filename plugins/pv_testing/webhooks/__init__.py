"""Events out and in: others are told of what has happened here, and tell us of what has happened there."""

from __future__ import annotations

from pv_testing.webhooks.manager import WebhookManager

__all__ = ["WebhookManager"]
