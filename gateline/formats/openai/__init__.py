"""OpenAI's formats: chat completions, completions, embeddings and the lists beside them."""
