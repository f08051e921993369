"""A telephone exchange on a laptop that speaks Twilio's wire protocol.

It signs and sends webhooks, executes TwiML, serves the REST resources and calls
back, on a clock that is real or stepped, and it can be made to misbehave. It
knows nothing of the helpline: whatever answers its webhooks is what is tried.
"""
