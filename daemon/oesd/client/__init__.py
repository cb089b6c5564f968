"""The OES API from a notebook: results as numpy arrays, live ones too, from a daemon, a hub or the cloud alike."""

from oesd.client.client import Client
from oesd.client.errors import ClientError
from oesd.client.events import Event
from oesd.client.result import OESResult
from oesd.client.search import Entries

__all__ = ["Client", "ClientError", "Entries", "Event", "OESResult"]
