"""Routes for keys."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from gateline.control.api.services import Services, refusal
from gateline.control.keys import PAGE, KeyWish, described, listed
from gateline.model.snapshot import DEFAULT_TENANT

SETTLE_SECONDS = 2.0


class WishBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    tenant: str = DEFAULT_TENANT
    requests_per_minute: int | None = None
    concurrency: int | None = None
    models: tuple[str, ...] | None = None
    admin: bool = False


def keys_router(services: Services) -> APIRouter:
    router = APIRouter()

    @router.post("/keys", status_code=201)
    async def create(body: WishBody) -> dict[str, Any]:
        token, key = await asyncio.to_thread(services.keys.create, KeyWish(**body.model_dump()))
        await services.changes.push()
        return {"token": token, "key": described(key)}

    @router.get("/keys")
    def page(after: int = -1, limit: int = PAGE) -> dict[str, Any]:
        return {"keys": [listed(stored) for stored in services.keys.list_keys(after, max(1, min(limit, PAGE)))]}

    @router.delete("/keys/{key_id}")
    async def revoke(key_id: str, running: Literal["finish", "cut"] = "finish") -> JSONResponse:
        key = await asyncio.to_thread(services.keys.revoke, key_id)
        revoked = time.monotonic()
        await services.changes.push()
        if running == "cut":
            services.changes.feed.cut(key.id)
        settled = await services.changes.feed.settled(key.changed, services.roster.alive, SETTLE_SECONDS)
        outcome = {
            "id": key.id,
            "acknowledged": settled.acknowledged,
            "missing": settled.missing,
            "milliseconds": round((time.monotonic() - revoked) * 1000, 1),
        }
        if settled.missing:
            return refusal(504, "revoked, but not every worker has acknowledged it yet: try again", **outcome)
        return JSONResponse(outcome)

    return router
