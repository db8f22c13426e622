"""Every format from both of its sides, by operation. The one file that knows all formats; none knows another."""

from __future__ import annotations

from collections.abc import Callable

from gateline.formats.anthropic import passing as anthropic_passing
from gateline.formats.anthropic import sides as anthropic
from gateline.formats.bedrock import passing as bedrock_passing
from gateline.formats.bedrock import sides as bedrock
from gateline.formats.cohere import passing as cohere_passing
from gateline.formats.cohere import sides as cohere
from gateline.formats.contract import Client, ErrorForm, Server, Watch
from gateline.formats.dialect import Dialect
from gateline.formats.gemini import passing as gemini_passing
from gateline.formats.gemini import sides as gemini
from gateline.formats.ollama import passing as ollama_passing
from gateline.formats.ollama import sides as ollama
from gateline.formats.openai import passing as openai_passing
from gateline.formats.openai.error import write_error as write_openai_error
from gateline.formats.openai.sides import (
    CHAT_CLIENT,
    CHAT_SERVER,
    COMPLETION_SERVER,
    EMBEDDING_CLIENT,
    EMBEDDING_SERVER,
    IMAGE_WATCH,
    SPEECH_WATCH,
    STREAM_WATCH,
    TRANSCRIPT_WATCH,
    WHOLE_WATCH,
)
from gateline.formats.raw import RAW_WATCH
from gateline.formats.responses import passing as responses_passing
from gateline.formats.responses import sides as responses
from gateline.model.call import Call, Family, Operation

# What clients of the gateway may speak, where it can be read into a neutral call.
SERVERS: dict[Operation, Server] = {
    "chat.completions": CHAT_SERVER,
    "completions": COMPLETION_SERVER,
    "embeddings": EMBEDDING_SERVER,
    "responses": responses.SERVER,
    "messages": anthropic.MESSAGES,
    "converse": bedrock.SERVER,
    "cohere.chat": cohere.CHAT_SERVER,
    "cohere.embed": cohere.EMBED_SERVER,
    "rerank": cohere.RERANK_SERVER,
    "messages.count_tokens": anthropic.COUNT,
    "generate_content": gemini.CHAT_SERVER,
    "gemini.count_tokens": gemini.COUNT_SERVER,
    "embed_content": gemini.EMBED_SERVER,
    "batch_embed_contents": gemini.BATCH_SERVER,
    "ollama.chat": ollama.CHAT_SERVER,
    "ollama.generate": ollama.GENERATE_SERVER,
    "ollama.embed": ollama.EMBED_SERVER,
}

# What vendors speak, where it can be written from a neutral call.
CLIENTS: dict[Operation, Client] = {
    "chat.completions": CHAT_CLIENT,
    "embeddings": EMBEDDING_CLIENT,
    "responses": responses.CLIENT,
    "messages": anthropic.MESSAGES_CLIENT,
    "converse": bedrock.CLIENT,
    "cohere.chat": cohere.CHAT_CLIENT,
    "cohere.embed": cohere.EMBED_CLIENT,
    "rerank": cohere.RERANK_CLIENT,
    "messages.count_tokens": anthropic.COUNT_CLIENT,
    "generate_content": gemini.CHAT_CLIENT,
    "gemini.count_tokens": gemini.COUNT_CLIENT,
    "embed_content": gemini.EMBED_CLIENT,
    "batch_embed_contents": gemini.BATCH_CLIENT,
    "ollama.chat": ollama.CHAT_CLIENT,
    "ollama.embed": ollama.EMBED_CLIENT,
}

# Calls that pass, without what other vendors' answers left in them (`foreign.py` says which have any): of the call, the
# vendor's name of the model and its dialect, the call to send and the client's names of what was left out.
FOR_VENDOR: dict[Operation, Callable[[Call, str, Dialect], tuple[Call, list[str]]]] = {
    "chat.completions": openai_passing.for_vendor,
    "messages": anthropic_passing.for_vendor,
    "messages.count_tokens": anthropic_passing.for_vendor,
    "converse": bedrock_passing.for_vendor,
    "cohere.chat": cohere_passing.for_vendor,
    "generate_content": gemini_passing.for_vendor,
    "gemini.count_tokens": gemini_passing.for_vendor,
    "ollama.chat": ollama_passing.for_vendor,
    "responses": responses_passing.for_vendor,
}

# How a reply is followed that passes untouched.
WATCHES: dict[Operation, Watch] = {
    "passthrough": RAW_WATCH,
    "messages": anthropic.MESSAGES_WATCH,
    "converse": bedrock.WATCH,
    "cohere.chat": cohere.CHAT_WATCH,
    "cohere.embed": cohere.EMBED_WATCH,
    "rerank": cohere.RERANK_WATCH,
    "messages.count_tokens": anthropic.COUNT_WATCH,
    "responses": responses.WATCH,
    "chat.completions": STREAM_WATCH,
    "completions": STREAM_WATCH,
    "embeddings": WHOLE_WATCH,
    "moderations": WHOLE_WATCH,
    "images.generations": IMAGE_WATCH,
    "images.edits": IMAGE_WATCH,
    "audio.transcriptions": TRANSCRIPT_WATCH,
    "audio.translations": TRANSCRIPT_WATCH,
    "audio.speech": SPEECH_WATCH,
    "generate_content": gemini.CHAT_WATCH,
    "gemini.count_tokens": gemini.WHOLE_WATCH,
    "embed_content": gemini.WHOLE_WATCH,
    "batch_embed_contents": gemini.WHOLE_WATCH,
    "ollama.chat": ollama.STREAM_WATCH,
    "ollama.generate": ollama.STREAM_WATCH,
    "ollama.embed": ollama.WHOLE_WATCH,
}

ERRORS: dict[Family, ErrorForm] = {
    "openai": ErrorForm(write_openai_error),
    "anthropic": anthropic.ERRORS,
    "bedrock": bedrock.ERRORS,
    "cohere": cohere.ERRORS,
    "gemini": gemini.ERROR,
    "ollama": ollama.ERRORS,
}
