"""A whole call without a phone or an account: a stand-in Twilio, a scripted model, scripted callers.

Wire level only: nothing here imports the app, so that its errors are caught and not shared.
"""
