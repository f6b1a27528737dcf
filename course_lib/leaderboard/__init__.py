"""Every method under the same budget, masks, data and metric code; and how fresh each row of the table is."""

from .board import fill, read
from .entry import Entry, entries
from .report import Line, kendall, markdown, stale, tasks
from .settings import settings

__all__ = ["Entry", "Line", "entries", "fill", "kendall", "markdown", "read", "settings", "stale", "tasks"]
