"""The errors of the upload room, named by what comes next.

::

    UploadError
    +-- SetupError             a person must change the configuration or the key file; the daemon does not start
    |   +-- ApiKeyError        the key file
    |   |   +-- ApiKeyMissing  there is none yet: the daemon measures, its queue waits
    |   +-- EndpointError      the endpoint's address
    +-- Unreachable            nothing was sent: the network, TLS or the proxy stands in the way; try again later
    +-- Uncertain              it was sent and may have taken effect: look before doing it again
    +-- RetryLater             the server says so (429, 5xx); ``retry_after_s`` when it told how long
    +-- CredentialBlocked      401, 403: the whole queue waits for another key, nothing is discarded
    +-- RecordRefused          400, 413, 422: this record is set aside, the others go on
    +-- RefusesAll             400, 413, 422 for one record after another: not theirs to bear, the queue waits
    +-- LinkExpired            the bucket no longer takes this link (403, 404): ask for a new one
    +-- ProtocolBroken         the answer is not what the API says (captive portal, redirect, damaged JSON); try later
        +-- NotFound           404
        +-- Conflict           409
        +-- AnswerTooLarge     the answer is longer than its cap

Every text is one line, holds no key and no presigned URL, and foreign text in it is printable and short.
"""

from __future__ import annotations


class UploadError(Exception):
    """Root of all upload errors; its text is one line for a person.

    Attributes
    ----------
    status : int
        HTTP status of the answer, 0 where there was none.
    whole_queue : bool
        Every other record would meet the same.
    """

    whole_queue = False

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class SetupError(UploadError):
    """The configuration or the key file must be changed by a person."""


class ApiKeyError(SetupError):
    """The key file cannot be used; the text never holds the key."""


class ApiKeyMissing(ApiKeyError):
    """There is no key yet; nothing is wrong with one, so that measuring can go on without."""


class ApiKeyMalformed(ApiKeyError):
    """What was given is no key; nobody else can read it, so that measuring can go on without."""


class EndpointError(SetupError):
    """The endpoint's address cannot be used."""


class Unreachable(UploadError):
    """Nothing was sent."""

    whole_queue = True


class Uncertain(UploadError):
    """It was sent and may have taken effect."""

    whole_queue = True


class RetryLater(UploadError):
    """The server asks to come again.

    Attributes
    ----------
    status : int
        HTTP status, 408, 425, 429 or 5xx.
    retry_after_s : float or None
        What its ``Retry-After`` says, at most one hour.
    """

    def __init__(self, text: str, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(text, status)
        self.retry_after_s = retry_after_s
        self.whole_queue = status in (429, 503)


class CredentialBlocked(UploadError):
    """The API does not take the key."""

    whole_queue = True


class RecordRefused(UploadError):
    """The server takes others, but not this record; ``status`` is 0 when we refuse it ourselves."""


class RefusesAll(UploadError):
    """The server refuses one record after another."""

    whole_queue = True


class LinkExpired(UploadError):
    """The presigned link is no longer good."""


class ProtocolBroken(UploadError):
    """The answer is not what the API says."""


class NotFound(ProtocolBroken):
    """404."""


class Conflict(ProtocolBroken):
    """409; ``detail`` is what the server says of it: foreign JSON, unchecked."""

    def __init__(self, text: str, detail: object = None) -> None:
        super().__init__(text, 409)
        self.detail = detail


class AnswerTooLarge(ProtocolBroken):
    """The answer is longer than its cap."""


def one_line(foreign: str, limit: int = 200) -> str:
    """Foreign text made safe for a log line: control and unprintable characters escaped, cut at ``limit``."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in foreign[:limit])
    return shown if len(foreign) <= limit and len(shown) <= limit else shown[:limit] + "..."
