"""Where Gemini's bodies name the model inside, they name the vendor's."""

from __future__ import annotations

import json

import pytest

from gateline.formats.call import read_call, write_body
from gateline.formats.renamed import renamed
from gateline.model.call import Operation
from gateline.model.errors import BadRequest


def written(operation: Operation, body: str, model: str = "there") -> object:
    call = read_call(body.encode(), operation, "here", False)
    return json.loads(write_body(renamed(call, model), None, ask_usage=None))


def test_each_text_of_a_batch() -> None:
    """Whatever it named, once or twice; all else is as it was."""
    body = '{"requests":[{"model":"models/here","content":1.50},{"model":"x","title":"t","model":"models/other"},{}]}'
    assert written("batch_embed_contents", body) == {
        "requests": [
            {"model": "models/there", "content": 1.5},
            {"model": "models/there", "title": "t"},
            {"model": "models/there"},
        ]
    }


@pytest.mark.parametrize("field", ["generateContentRequest", "generate_content_request"])
def test_a_whole_call_that_is_counted(field: str) -> None:
    """In both of the spellings that the vendor takes."""
    body = json.dumps({field: {"model": "models/other", "contents": []}})
    assert written("gemini.count_tokens", body) == {field: {"model": "models/there", "contents": []}}


def test_what_names_no_model_inside_is_left_alone() -> None:
    assert written("gemini.count_tokens", '{"contents":[]}') == {"contents": []}


def test_a_name_with_a_path_is_whole() -> None:
    """Tuned models are not below `models/`."""
    assert written("batch_embed_contents", '{"requests":[{}]}', "tunedModels/a") == {
        "requests": [{"model": "tunedModels/a"}]
    }


@pytest.mark.parametrize(
    ("operation", "body", "field"),
    [
        ("batch_embed_contents", '{"requests":{}}', "requests"),
        ("batch_embed_contents", '{"requests":[1]}', "requests"),
        ("gemini.count_tokens", '{"generateContentRequest":[]}', "generateContentRequest"),
    ],
)
def test_what_cannot_be_told_is_refused(operation: Operation, body: str, field: str) -> None:
    """By the field's name: a name that was not looked at must not pass."""
    with pytest.raises(BadRequest) as refused:
        written(operation, body)
    assert refused.value.param == field
