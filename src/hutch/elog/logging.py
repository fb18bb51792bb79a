"""Where it is said what went wrong in functions that can't say it themselves."""

from __future__ import annotations

import logging

__all__ = ["logger"]

logger = logging.getLogger("hutch.elog")
