"""`make demo`: the main job end to end, told to a person at a terminal. Uses the product as its users do: the commands
of `gateline`, the official `openai` client, and nothing from inside but the control socket's client."""
