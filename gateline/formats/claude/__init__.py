"""What Anthropic's models take, in whichever format they are asked and whoever hosts them."""
