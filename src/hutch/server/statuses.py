"""Which HTTP status each error of hutch has, and how an error is told."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from hutch.errors import (
    AccessDeniedError,
    AmbiguousRunError,
    AttachmentTooLargeError,
    ConfigurationError,
    DocumentError,
    ExperimentLockedError,
    ExternalDataError,
    FeedPrunedError,
    ForbiddenFileError,
    HutchError,
    LookupFailedError,
    MissingExtraError,
    QueryError,
    ReadOnlyStoreError,
    RunClosedError,
    RunDeletedError,
    RunHeldError,
    RunOwnedError,
    StoreFullError,
    StoreMovedError,
    StoreUnavailableError,
    TooManyAttemptsError,
)

__all__ = ["STATUSES", "status_of", "tell"]

STATUSES: dict[type[HutchError], int] = {
    AccessDeniedError: 403,
    ExperimentLockedError: 423,
    ForbiddenFileError: 403,
    TooManyAttemptsError: 429,
    QueryError: 400,
    ConfigurationError: 400,
    AttachmentTooLargeError: 413,
    DocumentError: 422,
    RunDeletedError: 410,
    AmbiguousRunError: 409,
    LookupFailedError: 404,
    RunOwnedError: 409,
    RunClosedError: 409,
    RunHeldError: 409,
    ReadOnlyStoreError: 403,
    ExternalDataError: 424,  # not 5xx, after which Tiled's clients ask again and again
    FeedPrunedError: 410,
    StoreUnavailableError: 503,
    StoreMovedError: 503,
    StoreFullError: 507,
    MissingExtraError: 501,
    HutchError: 500,
}
"""By class of error; of an error that is none of these, the nearest class above it counts."""

_RETRY_AFTER_S = "5"


def status_of(error: HutchError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


async def tell(request: Request, error: Exception) -> JSONResponse:
    """Return what is answered to a request that an error of hutch has ended."""
    status = status_of(error) if isinstance(error, HutchError) else 500
    headers = {"Retry-After": _RETRY_AFTER_S} if status == 503 else None
    return JSONResponse({"error": str(error)}, status, headers)
