"""What stands behind the pytest hooks: options, items, the session's state and its text. Imports no torch."""
