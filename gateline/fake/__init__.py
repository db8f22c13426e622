"""The scripted fake provider: rehearse load and failures without a vendor."""
