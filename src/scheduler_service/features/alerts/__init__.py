"""Alerts: rules about runs and workers, the deliveries that they cause, and the channels that deliver them.

In a dispatcher, the detector reads the events of runs and stores a delivery for each rule that an event concerns. The
sender leases due deliveries and sends each by its rule's channel, until it arrives or is given up.
"""
