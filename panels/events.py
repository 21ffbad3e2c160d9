"""How handlers are called: directly, each by a request of its own whose answer brings the outcome.

Gradio's queue answers on an event stream that closes when nothing is left and opens with the next event. An event that comes while
the stream closes is carried out, but its outcome stays on the server until some later event opens the stream again: on a slow machine
a click then shows nothing. Only the loading of the page goes through the queue, because a warning can be shown from there alone.
"""

from __future__ import annotations

from typing import Any, Final

from workbench.core.events import EventKind

QUIET: Final[dict[str, Any]] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For what is done at once."""
SHOWN: Final[dict[str, Any]] = {"queue": False, "show_progress": "full", "api_visibility": "private"}
"""For what takes seconds: the page shows that something goes on."""
QUEUE_PERIOD_S: Final = 0.02
"""How often Gradio's queue looks for work: its own millisecond costs a tenth of a core, and each look takes the interpreter."""
MODE_EVENTS: Final = frozenset(
    {EventKind.PAUSE, EventKind.RESUME, EventKind.TAKEOVER, EventKind.HANDBACK, EventKind.HALT, EventKind.POLICY, EventKind.SUCCESS}
)
"""Events after which panels that depend on who is in control look again."""
