"""Which models there are, what they can do and what they cost. Facts about vendors, none about this installation."""
