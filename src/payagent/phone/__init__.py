"""Everything Twilio: what it sends is decoded here, what it is told is encoded here.

Nothing in this package decides anything about a call; it turns vendor text into payagent's words and back.
"""
