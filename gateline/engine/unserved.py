"""What OpenAI's API offers and a small local model does not have, refused by name.

A field is refused when it would change the answer and this model cannot follow it: an answer that looks as if it had
followed is worse than none. Fields that change nothing about the answer (`user`, `metadata`, `store`, ...) pass.
"""

from __future__ import annotations

from gateline.engine.fields import Object
from gateline.engine.refusal import Refused

# Field, the values that ask for nothing, what is missing.
_Row = tuple[str, tuple[object, ...], str]

_BOTH: tuple[_Row, ...] = (
    ("n", (1,), "gives one choice a request"),
    ("logit_bias", ({},), "takes no bias on single tokens"),
)
_CHAT: tuple[_Row, ...] = (
    *_BOTH,
    ("logprobs", (False,), "reports no log probabilities"),
    ("top_logprobs", (0,), "reports no log probabilities"),
    ("modalities", (["text"], []), "writes text only"),
    ("audio", (), "writes text only"),
    ("web_search_options", (), "does not search the web"),
    ("reasoning_effort", ("none",), "does not reason before it answers"),
    ("verbosity", ("medium",), "has no levels of verbosity"),
)
_COMPLETION: tuple[_Row, ...] = (
    *_BOTH,
    ("logprobs", (False,), "reports no log probabilities"),  # 0 asks for those of the chosen tokens
    ("best_of", (1,), "gives one choice a request"),
    ("echo", (False,), "does not repeat the prompt"),
    ("suffix", ("",), "writes on from the end of the prompt only"),
)
_TOOLS = (("tools", "tool_choice"), ("functions", "function_call"))


def refuse_unserved(fields: Object, model: str, *, chat: bool) -> None:
    """Raises `Refused` (400, `unsupported_parameter`) that names the field and the model."""
    for field, idle, what in _CHAT if chat else _COMPLETION:
        value = fields.get(field)
        # With its type: in Python 0 is False and True is 1, in a request they are different wishes.
        if value is not None and not any(type(value) is type(same) and value == same for same in idle):
            raise _unsupported(field, model, what)
    if chat:
        _refuse_tools(fields, model)


def _refuse_tools(fields: Object, model: str) -> None:
    """Tools that the caller has switched off itself ("none") ask for nothing."""
    for tools, choice in _TOOLS:
        chosen = fields.get(choice)
        if fields.get(tools) not in (None, []) and chosen != "none":
            raise _unsupported(tools, model, "calls no tools")
        if chosen not in (None, "none", "auto"):
            raise _unsupported(choice, model, "calls no tools")


def _unsupported(field: str, model: str, what: str) -> Refused:
    message = f"`{field}` is not supported: {model} {what}. Leave it out, or ask another model."
    return Refused(message, param=field, code="unsupported_parameter")
