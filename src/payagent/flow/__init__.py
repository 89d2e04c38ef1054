"""The pure core: what a call is, what may happen to it, and what it then orders."""
