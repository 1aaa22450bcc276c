"""What goes wrong with remote storage: whether it may pass by itself, and what it is to say to the user."""

from __future__ import annotations

from poptune.errors import StorageError

_NO_CREDENTIALS = {
    "CredentialRetrievalError",
    "DefaultCredentialsError",
    "NoAuthTokenError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "TokenRetrievalError",
}
"""Names of the classes of drivers' errors, which cannot be imported where the driver is not used."""
_LONGEST = 300


class RemoteError(StorageError):
    """An operation on a remote storage has failed.

    Args:
        message: What is told to the user.
        lasts: Whether trying again is of no use until somebody has changed something.
    """

    def __init__(self, message: str, *, lasts: bool = False) -> None:
        super().__init__(message)
        self.lasts = lasts


class MissingObjectError(RemoteError):
    """What was to be read is not there."""


class LostLockError(StorageError):
    """Another controller has taken the remote experiment over."""


def explained(error: BaseException, *, url: str, doing: str) -> RemoteError:
    """Return the error of ours for one of fsspec or of a driver of it.

    Args:
        error: What was raised.
        url: Where.
        doing: What was being done, such as ``"written"``.
    """
    says = f"{type(error).__name__}: {error}"[:_LONGEST]
    place = f"{url} must be {doing}, but"
    if type(error).__name__ in _NO_CREDENTIALS:
        return RemoteError(
            f"{place} no credentials for it were found ({says}): set those of the storage's own driver, for "
            "S3 the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile, or configure fsspec",
            lasts=True,
        )
    if isinstance(error, PermissionError):
        return RemoteError(
            f"{place} the storage refuses it ({says}): check the credentials, and that they may read, write, "
            "list and delete there",
            lasts=True,
        )
    if isinstance(error, FileNotFoundError):
        return MissingObjectError(
            f"{place} it is not there ({says}): check the name, and create the bucket if there is none",
            lasts=True,
        )
    if isinstance(error, NotImplementedError | TypeError | ValueError):
        return RemoteError(f"{place} the storage's driver cannot do that ({says})", lasts=True)
    slow = isinstance(error, TimeoutError)
    return RemoteError(
        f"{place} the storage {'does not answer' if slow else 'fails'} ({says}): check the network, and the "
        "endpoint, which for S3 is set by FSSPEC_S3_ENDPOINT_URL"
    )
