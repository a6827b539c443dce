"""The worker process: what `tenantry worker` runs, and `bin/dev` beside its API."""

from __future__ import annotations

from tenantry.entrypoints.worker.serving import serve, serve_until_told, stop_at_signals

__all__ = ["serve", "serve_until_told", "stop_at_signals"]
