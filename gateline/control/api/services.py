"""What the routes work with, and how they report a failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from gateline.control.changes import Changes
from gateline.control.configuration import Configuration
from gateline.control.keys import BadKey, Keys, UnknownKey
from gateline.control.ledger import Ledger
from gateline.control.roster import Roster
from gateline.store.datadir import DataDir
from gateline.store.sql.keys import NoSlotLeft
from gateline.store.sql.lookup import StoreAway


@dataclass(slots=True)
class Services:
    """`reload` takes a new configuration into force, workers and supervisor told. Raises as Configuration.reload."""

    data_dir: DataDir
    engine: Engine
    keys: Keys
    ledger: Ledger
    changes: Changes
    roster: Roster
    configuration: Configuration
    reload: Callable[[], Awaitable[None]]
    admin_address: str = ""


def refusal(status: int, message: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": {"message": message}, **more}, status)


def explain_failures(app: FastAPI) -> None:
    """Every failure that a command can meet becomes a status and one sentence."""

    @app.exception_handler(BadKey)
    @app.exception_handler(NoSlotLeft)
    def _bad(_request: Request, error: Exception) -> JSONResponse:
        return refusal(422, str(error))

    @app.exception_handler(RequestValidationError)
    def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return refusal(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")

    @app.exception_handler(UnknownKey)
    def _unknown(_request: Request, error: UnknownKey) -> JSONResponse:
        return refusal(404, str(error))

    @app.exception_handler(OperationalError)
    @app.exception_handler(StoreAway)
    def _away(_request: Request, _error: Exception) -> JSONResponse:
        return refusal(503, "the database cannot be reached now: try again")

    @app.exception_handler(Exception)
    def _broken(_request: Request, error: Exception) -> JSONResponse:
        return refusal(500, f"the control process failed at this ({type(error).__name__}): see the server's log")
