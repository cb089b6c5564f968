"""The machine that oesd lives on: what a service takes there, and where its key rests. README.md tells the rest."""

from oesd.host.doing import give, install, remove
from oesd.host.errors import HostError
from oesd.host.plan import PREFIX, STOPPING, Plan, installation, removal
from oesd.host.prefix import check_prefix
from oesd.host.secret import remove_key, set_key

__all__ = [
    "PREFIX",
    "STOPPING",
    "HostError",
    "Plan",
    "check_prefix",
    "give",
    "install",
    "installation",
    "removal",
    "remove",
    "remove_key",
    "set_key",
]
