"""Who the callers are and what they owe: one book of accounts, bills and payments."""
