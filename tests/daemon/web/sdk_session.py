"""Run in a process of its own: the vendor's SDK, unchanged, against the hub. Prints what it saw as JSON.

Arguments: endpoint, key, directory for downloads, then the files to upload.
"""

from __future__ import annotations

import json
import sys
import warnings

from atomscale import Client

endpoint, key, destination, *names = sys.argv[1:]
client = Client(api_key=key, endpoint=endpoint, mute_bars=True)
by_name = {}
for name in names:
    (data_id,) = client.upload([name], physical_sample="Wafer 7", project="Nitrides")
    by_name[name] = data_id
ids = list(by_name.values())
together = client.upload(names)

found = client.search(data_ids=ids, data_type="oes", status="all")
by_keyword = client.search(keywords="record-of-0")
by_sample = client.search(physical_sample_ids=str(found["Physical Sample ID"].iloc[0]))
client.download(ids, dest_dir=destination, data_type="raw")
client.download(ids[:1], dest_dir=destination, data_type="processed")

document = client._get(f"oes/{ids[0]}")
peak = document["detected_peaks"][0]
body = {"peak_id": peak["peak_id"], "candidate_key": peak["candidates"][1]["candidate_key"]}
patched = client._post_or_put("PATCH", f"oes/{ids[0]}/peaks", body=body)
with warnings.catch_warnings(record=True):
    warnings.simplefilter("always")
    results = client.get(ids)

print(
    json.dumps(
        {
            "by_name": by_name,
            "together": together,
            "columns": sorted(found.columns),
            "rows": found[["Data ID", "Type", "Status", "File Name", "Physical Sample Name"]].to_dict("records"),
            "by_keyword": list(by_keyword["Data ID"]),
            "by_sample": sorted(by_sample["Data ID"]),
            "document": {k: document[k] for k in ("data_id", "id", "wavelength_unit")},
            "patched": patched["detected_peaks"][0],
            "results": [[type(r).__name__, r.data_id] for r in results],
            "samples": list(client.list_physical_samples()["Physical Sample Name"]),
            "sample": type(client.get_physical_sample(str(found["Physical Sample ID"].iloc[0]))).__name__,
        }
    )
)
