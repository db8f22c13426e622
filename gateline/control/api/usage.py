"""The route for totals of the ledger, everything imported first that the workers have written."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from gateline.control.api.services import Services, refusal
from gateline.control.usage import By, since_of, totals


def usage_router(services: Services) -> APIRouter:
    router = APIRouter()

    def imported_totals(since: int | None, by: By) -> Any:
        services.ledger.run_once()
        return msgspec.to_builtins(totals(services.engine, since, by))

    @router.get("/usage")
    async def usage(since: str | None = None, by: By = "model") -> JSONResponse:
        try:
            moment = since_of(since)
        except ValueError as error:
            return refusal(422, f"since: {error}")
        return JSONResponse(await asyncio.to_thread(imported_totals, moment, by))

    return router
