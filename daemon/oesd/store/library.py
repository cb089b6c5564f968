"""What is known of darks and references beyond their counts."""

SCHEMA = ""
