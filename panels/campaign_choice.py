"""Which stored campaign is looked at."""

from __future__ import annotations

import time

from panels.state import AppState
from sessions.campaigns import list_campaigns
from workbench.core.errors import InvalidInput


def campaign_choices(app: AppState) -> list[tuple[str, str]]:
    """Return the stored campaigns, newest first, as titles and ids."""
    return [
        (
            f"{c.name}, {time.strftime('%d %b %H:%M', time.localtime(c.started))}, {c.num_trials} trials{'' if c.status == 'done' else f', {c.status}'}",
            c.id,
        )
        for c in list_campaigns(app.store)
    ]


def chosen_campaign(campaign_id: str | None) -> str:
    """Return the chosen campaign.

    Raises:
        InvalidInput: none is chosen.
    """
    if not campaign_id:
        raise InvalidInput("campaign", expected="one that is chosen in the list", found="none", fix="Run one, or choose an earlier one.")
    return campaign_id
