"""The lab in a browser: a phone, a call, and beside it what the state machine makes of it, live."""
