"""HTTP: the daemon's local API and page, and an OES API server of our own (the hub); see README.md of this folder."""

from oesd.web.api import create_api
from oesd.web.bucket import Bucket
from oesd.web.feed import Feed
from oesd.web.hub import Hub, create_hub
from oesd.web.server import Server
from oesd.web.shown import Shown, newest_shown

__all__ = [
    "Bucket",
    "Feed",
    "Hub",
    "Server",
    "Shown",
    "create_api",
    "create_hub",
    "newest_shown",
]
