"""The front doors: Twilio's webhooks, the relay socket, and the probes of whoever runs the service."""
