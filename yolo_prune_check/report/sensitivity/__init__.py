"""Pages on what layers can do without, and on what was made of that."""
