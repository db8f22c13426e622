from __future__ import annotations

import json

from openai.pagination import SyncPage
from openai.types import Model as VendorModel

from gateline.formats.openai.models import model_object, models_page
from gateline.model.snapshot import Model


def test_the_list_reads_back_with_the_vendors_types() -> None:
    """The vendor's own types read the list in order, and each model says whether it can answer now."""
    body = models_page([(Model("gpt-4o", (), created=7), "ready"), (Model('a/"b"é', ()), "loading")])
    page = SyncPage[VendorModel].model_validate(json.loads(body))
    assert [(model.id, model.created, model.object) for model in page.data] == [
        ("gpt-4o", 7, "model"),
        ('a/"b"é', 0, "model"),
    ]
    assert [entry["status"] for entry in json.loads(body)["data"]] == ["ready", "loading"]
    assert models_page([]) == b'{"data":[],"object":"list"}'


def test_one_model_reads_back() -> None:
    """A single model is the vendor's object with its status."""
    body = model_object(Model("m", (), created=7), "failed")
    assert VendorModel.model_validate(json.loads(body)).id == "m"
    assert json.loads(body)["status"] == "failed"
