"""Run in a process of its own: the vendor's SDK, unchanged, uploads files and gets them back.

Arguments: endpoint, key, directory for downloads, then the files to upload.
"""

from __future__ import annotations

import json
import sys

from atomscale import Client

endpoint, key, destination, *names = sys.argv[1:]
client = Client(api_key=key, endpoint=endpoint, mute_bars=True)
ids = client.upload(names)
client.download(ids, dest_dir=destination, data_type="raw")
listed = client.search(data_ids=ids, data_type="oes", status="all")
print(json.dumps({"ids": ids, "names": sorted(listed["File Name"])}))
