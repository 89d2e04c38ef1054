"""The append-only record of every call: what happened, what it led to, what is still owed."""
