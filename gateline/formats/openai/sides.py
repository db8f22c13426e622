"""OpenAI's operations as the table of formats wants them."""

from __future__ import annotations

from gateline.formats.contract import Codec, Watch
from gateline.formats.openai.usage import usage_in_tail, usage_of_reply
from gateline.formats.openai.watch import StreamCodec
from gateline.formats.vendor_error import reported_error
from gateline.model.call import Call
from gateline.model.errors import UpstreamError


def _codec(call: Call, secret: str) -> Codec:
    return StreamCodec(call.include_usage, secret=secret)


def _reported(body: bytes, secret: str) -> UpstreamError | None:
    failed = reported_error(body, secret=secret)
    return None if failed is None else UpstreamError(failed.message, code=failed.code, param=failed.param)


STREAM_WATCH = Watch(usage_of_reply, usage_in_tail, _codec, _reported)
WHOLE_WATCH = Watch(usage_of_reply, usage_in_tail, None, _reported)
