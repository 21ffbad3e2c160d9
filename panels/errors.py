"""Turns what goes wrong in a handler into something a person can read."""

from __future__ import annotations

import functools
import inspect
import logging
import secrets
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import gradio as gr

from workbench.core.errors import UnknownName, WorkbenchError

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def bug_message(error: BaseException) -> str:
    """Log an unexpected error with its traceback, and return what the person is told: calm, with an id to quote."""
    bug_id = secrets.token_hex(4)
    log.error("bug %s", bug_id, exc_info=error)
    return f"Something went wrong here that is not your doing. Nothing stored is lost. Report id {bug_id} finds it in the server's log."


def shown_errors(handler: Callable[P, R]) -> Callable[P, R]:
    """Decorate a Gradio handler: a :class:`WorkbenchError` becomes a toast with its message; anything else is logged as a bug."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except gr.Error:
            raise
        except WorkbenchError as error:
            if isinstance(error, UnknownName) and error.kind == "tab":  # the stage of a closed tab says so, and offers a new one
                return cast(R, gr.skip())
            raise gr.Error(plain(str(error)), title="Not possible", print_exception=False) from error
        except Exception as error:
            raise gr.Error(bug_message(error), title="A bug", print_exception=False) from error

    return wrapped


def bind(handler: Callable[..., R], first: Any) -> Callable[..., R]:
    """Return a handler for Gradio with its first argument (the :class:`AppState`) filled in, and its errors shown.

    Gradio reads signatures and annotations to inject ``gr.EventData`` and ``gr.Request``, which :func:`functools.partial` hides.
    """
    safe = shown_errors(handler)

    @functools.wraps(handler)
    def bound(*args: Any) -> R:
        return safe(first, *args)

    signature = inspect.signature(handler)
    names = list(signature.parameters)
    bound.__signature__ = signature.replace(parameters=[signature.parameters[n] for n in names[1:]])  # type: ignore[attr-defined]
    bound.__annotations__ = {n: t for n, t in handler.__annotations__.items() if n != names[0]}
    return bound


def plain(text: str) -> str:
    """Escape what a toast would read as markup: Gradio renders the text of an error as HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("${", "$\u200b{")
