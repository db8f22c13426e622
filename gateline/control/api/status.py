"""Routes that tell how things stand, and reload."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from gateline import __version__
from gateline.control.api.services import Services, refusal
from gateline.control.compile import TooManyRows
from gateline.control.enginestate import engine_state
from gateline.control.mistakes import ConfigMistakes

RUNNING_SECONDS = 2.0


def status_router(services: Services) -> APIRouter:
    router = APIRouter()

    @router.get("/status")
    async def status() -> dict[str, Any]:
        feed = services.changes.feed
        connected = feed.workers()
        return {
            "program": __version__,
            "snapshot": services.configuration.version,
            "changed": feed.changed,
            "admin": services.admin_address,
            "engines": await _engines(services),
            "workers": [
                {
                    "worker": worker,
                    "alive": worker in services.roster.alive,
                    "restarts": restarts,
                    "pid": connected[worker].pid if worker in connected else None,
                    "snapshot": connected[worker].snapshot if worker in connected else None,
                    "changed": connected[worker].changed if worker in connected else None,
                }
                for worker, restarts in sorted(services.roster.restarts.items())
            ],
        }

    @router.post("/reload")
    async def reload() -> JSONResponse:
        try:
            await services.reload()
        except ConfigMistakes as error:
            mistakes = [str(mistake) for mistake in error.mistakes]
            return refusal(422, "the configuration has mistakes: the last good one stays in force", mistakes=mistakes)
        except (TooManyRows, OSError) as error:
            return refusal(422, f"{error}: the last good configuration stays in force", mistakes=[])
        version = services.configuration.version
        settled = await services.changes.feed.running(version, services.roster.alive, RUNNING_SECONDS)
        return JSONResponse(
            {
                "snapshot": version,
                "engines": services.configuration.engines,
                "running": settled.acknowledged,
                "missing": settled.missing,
            }
        )

    return router


async def _engines(services: Services) -> dict[str, dict[str, Any]]:
    """Each engine that is configured: its process, as the supervisor tells it, and its state, as it says itself."""
    names = services.configuration.engines
    states = await asyncio.gather(*(engine_state(services.data_dir.engine_socket(name)) for name in names))
    unknown = {"pid": 0, "restarts": 0}
    return {
        name: {**services.roster.engines.get(name, unknown), **state} for name, state in zip(names, states, strict=True)
    }
