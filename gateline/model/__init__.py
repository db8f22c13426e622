"""The vocabulary every plane shares: frozen structs and one error tree. Imports nothing of ours."""
