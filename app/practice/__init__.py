"""A telephone exchange on a laptop that speaks Twilio's wire protocol.

It signs and sends webhooks, executes TwiML, serves the REST resources and sends
callbacks, on a real or a stepped clock, and it can be made to misbehave. It knows
nothing of the helpline: it tests whatever server answers its webhooks.
"""
