"""Google's Gemini formats: generateContent and its stream, countTokens, embedContent. Vertex AI speaks them as well."""
