"""Choice among models."""
