"""Cohere's v2 API: chat, embeddings, and ranking in the shape that other vendors took over from it."""
