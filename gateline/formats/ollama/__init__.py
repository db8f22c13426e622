"""The API format of Ollama."""
