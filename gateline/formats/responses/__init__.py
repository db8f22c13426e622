"""OpenAI's Responses API (platform.openai.com/docs/api-reference/responses, openresponses.org), from both sides."""
