"""Forwarding to the OES API through any outage; see README.md in this folder."""

from oesd.upload.address import check_endpoint
from oesd.upload.call import Deadlines
from oesd.upload.client import OesApi
from oesd.upload.errors import ApiKeyError, EndpointError, SetupError, UploadError
from oesd.upload.forwarder import Forwarder
from oesd.upload.key import ApiKey, load_key
from oesd.upload.means import Pace, RenderedFile

__all__ = [
    "ApiKey",
    "ApiKeyError",
    "Deadlines",
    "EndpointError",
    "Forwarder",
    "OesApi",
    "Pace",
    "RenderedFile",
    "SetupError",
    "UploadError",
    "check_endpoint",
    "load_key",
]
