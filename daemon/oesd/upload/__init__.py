"""Forwarding to the OES API through any outage; see README.md in this folder."""

from oesd.upload.address import check_endpoint
from oesd.upload.call import Deadlines
from oesd.upload.client import PART_BYTES, OesApi
from oesd.upload.errors import ApiKeyError, ApiKeyMalformed, ApiKeyMissing, EndpointError, SetupError, UploadError
from oesd.upload.forwarder import Forwarder
from oesd.upload.key import ApiKey, load_key
from oesd.upload.means import Pace, RenderedFile
from oesd.upload.samples import Filing

__all__ = [
    "PART_BYTES",
    "ApiKey",
    "ApiKeyError",
    "ApiKeyMalformed",
    "ApiKeyMissing",
    "Deadlines",
    "EndpointError",
    "Filing",
    "Forwarder",
    "OesApi",
    "Pace",
    "RenderedFile",
    "SetupError",
    "UploadError",
    "check_endpoint",
    "load_key",
]
